"""LMDB environments: opened once a process, shared, grown when full."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from bitswap.blockstore.errors import StoreError, StoreFull
from bitswap.blockstore.sharedlock import SharedLock
from bitswap.errors import Closed, UsageError
from bitswap.options import StoreOptions

T = TypeVar("T")

FORMAT_KEY = b"format"
FORMAT = b"1"
"""What the store's files hold; another number means other databases or other records in them."""
DATA_FILE = "data.mdb"
_ROUNDS = 64  # doublings of a map before something else must be wrong
_WORTH_ASKING = 1 << 20  # bytes of a transaction that is worth asking first whether the map has room for
_SPARE_READS = 8  # finished read transactions that are kept for reuse


class Environment:
    """One open LMDB environment and the two databases in it.

    LMDB allows one map a process and must not replace it under a running transaction: transactions share
    `_map`, growing and closing take it alone.
    """

    def __init__(self, path: Path, options: StoreOptions) -> None:
        self.path = path
        self.options = options
        self.users = 0
        self._map = SharedLock()
        self._map_bytes = 0
        self._env: lmdb.Environment | None = lmdb.open(
            str(path),
            map_size=options.map_bytes,
            max_dbs=2,
            max_readers=options.max_readers,
            max_spare_txns=_SPARE_READS,
            metasync=options.durability == "full",
            sync=options.durability != "none",
        )
        try:
            self._env.reader_check()
            self._open_databases(self._env)
            self._map_bytes = int(self._env.info()["map_size"])
        except BaseException:
            self._env.close()
            raise

    def _open_databases(self, env: lmdb.Environment) -> None:
        """Open or create all in one transaction, so that no half of a new store is ever seen."""
        with env.begin(write=True) as txn:
            found = txn.get(FORMAT_KEY)
            if found is None and txn.stat()["entries"]:
                raise UsageError(f"{self.path} is an LMDB database of something else than blocks")
            if found not in (None, FORMAT):
                raise UsageError(
                    f"{self.path} is a store of format {found.decode('ascii', 'replace')!r}; "
                    f"this version reads format {FORMAT.decode()!r}"
                )
            self.index = env.open_db(b"blocks", txn=txn)
            self.large = env.open_db(b"large", txn=txn)
            if found is None:
                txn.put(FORMAT_KEY, FORMAT)

    @contextmanager
    def _open(self) -> Iterator[lmdb.Environment]:
        with self._map.shared():
            if self._env is None:
                raise Closed("the store is closed")
            yield self._env

    def read(self, work: Callable[[Any], T]) -> T:
        """Run `work` on a read transaction whose values are views; what it returns must not hold any."""

        def attempt(env: lmdb.Environment) -> T:
            with env.begin(buffers=True) as txn:
                return work(txn)

        return self._attempt(attempt, 0)

    def write(self, work: Callable[[Any], T], expected: int = 0) -> T:
        """Run `work` on a write transaction and commit it; again on a larger map when it does not fit.

        `expected` is about how many bytes it adds.
        """

        def attempt(env: lmdb.Environment) -> T:
            with env.begin(write=True) as txn:
                return work(txn)

        if expected > _WORTH_ASKING:
            self._make_room(expected)
        return self._attempt(attempt, expected)

    def _attempt(self, attempt: Callable[[lmdb.Environment], T], expected: int) -> T:
        for _ in range(_ROUNDS):
            size = 0
            try:
                with self._open() as env:
                    size = self._map_bytes
                    return attempt(env)
            except lmdb.MapFullError:
                self._grow(size, expected)
            except lmdb.MapResizedError:
                # Another process has grown it.
                self._resize(0)
            except lmdb.ReadersFullError:
                raise StoreError(
                    f"{self.path} is read by {self.options.max_readers} threads and processes already"
                ) from None
            except lmdb.Error as error:
                raise StoreError(f"{self.path}: {error}") from error
        raise StoreError(f"{self.path}: the map stays too small however often it is doubled")

    def _make_room(self, expected: int) -> None:
        """Grow the map beforehand, rather than write much of a transaction and then do it again."""
        with self._open() as env:
            size = self._map_bytes
            used = (int(env.info()["last_pgno"]) + 1) * int(env.stat()["psize"])
        limit = self.options.max_bytes
        if used + expected + expected // 8 > size and (limit is None or size < limit):
            self._grow(size, expected)

    def _grow(self, size: int, expected: int) -> None:
        """Make the map larger than `size`, unless another thread has."""
        with self._open() as env:
            # A reader that was killed keeps freed pages from being used.
            if env.reader_check():
                return
        limit = self.options.max_bytes
        wanted = max(2 * size, size + 2 * expected)
        # In whole MiB, of which every page size is a divisor.
        wanted = (wanted + 0xFFFFF) & ~0xFFFFF
        if limit is not None and wanted > limit:
            wanted = limit
            if size >= limit:
                raise StoreFull(f"{self.path} may hold {limit} bytes at most, and they are used")
        self._resize(wanted)

    def _resize(self, size: int) -> None:
        with self._map.alone():
            if self._env is None:
                raise Closed("the store is closed")
            if 0 < size <= self._map_bytes:
                return
            try:
                self._env.set_mapsize(size)
                self._map_bytes = int(self._env.info()["map_size"])
            except lmdb.Error as error:
                raise StoreError(f"{self.path}: its map cannot have {size} bytes: {error}") from error

    def flush(self) -> None:
        """Have the disk hold what was stored, in every mode of durability."""
        try:
            with self._open() as env:
                env.sync(True)
        except lmdb.Error as error:
            raise StoreError(f"{self.path}: {error}") from error

    def close(self) -> None:
        with self._map.alone():
            env, self._env = self._env, None
            if env is not None:
                try:
                    env.sync(True)
                finally:
                    env.close()


_shared: dict[object, Environment] = {}
_shared_lock = threading.Lock()


def acquire(path: Path, options: StoreOptions) -> Environment:
    """The environment at `path`, shared with all in this process who have it open; raises UsageError."""
    with _shared_lock:
        try:
            path.mkdir(parents=True, exist_ok=True)
            environment = _shared.get(_identity(path))
            if environment is None:
                environment = Environment(path, options)
                _shared[_identity(path)] = environment
            elif environment.options != options:
                raise UsageError(f"{path} is already open in this process, with other options")
        except (lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.CorruptedError) as error:
            raise UsageError(f"{path} is not a store of blocks: {error}") from error
        except (lmdb.Error, OSError) as error:
            if isinstance(error, StoreError):
                raise
            raise UsageError(f"a store at {path} cannot be opened: {_reason(error)}") from error
        environment.users += 1
        return environment


def release(environment: Environment) -> None:
    """Give back what `acquire` gave; the last one closes it."""
    with _shared_lock:
        environment.users -= 1
        if environment.users:
            return
        for key in [key for key, value in _shared.items() if value is environment]:
            del _shared[key]
        environment.close()


def _identity(path: Path) -> object:
    """What two paths to one data file have in common; None before there is one."""
    try:
        stat = os.stat(path / DATA_FILE)
    except FileNotFoundError:
        return None
    # Some file systems of Windows number no files.
    return (stat.st_dev, stat.st_ino) if stat.st_ino else os.path.normcase(os.path.realpath(path))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    # LMDB's own text begins with the path.
    return str(error).rpartition(": ")[2]
