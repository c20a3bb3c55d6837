"""A store to which a block comes in the middle of a look-up."""

from __future__ import annotations

from collections.abc import Sequence

from bitswap import CID, Bitswap, Block
from bitswap.blockstore import MemoryBlockstore


class Racing(MemoryBlockstore):
    """Has another thread's block arrive right after the first look-up, which was in vain."""

    node: Bitswap | None = None
    late: Block | None = None

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        found = super().sizes(cids)
        self._arrive()
        return found

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        found = super().get_many(cids)
        self._arrive()
        return found

    def _arrive(self) -> None:
        if self.late is not None and self.node is not None:
            block, self.late = self.late, None
            self.node.add_block(block)
