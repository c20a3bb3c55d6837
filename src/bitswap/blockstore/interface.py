"""What the node asks of a place where blocks are kept.

Keys are multihashes: one block is found under every CID (version, codec) of its hash. Identity CIDs hold
their own data and are answered without a look-up. A block of zero bytes and a missing block differ.
Every method is safe from any thread; several processes may read what one writes only where the implementation
says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from bitswap.block import Block
from bitswap.cid import CID


class Blockstore(Protocol):
    """A map from multihash to bytes. Batch calls cost one transaction; prefer them."""

    def get(self, cid: CID) -> Block:
        """The block under `cid` (with that very CID); raises NotFound."""

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        """One answer a CID, in order; None where missing."""

    def has(self, cid: CID) -> bool: ...

    def has_many(self, cids: Sequence[CID]) -> list[bool]: ...

    def size(self, cid: CID) -> int | None:
        """Bytes of the block without reading it, or None when missing."""

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        """One answer a CID, in order, without reading values."""

    def put(self, block: Block) -> None: ...

    def put_many(self, blocks: Iterable[Block]) -> None:
        """Store all, in one transaction where there are such; a block already there costs a look-up only."""

    def delete(self, cid: CID) -> bool:
        """Whether something was deleted."""

    def multihashes(self) -> Iterator[bytes]:
        """Every stored multihash, in no given order; a snapshot or a live view."""

    def __len__(self) -> int: ...

    def flush(self) -> None:
        """Make what was put durable."""

    def close(self) -> None:
        """Flush and release; afterwards every call raises Closed. A second close does nothing."""
