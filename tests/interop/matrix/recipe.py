"""Building a peer once, into a folder of .cache/interop that is named after everything it is made of."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.interop.matrix.peer import Absent, BuildFailed, Program

CACHE = Path(__file__).parents[3] / ".cache" / "interop"
BUILT = ".built"
FINGERPRINT = 16
"""Hexadecimal digits in a folder's name."""
BUILD_TIMEOUT = 1200.0
"""Seconds a build may take, downloads included."""


@dataclass(frozen=True)
class Recipe:
    """A `Source`: `make(folder)` fills an empty folder, `program(folder)` is what can be started then.

    `files` are the sources (a change of one builds again), `tools` commands that have to be on the PATH.
    """

    name: str
    files: tuple[Path, ...]
    tools: tuple[str, ...]
    make: Callable[[Path], None]
    program: Callable[[Path], Program]

    def find(self) -> Program | None:
        folder = self._folder()
        return self.program(folder) if (folder / BUILT).exists() else None

    def build(self) -> Program:
        folder = self._folder()
        if not (folder / BUILT).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            self.make(folder)
            (folder / BUILT).touch()
            for older in set(CACHE.glob(f"{self.name}-{'?' * FINGERPRINT}")) - {folder}:
                shutil.rmtree(older, ignore_errors=True)
        return self.program(folder)

    def _folder(self) -> Path:
        for tool in self.tools:
            if shutil.which(tool) is None:
                raise Absent(f"{tool} is not installed: interop with {self.name} was not run")
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        digest.update(f"{sys.platform} {platform.machine()}".encode())
        return CACHE / f"{self.name}-{digest.hexdigest()[:FINGERPRINT]}"


def run(words: Sequence[str | Path], folder: Path, **env: str) -> str:
    """Run one step of a build in `folder`, return what it printed; raises BuildFailed."""
    try:
        done = subprocess.run(
            [str(word) for word in words],
            cwd=folder,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"{words[0]}: {error}") from None
    if done.returncode != 0:
        told = (done.stdout + done.stderr)[-4000:]
        raise BuildFailed(f"{' '.join(map(str, words))} failed with exit code {done.returncode}:\n{told}")
    return done.stdout
