"""The store in LMDB: what stays, how it grows, and where it can not be."""

from __future__ import annotations

import os
import random
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

from bitswap.block import Block
from bitswap.blockstore import LMDBBlockstore, StoreError, StoreFull, environment
from bitswap.cid import CID, RAW
from bitswap.errors import Closed, NotFound, UsageError
from bitswap.options import MIB, StoreOptions


def made(number: int, size: int) -> Block:
    return Block.of(random.Random(number).randbytes(size))


@pytest.mark.parametrize("durability", ["full", "ordered", "none"])
def test_what_was_put_is_there_after_reopening(tmp_path: Path, durability: str) -> None:
    batch = [made(i, size) for i, size in enumerate((0, 10, 1900, 1901, 300_000))]
    with LMDBBlockstore(tmp_path / "a" / "b", StoreOptions(durability=durability)) as store:
        store.put_many(batch)
        store.flush()
    with LMDBBlockstore(tmp_path / "a" / "b") as store:
        assert [b and b.data for b in store.get_many([block.cid for block in batch])] == [
            b.data for b in batch
        ]
        assert len(store) == len(batch)


def test_the_map_grows_with_the_blocks(tmp_path: Path) -> None:
    with LMDBBlockstore(tmp_path, StoreOptions(map_bytes=MIB)) as store:
        for start in range(0, 60, 20):
            store.put_many(made(i, 100_000) for i in range(start, start + 20))
        for start in range(60, 6060, 1000):
            store.put_many(made(i, 500) for i in range(start, start + 1000))
        assert len(store) == 6060
        assert store.get(made(59, 100_000).cid).data == made(59, 100_000).data


def test_a_block_larger_than_the_map(tmp_path: Path) -> None:
    block = made(1, 5 * MIB)
    with LMDBBlockstore(tmp_path, StoreOptions(map_bytes=MIB)) as store:
        store.put(block)
        assert store.get(block.cid).data == block.data


def test_a_full_store_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    options = StoreOptions(map_bytes=MIB, max_bytes=2 * MIB)
    with LMDBBlockstore(tmp_path, options) as store:
        kept = [made(i, 100_000) for i in range(15)]
        store.put_many(kept)
        for wanted in ([made(i, 100_000) for i in range(20, 30)], [made(99, 3 * MIB)]):
            with pytest.raises(StoreFull, match=str(2 * MIB)):
                store.put_many(wanted)
            assert store.has_many([block.cid for block in wanted]) == [False] * len(wanted)
        assert store.get_many([block.cid for block in kept]) == kept
        for block in kept[:10]:
            store.delete(block.cid)
        store.put(made(20, 100_000))
    with LMDBBlockstore(tmp_path, options) as store:
        assert len(store) == 6
        assert (tmp_path / "data.mdb").stat().st_size <= 2 * MIB


def test_large_batches_are_split(tmp_path: Path) -> None:
    """Each transaction has a bounded size, and what fitted before an error stays."""

    def batch() -> object:
        for i in range(10):
            yield made(i, 50_000)
        raise InterruptedError

    with LMDBBlockstore(tmp_path, StoreOptions(transaction_bytes=100_000)) as store:
        with pytest.raises(InterruptedError):
            store.put_many(batch())  # type: ignore[arg-type]
        assert len(store) == 10
    with LMDBBlockstore(tmp_path) as store:
        assert len(store) == 10
        with pytest.raises(InterruptedError):
            store.put_many(batch())  # type: ignore[arg-type]


def test_sizes_do_not_need_the_data(tmp_path: Path) -> None:
    block = made(1, 300_000)
    with LMDBBlockstore(tmp_path) as store:
        store.put(block)
    with lmdb.open(str(tmp_path), max_dbs=2) as env:
        large = env.open_db(b"large", create=False)
        with env.begin(write=True) as txn:
            assert txn.delete(block.cid.multihash, db=large)
    with LMDBBlockstore(tmp_path) as store:
        assert store.sizes([block.cid]) == [300_000]
        with pytest.raises(StoreError, match="damaged"):
            store.get(block.cid)


