"""Blocks that the store has, as far as they are remembered, so that wants for them need not ask it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitswap.cid import CID


class KnownBlocks:
    """Sizes in bytes of at most `limit` blocks; beyond it the one remembered longest goes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sizes: OrderedDict[CID, int] = OrderedDict()
        self.size_of = self._sizes.get
        """CID -> bytes, or None."""

    def add(self, sizes: Mapping[CID, int]) -> None:
        """Remember blocks; the size of a known one is renewed, and it stays in its place."""
        known = self._sizes
        if not self._limit:
            return
        for cid, size in sizes.items():
            if cid not in known and len(known) >= self._limit:
                known.popitem(last=False)
            known[cid] = size

    def discard(self, cids: Iterable[CID]) -> None:
        for cid in cids:
            self._sizes.pop(cid, None)

    def __len__(self) -> int:
        return len(self._sizes)
