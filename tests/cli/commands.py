"""What the tests of commands share: each runs as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

COMMAND = (sys.executable, "-m", "bitswap")


def bitswap(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and check its exit code; never a traceback."""
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@contextmanager
def serving(*words: object) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """A serving process and its first line."""
    command = [*COMMAND, "serve", *map(str, words), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline()), process
    finally:
        process.kill()
        process.communicate()
