"""Bounds and defaults of the embedded blockstore."""

from __future__ import annotations

from dataclasses import dataclass

from bitswap.options.limits import MIB, require


@dataclass(frozen=True)
class StoreOptions:
    """The embedded blockstore (LMDB)."""

    durability: str = "ordered"
    """What a power cut can undo; no choice loses anything when only the process dies (kill -9).

    "full": nothing that a call has stored. "ordered": the last transaction, and the store is never damaged;
    one flush a transaction instead of two. "none": only flush() flushes; a power cut may damage the store.
    Measured for 256 blocks of 256 KiB in one call: 0.5-0.7, 0.8 and 1.1 GB/s.
    """
    map_bytes: int = 64 * MIB
    """Bytes of address space for a new store; doubled whenever full (the file grows with its content)."""
    max_bytes: int | None = None
    """Bytes that the store's file may grow to; None: as large as the disk. Beyond it StoreFull is raised."""
    transaction_bytes: int = 64 * MIB
    """Bytes of blocks that put_many holds in one transaction (LMDB keeps them in memory until the commit)."""
    max_readers: int = 512
    """Reads at one time, all threads and processes together (LMDB's reader table; 64 bytes each)."""

    def __post_init__(self) -> None:
        require(
            self.durability in ("full", "ordered", "none"),
            f"durability is 'full', 'ordered' or 'none', not {self.durability!r}",
        )
        require(self.map_bytes >= MIB, f"map_bytes is at least 1 MiB, not {self.map_bytes}")
        require(
            self.max_bytes is None or self.max_bytes >= self.map_bytes,
            f"max_bytes ({self.max_bytes}) is less than map_bytes ({self.map_bytes})",
        )
        require(self.transaction_bytes >= 1, f"transaction_bytes is at least 1, not {self.transaction_bytes}")
        require(1 <= self.max_readers <= 65536, f"max_readers is 1 to 65536, not {self.max_readers}")
