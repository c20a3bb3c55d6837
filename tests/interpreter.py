"""An interpreter of its own, for what is decided when a module is imported."""

from __future__ import annotations

import os
import subprocess
import sys


def python(code: str, **environment: str) -> str:
    """What `code` prints, with these environment variables beside those that are set."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return result.stdout.strip()
