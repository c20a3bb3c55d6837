"""Reading a blockstore that may fail: what cannot be read counts as missing, and the node lives on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from bitswap.blockstore.errors import WrongAnswer

if TYPE_CHECKING:
    from bitswap.block import Block
    from bitswap.blockstore.interface import Blockstore
    from bitswap.cid import CID

_log = logging.getLogger(__name__)
_Found = TypeVar("_Found")


class BlockReader:
    """Batch reads of `store` that never raise (boxo `blockstoremanager`, without its pool).

    When a batch fails its blocks are read one by one, so that one bad block does not hide the others.
    """

    def __init__(self, store: Blockstore) -> None:
        self._store = store
        self._failures = 0
        self._under_way: dict[object, int] = {}

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        """Bytes of each block, None where there is none or it cannot be read."""
        return self._counted(cids, self._sizes)

    def blocks(self, cids: Sequence[CID]) -> list[Block | None]:
        """Each block, None where there is none or it cannot be read."""
        return self._counted(cids, self._blocks)

    @property
    def active(self) -> int:
        """Blocks of all reads that are under way; from any thread."""
        return sum(list(self._under_way.values()))

    def _sizes(self, cids: Sequence[CID]) -> list[int | None]:
        found = _as_many(self._store.sizes(cids), cids)
        if min(filter(None, found), default=0) < 0:
            raise WrongAnswer(f"the store has a block of {min(filter(None, found))} bytes")
        return found

    def _blocks(self, cids: Sequence[CID]) -> list[Block | None]:
        found = _as_many(self._store.get_many(cids), cids)
        for cid, block in zip(cids, found, strict=True):
            if block is not None and block.cid != cid and block.cid.multihash != cid.multihash:
                raise WrongAnswer(f"the store gave block {block.cid} instead of {cid}")
        return found

    def _counted(
        self, cids: Sequence[CID], read: Callable[[Sequence[CID]], list[_Found | None]]
    ) -> list[_Found | None]:
        key = object()
        self._under_way[key] = len(cids)
        try:
            return self._each(cids, read)
        finally:
            del self._under_way[key]

    def _each(
        self, cids: Sequence[CID], read: Callable[[Sequence[CID]], list[_Found | None]]
    ) -> list[_Found | None]:
        if not cids:
            return []
        try:
            return read(cids)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        # Whatever else a store raises (a panic of compiled code need be no Exception), the peer is told that
        # the block is missing.
        except BaseException as error:
            self._failed(cids, error)
        if len(cids) == 1:
            return [None]
        return [self._each([cid], read)[0] for cid in cids]

    def _failed(self, cids: Sequence[CID], error: BaseException) -> None:
        self._failures += 1
        # A store that always fails must not fill the log as well: the 1st, 2nd, 4th, 8th… failure is told.
        if self._failures & (self._failures - 1) == 0:
            _log.warning(
                "the blockstore failed on %d block(s), first %s (failure %d): %r",
                len(cids),
                cids[0],
                self._failures,
                error,
            )


def _as_many(found: list[_Found | None], cids: Sequence[CID]) -> list[_Found | None]:
    if len(found) != len(cids):
        raise WrongAnswer(f"the store gave {len(found)} answers about {len(cids)} blocks")
    return found
