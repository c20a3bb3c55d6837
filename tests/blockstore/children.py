"""Other processes that use a store; each is told what to do by lines on a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRELUDE = """
import os, random, sys
from pathlib import Path
from bitswap.block import Block
from bitswap.blockstore import LMDBBlockstore, StoreError, StoreFull
from bitswap.errors import UsageError
from bitswap.options import MIB, StoreOptions

def say(*words):
    print(*words, flush=True)

def made(number, size):
    return Block.of(random.Random(number).randbytes(size))

path = Path(sys.argv[1])
"""


class Child:
    """A Python process running a script after PRELUDE."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def hear(self) -> str:
        """The next line that it says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the child ended with {self.process.wait()}"
        return line.rstrip("\n")

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def finish(self) -> None:
        assert self.process.wait() == 0


@contextmanager
def child(script: str, path: Path, *arguments: str) -> Iterator[Child]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, str(path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with process:
        try:
            yield Child(process)
        finally:
            process.kill()
