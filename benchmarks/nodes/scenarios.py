"""What is transferred between two nodes, and how much of it with `--quick`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from bitswap.options import KIB, MIB


class Kind(Enum):
    """How the client asks."""

    BLOCKS = "blocks"
    """Ours in one call; boxo's in `batch` blocks a call."""
    FILE = "file"
    """A UnixFS file by its root: ours reads it, boxo's client runs FetchGraph with 32 workers."""
    LATENCY = "latency"
    """One block after the other, over a connection and a session that have been used."""


class Busy(Enum):
    """Which process of ours has a thread that computes in Python without pause."""

    NEITHER = ""
    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True)
class Scenario:
    """`count` blocks of `size` bytes; of a file, its chunks."""

    key: str
    """What `--scenario` calls it."""
    count: int
    size: int
    quick: int
    """`count` with `--quick`."""
    kind: Kind = Kind.BLOCKS
    keep: bool = False
    """Both clients keep the verified blocks in memory; else both drop them."""
    batch: int = 0
    """Blocks a call of boxo's client (0: all): a boxo server silently drops what is above 1,024."""
    max_wants: int = 0
    """Cap of boxo's server where that is raised (MaxQueuedWantlistEntriesPerPeer)."""
    busy: Busy = Busy.NEITHER

    @property
    def bytes(self) -> int:
        return self.count * self.size

    @property
    def name(self) -> str:
        what = {
            Kind.BLOCKS: f"{self.count:,} x {size_label(self.size)}",
            Kind.FILE: f"file of {size_label(self.bytes)}",
            Kind.LATENCY: f"{size_label(self.size)}, one by one",
        }[self.kind]
        busy = f", busy {self.busy.value}" if self.busy is not Busy.NEITHER else ""
        return what + (", kept" if self.keep else "") + busy

    def shortened(self) -> Scenario:
        return replace(self, count=self.quick)


def size_label(size: int) -> str:
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size // unit:,} {name}"
    return f"{size} B"


WARM = 20
"""Calls before the clock of a latency starts."""

_LARGE = Scenario("1mib", 1024, MIB, 64, batch=1024)
_MIDDLE = Scenario("256kib", 4096, 256 * KIB, 256, batch=1024)
_FILE = Scenario("file", 2048, 256 * KIB, 256, Kind.FILE, keep=True)
_SMALL = Scenario("10000", 10_000, KIB, 2000, batch=1000)
_MANY = Scenario("50000", 50_000, KIB, 4000, max_wants=1 << 16)
_ONE = Scenario("latency", 300, 256, 60, Kind.LATENCY)


def _kept(plain: Scenario) -> Scenario:
    return replace(plain, key=f"{plain.key}-kept", keep=True)


def _busy(plain: Scenario, where: Busy) -> Scenario:
    return replace(plain, key=f"{plain.key}-busy-{where.value}", busy=where)


_BUSY = (replace(_MIDDLE, count=1024), _SMALL, _ONE)

SCENARIOS = (
    *(_LARGE, _kept(_LARGE), _MIDDLE, _kept(_MIDDLE), _FILE, _SMALL, _MANY, _ONE),
    *(_busy(plain, where) for where in (Busy.CLIENT, Busy.SERVER) for plain in _BUSY),
)
