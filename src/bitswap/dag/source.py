"""Where blocks of a graph come from: a session's getter, or a store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.errors import NotFound


class BlockSource(Protocol):
    """What `Getter` and `StoreGetter` share. One reader at a time: `take` gives what anybody wanted."""

    def want(self, cids: Iterable[CID]) -> None:
        """Ask for blocks, most urgent first; what is outstanding already is ignored. A block that came may be
        wanted again and then comes again."""

    def take(self, timeout: float | None = None) -> list[Block]:
        """Wait for at least one block and return all that have come, in order of arrival; [] only when
        nothing is outstanding. Raises NotFound, Timeout, RemoteError, Closed.
        """

    def cancel(self, cids: Iterable[CID]) -> None:
        """Blocks that are not needed any more; some may come all the same."""


def get_one(source: BlockSource, cid: CID) -> Block:
    """One block, whatever else the source brings meanwhile."""
    source.want([cid])
    while blocks := source.take():
        for block in blocks:
            if block.cid.multihash == cid.multihash:
                return Block(cid, block.data)
    raise NotFound(f"{cid} did not come", missing=[cid])
