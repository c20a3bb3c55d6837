"""A process that runs `bitswap serve`, for whoever measures or shows what two nodes do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bitswap.errors import RemoteError

_STOP_SECONDS = 30.0
"""One that has not ended so long after being asked to is killed."""


@contextmanager
def serving(*words: str) -> Iterator[dict[str, Any]]:
    """What a process that serves with these arguments says once it is ready; it is ended afterwards.

    Raises RemoteError if it ends before.
    """
    command = [sys.executable, "-m", "bitswap", "serve", *words, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RemoteError(f"the serving node ended with exit code {process.wait()} before it was ready")
        yield json.loads(line)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
