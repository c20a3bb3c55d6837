"""Blocks in a dictionary."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from bitswap.block import Block
from bitswap.blockstore.errors import StoreFull
from bitswap.blockstore.inline import inline
from bitswap.cid import CID
from bitswap.errors import Closed, NotFound, UsageError


class MemoryBlockstore:
    """A Blockstore that lives and dies with the process.

    With `max_bytes` (data alone is counted) a put that would exceed it raises StoreFull and stores nothing.
    """

    def __init__(self, max_bytes: int | None = None) -> None:
        if max_bytes is not None and max_bytes < 0:
            raise UsageError(f"max_bytes is not negative, as {max_bytes} is")
        self._max_bytes = max_bytes
        self._bytes = 0
        self._closed = False
        # Guards changes; a look-up in a dictionary needs no lock.
        self._lock = threading.Lock()
        self._blocks: dict[bytes, bytes] = {}

    def get(self, cid: CID) -> Block:
        data = self._find(cid)
        if data is None:
            raise NotFound(f"{cid} is not in the store", missing=[cid])
        return Block(cid, data)

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        found = [self._find(cid) for cid in cids]
        return [None if data is None else Block(cid, data) for cid, data in zip(cids, found, strict=True)]

    def has(self, cid: CID) -> bool:
        return self._find(cid) is not None

    def has_many(self, cids: Sequence[CID]) -> list[bool]:
        return [self._find(cid) is not None for cid in cids]

    def size(self, cid: CID) -> int | None:
        data = self._find(cid)
        return None if data is None else len(data)

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        return [self.size(cid) for cid in cids]

    def put(self, block: Block) -> None:
        self.put_many((block,))

    def put_many(self, blocks: Iterable[Block]) -> None:
        wanted = {block.cid.multihash: block.data for block in blocks}
        with self._lock:
            self._check_open()
            known = self._blocks
            new = {key: bytes(data) for key, data in wanted.items() if key[0] and key not in known}
            total = self._bytes + sum(map(len, new.values()))
            if self._max_bytes is not None and total > self._max_bytes:
                raise StoreFull(f"the store holds {self._max_bytes} bytes at most, {total} would be needed")
            known.update(new)
            self._bytes = total

    def delete(self, cid: CID) -> bool:
        with self._lock:
            self._check_open()
            data = self._blocks.pop(cid.multihash, None)
            if data is None:
                return False
            self._bytes -= len(data)
            return True

    def multihashes(self) -> Iterator[bytes]:
        """A snapshot."""
        with self._lock:
            self._check_open()
            return iter(list(self._blocks))

    def __len__(self) -> int:
        self._check_open()
        return len(self._blocks)

    def __bool__(self) -> bool:
        # An empty store is a store.
        return True

    def flush(self) -> None:
        self._check_open()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._blocks = {}
            self._bytes = 0

    def __enter__(self) -> MemoryBlockstore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _find(self, cid: CID) -> bytes | None:
        if self._closed:
            self._check_open()
        key = cid.multihash
        return self._blocks.get(key) if key[0] else inline(key)

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("the store is closed")


def waits_for_nothing(store: object) -> bool:
    """Whether no look-up in `store` ever waits, neither for a disk nor for a lock; a subclass may well."""
    return type(store) is MemoryBlockstore
