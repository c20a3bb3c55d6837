"""Blocks in LMDB: a map of the file, one writer, any number of readers, safe after kill -9.

Database `blocks` holds a record for every multihash: 0x00 and the data of a small block, or 0x01 and the
length (8 bytes, low end first) of a large one, whose data is in database `large`. So presence and size cost a
look-up in one B-tree and never read a large block. The unnamed database holds the format's number.

The map is address space: on Linux, macOS and Windows the file grows as blocks come. `lmdb` releases the
interpreter lock at every record, so a thread that computes all the time slows down a store of small blocks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from bitswap.block import Block
from bitswap.blockstore import environment
from bitswap.blockstore.errors import StoreError
from bitswap.blockstore.inline import inline
from bitswap.cid import CID
from bitswap.errors import Closed, NotFound, UsageError
from bitswap.options import StoreOptions

MAX_KEY = 511
"""Bytes of the longest key of LMDB; only identity multihashes are longer, and they are never stored."""
SMALL = 1900
"""Bytes of data up to which a record fits a B-tree leaf (two to a page of 4 KiB)."""
_KEYS_AT_ONCE = 1024  # multihashes read in one transaction
_SMALL = 0x00
_LARGE = 0x01
_SMALL_TAG = bytes((_SMALL,))
_LARGE_TAG = bytes((_LARGE,))


class LMDBBlockstore:
    """A Blockstore in a directory, which is made if it is not there.

    Several may be open on one path in a process (they share the map, so their options must be equal), and
    several processes may. Raises UsageError when there can be no store at `path`, StoreError when the disk
    fails, StoreFull at `StoreOptions.max_bytes`.
    """

    def __init__(self, path: str | os.PathLike[str], options: StoreOptions | None = None) -> None:
        self.path = Path(path)
        self._options = options or StoreOptions()
        self._shared: environment.Environment | None = environment.acquire(self.path, self._options)

    def get(self, cid: CID) -> Block:
        block = self.get_many((cid,))[0]
        if block is None:
            raise NotFound(f"{cid} is not in the store", missing=[cid])
        return block

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        env = self._environment
        keys = [cid.multihash for cid in cids]

        def work(txn: Any) -> list[bytes | None]:
            return [_read(txn, env, key) for key in keys]

        found = env.read(work)
        return [None if data is None else Block(cid, data) for cid, data in zip(cids, found, strict=True)]

    def has(self, cid: CID) -> bool:
        return self.sizes((cid,))[0] is not None

    def has_many(self, cids: Sequence[CID]) -> list[bool]:
        return [size is not None for size in self.sizes(cids)]

    def size(self, cid: CID) -> int | None:
        return self.sizes((cid,))[0]

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        env = self._environment
        keys = [cid.multihash for cid in cids]

        def work(txn: Any) -> list[int | None]:
            return [_size(txn, env, key) for key in keys]

        return env.read(work)

    def put(self, block: Block) -> None:
        self.put_many((block,))

    def put_many(self, blocks: Iterable[Block]) -> None:
        """Store all in one transaction, or in several where it is more than `transaction_bytes`."""
        env = self._environment
        limit = self._options.transaction_bytes
        batch = _Batch()
        for block in blocks:
            batch.add(block)
            if batch.bytes >= limit:
                batch.store(env)
                batch = _Batch()
        batch.store(env)

    def delete(self, cid: CID) -> bool:
        env = self._environment
        key = cid.multihash
        if not key[0] or len(key) > MAX_KEY:
            return False

        def work(txn: Any) -> bool:
            txn.delete(key, db=env.large)
            return bool(txn.delete(key, db=env.index))

        return env.write(work)

    def multihashes(self) -> Iterator[bytes]:
        """A live view, in order of the bytes; blocks stored or deleted meanwhile may or may not be seen."""
        keys = [b""]
        while keys := self._environment.read(partial(_keys_after, self._environment, keys[-1])):
            yield from keys

    def __len__(self) -> int:
        env = self._environment
        return env.read(lambda txn: int(txn.stat(env.index)["entries"]))

    def __bool__(self) -> bool:
        # An empty store is a store.
        return True

    def flush(self) -> None:
        self._environment.flush()

    def close(self) -> None:
        env, self._shared = self._shared, None
        if env is not None:
            environment.release(env)

    def __enter__(self) -> LMDBBlockstore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _environment(self) -> environment.Environment:
        env = self._shared
        if env is None:
            raise Closed("the store is closed")
        return env


class _Batch:
    """Records of one write transaction."""

    def __init__(self) -> None:
        self.bytes = 0
        self._records: list[tuple[bytes, bytes]] = []
        self._large: list[tuple[bytes, bytes]] = []

    def add(self, block: Block) -> None:
        key = block.cid.multihash
        if not key[0]:
            return
        if len(key) > MAX_KEY:
            raise UsageError(f"a multihash of {len(key)} bytes is too long for the store ({MAX_KEY} at most)")
        data = block.data
        if len(data) <= SMALL:
            self._records.append((key, _SMALL_TAG + data))
        else:
            self._records.append((key, _LARGE_TAG + len(data).to_bytes(8, "little")))
            self._large.append((key, data))
        self.bytes += len(key) + len(data)

    def store(self, env: environment.Environment) -> None:
        if self._records:
            env.write(lambda txn: self._put(txn, env), self.bytes)

    def _put(self, txn: Any, env: environment.Environment) -> None:
        for records, database in ((self._records, env.index), (self._large, env.large)):
            with txn.cursor(database) as cursor:
                cursor.putmulti(records, overwrite=False)


def _read(txn: Any, env: environment.Environment, key: bytes) -> bytes | None:
    """The data under a multihash, or None."""
    if not key[0]:
        return inline(key)
    record = txn.get(key, db=env.index) if len(key) <= MAX_KEY else None
    if record is None:
        return None
    if record[0] == _SMALL:
        return bytes(record[1:])
    data = txn.get(key, db=env.large)
    if data is None:
        raise StoreError(f"{env.path} is damaged: block {key.hex()} has a length and no data")
    return bytes(data)


def _size(txn: Any, env: environment.Environment, key: bytes) -> int | None:
    """Bytes of the data under a multihash, or None."""
    if not key[0]:
        return len(inline(key) or b"")
    record = txn.get(key, db=env.index) if len(key) <= MAX_KEY else None
    if record is None:
        return None
    return len(record) - 1 if record[0] == _SMALL else int.from_bytes(record[1:], "little")


def _keys_after(env: environment.Environment, last: bytes, txn: Any) -> list[bytes]:
    """Some multihashes that follow `last` in the order of bytes."""
    with txn.cursor(env.index) as cursor:
        if not (cursor.set_range(last) if last else cursor.first()):
            return []
        keys = map(bytes, cursor.iternext(keys=True, values=False))
        return list(islice((key for key in keys if key != last), _KEYS_AT_ONCE))