def test_a_multihash_that_is_no_key(tmp_path: Path) -> None:
    with LMDBBlockstore(tmp_path) as store:
        longest = Block(CID.v1(RAW, bytes.fromhex("12fc03") + bytes(508)), b"data")
        store.put(longest)
        assert store.get(longest.cid).data == b"data"
        with pytest.raises(UsageError, match="512 bytes"):
            store.put(Block(CID.v1(RAW, bytes.fromhex("12fd03") + bytes(509)), b"data"))


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege")
def test_two_handles_on_one_path_share_it(tmp_path: Path) -> None:
    block = made(1, 10)
    (tmp_path / "link").symlink_to(tmp_path / "blocks", target_is_directory=True)
    one, other = LMDBBlockstore(tmp_path / "blocks"), LMDBBlockstore(str(tmp_path / "link"))
    one.put(block)
    assert other.get(block.cid).data == block.data
    one.close()
    with pytest.raises(Closed):
        one.get(block.cid)
    assert other.has(block.cid)
    with pytest.raises(UsageError, match="other options"):
        LMDBBlockstore(tmp_path / "blocks", StoreOptions(durability="full"))
    assert other.has(block.cid)
    other.close()
    with LMDBBlockstore(tmp_path / "blocks", StoreOptions(durability="full")) as again:
        assert again.has(block.cid)


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be moved")
def test_a_store_made_anew_at_the_path_of_an_open_one_is_another(tmp_path: Path) -> None:
    block = made(1, 10)
    with LMDBBlockstore(tmp_path / "blocks") as old:
        old.put(block)
        shutil.move(tmp_path / "blocks", tmp_path / "moved")
        with LMDBBlockstore(tmp_path / "blocks") as new, LMDBBlockstore(tmp_path / "moved") as moved:
            assert not new.has(block.cid)
            assert moved.has(block.cid)
        assert old.has(block.cid)


@pytest.mark.timeout(60)
def test_many_threads_open_and_close_one_path(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(20):
                with LMDBBlockstore(tmp_path / "blocks") as store:
                    store.put(made(number * 100 + i, 10))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with LMDBBlockstore(tmp_path / "blocks") as store:
        assert len(store) == 120
    assert environment._shared == {}


@pytest.mark.timeout(60)
def test_closing_under_readers_and_writers(tmp_path: Path) -> None:
    """Whoever is inside finishes; whoever comes after is told that the store is closed."""
    store = LMDBBlockstore(tmp_path, StoreOptions(map_bytes=MIB))
    known = made(1, 5000)
    store.put(known)
    started = threading.Barrier(5)
    ends: list[object] = []

    def use(call: Callable[[], object]) -> None:
        started.wait()
        try:
            while True:
                call()
        except Closed as error:
            ends.append(error)
        except BaseException as error:
            ends.append(f"failed: {error!r}")

    numbers = iter(range(10, 1_000_000))
    calls: list[Callable[[], object]] = [
        lambda: store.get(known.cid),
        lambda: store.sizes([known.cid] * 50),
        lambda: list(store.multihashes()),
        lambda: store.put(made(next(numbers), 20_000)),
    ]
    threads = [threading.Thread(target=use, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    started.wait()
    store.get(known.cid)
    store.close()
    for thread in threads:
        thread.join()
    assert [type(end) for end in ends] == [Closed] * 4
    with LMDBBlockstore(tmp_path) as again:
        for key in again.multihashes():
            again.get(CID.v1(RAW, key)).verify()


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="cannot be opened"):
            LMDBBlockstore(path)


def test_a_database_of_something_else(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path)) as env, env.begin(write=True) as txn:
        txn.put(b"key", b"value")
    with pytest.raises(UsageError, match="something else"):
        LMDBBlockstore(tmp_path)


def test_a_format_of_the_future(tmp_path: Path) -> None:
    LMDBBlockstore(tmp_path).close()
    with lmdb.open(str(tmp_path), max_dbs=2) as env, env.begin(write=True) as txn:
        assert txn.get(environment.FORMAT_KEY) == environment.FORMAT
        txn.put(environment.FORMAT_KEY, b"2")
    with pytest.raises(UsageError, match="format '2'"):
        LMDBBlockstore(tmp_path)


@pytest.mark.parametrize("content", [b"not a database " * 1000, bytes(8192)])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises(UsageError, match=str(tmp_path)):
        LMDBBlockstore(tmp_path)
    assert (tmp_path / "data.mdb").read_bytes() == content


def test_failed_openings_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"not a database " * 1000)
    with pytest.raises(UsageError):
        LMDBBlockstore(tmp_path)
    (tmp_path / "data.mdb").unlink()
    with LMDBBlockstore(tmp_path) as store:
        store.put(made(1, 10))
    assert environment._shared == {}


def test_more_readers_than_the_table_has(tmp_path: Path) -> None:
    block = made(1, 10)
    with LMDBBlockstore(tmp_path, StoreOptions(max_readers=1)) as store:
        store.put(block)

        def inside(txn: object) -> None:
            with pytest.raises(StoreError, match="read by 1"):
                store.get(block.cid)

        store._environment.read(inside)
        assert store.get(block.cid).data == block.data


def test_names_no_path_that_is_not_there(tmp_path: Path) -> None:
    with LMDBBlockstore(os.fspath(tmp_path)) as store, pytest.raises(NotFound) as caught:
        store.get(made(1, 10).cid)
    assert str(made(1, 10).cid) in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"durability": "perhaps"},
        {"map_bytes": 0},
        {"map_bytes": MIB, "max_bytes": MIB - 1},
        {"transaction_bytes": 0},
        {"max_readers": 0},
        {"max_readers": 10**6},
    ],
)
def test_options_out_of_range(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        StoreOptions(**options)  # type: ignore[arg-type]
