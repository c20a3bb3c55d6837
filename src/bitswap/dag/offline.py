"""Reading what is local: a store in the shape of a session's getter."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from bitswap.block import Block
from bitswap.blockstore.interface import Blockstore
from bitswap.cid import CID
from bitswap.errors import NotFound

_BATCH = 32
"""Blocks read at a time, so that a large window of wants is not in memory at once."""


class StoreGetter:
    """Blocks of `store` in the order they were wanted; nothing is fetched. A context manager."""

    def __init__(self, store: Blockstore) -> None:
        self._store = store
        self._wanted: dict[CID, None] = {}

    @property
    def outstanding(self) -> int:
        """Blocks wanted and not taken."""
        return len(self._wanted)

    def want(self, cids: Iterable[CID]) -> None:
        """Add wants; those not taken yet are not added twice."""
        self._wanted.update(dict.fromkeys(cids))

    def take(self, timeout: float | None = None) -> list[Block]:
        """The next blocks, [] when none is wanted; raises NotFound with all wanted CIDs not in the store."""
        cids = list(islice(self._wanted, _BATCH))
        blocks = self._store.get_many(cids)
        found = [block for block in blocks if block is not None]
        if len(found) < len(cids):
            raise self._not_found()
        self.cancel(cids)
        return found

    def cancel(self, cids: Iterable[CID]) -> None:
        for cid in cids:
            self._wanted.pop(cid, None)

    def close(self) -> None:
        """Forget all wants; the store stays open."""
        self._wanted.clear()

    def __enter__(self) -> StoreGetter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _not_found(self) -> NotFound:
        cids = list(self._wanted)
        missing = [cid for cid, there in zip(cids, self._store.has_many(cids), strict=True) if not there]
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return NotFound(f"block {missing[0]}{more} is not in the store", missing=missing)
