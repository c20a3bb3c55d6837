"""Blocks hashed on their way into a store and out of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from bitswap.block import Block
from bitswap.blockstore.interface import Blockstore
from bitswap.cid import CID


class VerifyingBlockstore:
    """A Blockstore around another one: put and get raise HashMismatch for data that its CID does not name.

    A batch is checked whole before any of it is stored. Sizes and presence are not checked.
    """

    def __init__(self, inner: Blockstore) -> None:
        self.inner = inner

    def get(self, cid: CID) -> Block:
        block = self.inner.get(cid)
        block.verify()
        return block

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        blocks = self.inner.get_many(cids)
        for block in blocks:
            if block is not None:
                block.verify()
        return blocks

    def has(self, cid: CID) -> bool:
        return self.inner.has(cid)

    def has_many(self, cids: Sequence[CID]) -> list[bool]:
        return self.inner.has_many(cids)

    def size(self, cid: CID) -> int | None:
        return self.inner.size(cid)

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        return self.inner.sizes(cids)

    def put(self, block: Block) -> None:
        block.verify()
        self.inner.put(block)

    def put_many(self, blocks: Iterable[Block]) -> None:
        batch = list(blocks)
        for block in batch:
            block.verify()
        self.inner.put_many(batch)

    def delete(self, cid: CID) -> bool:
        return self.inner.delete(cid)

    def multihashes(self) -> Iterator[bytes]:
        return self.inner.multihashes()

    def __len__(self) -> int:
        return len(self.inner)

    def __bool__(self) -> bool:
        return True

    def flush(self) -> None:
        self.inner.flush()

    def close(self) -> None:
        self.inner.close()

    def __enter__(self) -> VerifyingBlockstore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
