"""What stands in for a store and a network in the tests of graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.errors import NotFound
from bitswap.multihash import IDENTITY


class DictStore:
    """A blockstore in a dict that remembers how it was written to."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.batches: list[tuple[int, int]] = []
        self.cids: dict[CID, int] = {}

    def get(self, cid: CID) -> Block:
        block = self.get_many([cid])[0]
        if block is None:
            raise NotFound(f"{cid} is not here", missing=[cid])
        return block

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        return [self._find(cid) for cid in cids]

    def _find(self, cid: CID) -> Block | None:
        data = cid.digest if cid.hash_code == IDENTITY else self.data.get(cid.multihash)
        return None if data is None else Block(cid, data)

    def has(self, cid: CID) -> bool:
        return self._find(cid) is not None

    def has_many(self, cids: Sequence[CID]) -> list[bool]:
        return [self.has(cid) for cid in cids]

    def size(self, cid: CID) -> int | None:
        block = self._find(cid)
        return None if block is None else len(block.data)

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        return [self.size(cid) for cid in cids]

    def put(self, block: Block) -> None:
        self.put_many([block])

    def put_many(self, blocks: Iterable[Block]) -> None:
        blocks = list(blocks)
        self.batches.append((len(blocks), sum(len(block.data) for block in blocks)))
        for block in blocks:
            self.data[block.cid.multihash] = block.data
            self.cids[block.cid] = len(block.data)

    def delete(self, cid: CID) -> bool:
        return self.data.pop(cid.multihash, None) is not None

    def multihashes(self) -> Iterator[bytes]:
        return iter(list(self.data))

    def __len__(self) -> int:
        return len(self.data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass
