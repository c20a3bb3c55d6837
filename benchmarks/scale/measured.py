"""The server of the measurement, seen from outside, and the crowd that asks it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from benchmarks.nodes.procfs import cpu_seconds, forget_peak, peak_bytes, resident_bytes
from benchmarks.scale.server import MARKER, blocks
from bitswap.cid import CID
from tests.interop.process import JsonProcess
from tests.scale.crowd import Crowd, Fetch

ANSWER = 120.0
"""Seconds for an answer of the server."""


class Load(NamedTuple):
    """A fetch of many, and what it took of the server."""

    fetch: Fetch
    cpu: float
    memory: int
    """Bytes that its memory grew by, at most, the blocks that it was given in between included."""
    given: int
    """Bytes of those."""


class Measured:
    """A server process and a crowd of its peers. A context manager."""

    def __init__(self, folder: Path, *, connections: int, security: str, timeout: float) -> None:
        words = ["--max-connections", str(connections), "--security", security]
        command = [sys.executable, "-m", "benchmarks.scale.server", *words]
        self._process = JsonProcess(command, folder, env=dict(os.environ))
        self._seeds = 0
        try:
            address = self._process.line()["addrs"][0]
            self.crowd = Crowd(address, security=security, timeout=timeout)
        except BaseException:
            self._process.kill()
            raise
        self.pid = self._process.process.pid

    def __enter__(self) -> Measured:
        self._process.__enter__()
        self.crowd.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.crowd.__exit__()
        self._process.__exit__()

    def ask(self, **command: object) -> dict[str, Any]:
        """`peers` and `threads`, after what is asked for was done."""
        stdin = self._process.process.stdin
        assert stdin is not None
        stdin.write(json.dumps(command).encode() + b"\n")
        stdin.flush()
        return self._process.line(ANSWER)

    def grow(self, count: int) -> tuple[float, float, int]:
        """Connect more: wall and processor seconds, and bytes of memory, that it took."""
        cpu, memory, began = cpu_seconds(self.pid), resident_bytes(self.pid), time.perf_counter()
        self.crowd.grow(count)
        wall = time.perf_counter() - began
        return wall, cpu_seconds(self.pid) - cpu, resident_bytes(self.pid) - memory

    def rest(self, seconds: float) -> float:
        """Processor seconds while nobody says anything."""
        cpu = cpu_seconds(self.pid)
        time.sleep(seconds)
        return cpu_seconds(self.pid) - cpu

    def fetch(self, peers: int, each: int, size: int, *, pool: int) -> Load:
        """That many at once, each `each` of `pool` new blocks; all in another order, unless they want all."""
        self._seeds += 1
        seed = f"scale {self._seeds}"
        cids = [block.cid for block in blocks(seed, pool, size)]
        step = len(self.crowd.members) // peers
        cpu, memory = cpu_seconds(self.pid), resident_bytes(self.pid)
        forget_peak(self.pid)
        found = self.crowd.fetch(
            self.crowd.members[: peers * step : step],
            lambda place: _wanted(cids, place, each),
            size,
            marker=MARKER.cid,
            go=lambda: void(self.ask(add=[seed, pool, size])),
        )
        grown = peak_bytes(self.pid) - memory
        return Load(found, cpu_seconds(self.pid) - cpu, grown, pool * size)


def _wanted(cids: Sequence[CID], place: int, each: int) -> list[CID]:
    start = 0 if each == len(cids) else place * 37
    return [cids[(start + at) % len(cids)] for at in range(each)]


def void(_: object) -> None: ...
