"""The store between processes: killed writers, growth by another, disks that refuse."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitswap.block import Block
from bitswap.blockstore import LMDBBlockstore
from bitswap.cid import CID, RAW
from bitswap.options import MIB, StoreOptions
from tests.blockstore.children import child

SMALL_MAP = StoreOptions(map_bytes=MIB)


def made(number: int, size: int) -> Block:
    return Block.of(random.Random(number).randbytes(size))


def verified(store: LMDBBlockstore) -> set[CID]:
    """The CIDs of all blocks, each of which is what its CID names and as long as the store says."""
    cids = [CID.v1(RAW, key) for key in store.multihashes()]
    for block, size in zip(store.get_many(cids), store.sizes(cids), strict=True):
        assert block is not None
        assert len(block) == size
        block.verify()
    assert len(store) == len(cids)
    return set(cids)


PUT_FOREVER = """
number = 0
with LMDBBlockstore(path, StoreOptions(map_bytes=MIB, durability=sys.argv[2])) as store:
    while True:
        batch = [made(number + i, 3 ** (i % 11)) for i in range(40)]
        store.put_many(batch)
        number += 40
        say(number)
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("durability", ["ordered", "none"])
def test_killed_in_the_middle_of_a_put(tmp_path: Path, durability: str) -> None:
    """Whatever was said to be stored is there, whole; what was being stored may be, whole."""
    with child(PUT_FOREVER, tmp_path, durability) as writer:
        for _ in range(10):
            told = int(writer.hear())
        # It is in its next put, or about to be.
        writer.process.kill()
    with LMDBBlockstore(tmp_path) as store:
        found = verified(store)
        assert {made(i, 3 ** (i % 40 % 11)).cid for i in range(told)} <= found
        # The dead writer's lock is nobody's.
        store.put(made(-1, 5000))
        assert store.get(made(-1, 5000).cid).data == made(-1, 5000).data


KILLED_INSIDE = """
import itertools
store = LMDBBlockstore(path, StoreOptions(durability=sys.argv[2]))
store.put_many(made(i, 5000) for i in range(20))

def batch(txn):
    # Inside the transaction: everything is written, nothing committed.
    for i in range(100, 150):
        block = made(i, 5000)
        txn.put(block.cid.multihash, b"\\x01" + (5000).to_bytes(8, "little"), db=env.index)
        txn.put(block.cid.multihash, block.data, db=env.large)
    say("inside")
    sys.stdin.readline()

env = store._environment
env.write(batch)
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("durability", ["full", "ordered", "none"])
def test_killed_inside_a_transaction(tmp_path: Path, durability: str) -> None:
    with child(KILLED_INSIDE, tmp_path, durability) as writer:
        assert writer.hear() == "inside"
        writer.process.kill()
    with LMDBBlockstore(tmp_path) as store:
        assert verified(store) == {made(i, 5000).cid for i in range(20)}
        store.put_many(made(i, 5000) for i in range(100, 150))
        assert len(verified(store)) == 70


GROW = """
with LMDBBlockstore(path, StoreOptions(map_bytes=MIB)) as store:
    say("open")
    for line in sys.stdin:
        first, count, size = map(int, line.split())
        store.put_many(made(i, size) for i in range(first, first + count))
        say(len(store))
"""


@pytest.mark.timeout(60)
def test_another_process_makes_the_store_larger(tmp_path: Path) -> None:
    with LMDBBlockstore(tmp_path, SMALL_MAP) as store:
        store.put(made(1, 100))
        with child(GROW, tmp_path) as other:
            assert other.hear() == "open"
            other.tell("10 100 100000")
            assert other.hear() == "101"
            # Ours is the smaller map now, for reading and for writing.
            assert store.get(made(50, 100_000).cid).data == made(50, 100_000).data
            store.put_many(made(i, 100_000) for i in range(200, 400))
            other.tell("500 100 100000")
            assert other.hear() == "401"
            store.put(made(2, 100))
            other.tell("600 1 1")
            assert other.hear() == "403"
        assert len(verified(store)) == 403


@pytest.mark.timeout(60)
def test_two_processes_write_at_once(tmp_path: Path) -> None:
    with LMDBBlockstore(tmp_path, SMALL_MAP) as store:
        with child(GROW, tmp_path) as other:
            assert other.hear() == "open"
            for turn in range(5):
                other.tell(f"{turn * 1000} 200 3000")
                store.put_many(made(turn * 1000 + i, 3000) for i in range(100, 300))
                other.hear()
        assert verified(store) == {made(turn * 1000 + i, 3000).cid for turn in range(5) for i in range(300)}


READ_FOREVER = """
store = LMDBBlockstore(path, StoreOptions(map_bytes=MIB, max_bytes=2 * MIB))

def inside(txn):
    say("inside")
    sys.stdin.readline()

store._environment.read(inside)
"""


@pytest.mark.timeout(60)
def test_a_killed_reader_does_not_keep_pages(tmp_path: Path) -> None:
    """LMDB keeps what a reader may see; one that is dead sees nothing."""
    options = StoreOptions(map_bytes=MIB, max_bytes=2 * MIB, durability="none")
    with LMDBBlockstore(tmp_path, options) as store:
        store.put(made(0, 100_000))
        with child(READ_FOREVER, tmp_path) as reader:
            assert reader.hear() == "inside"
            reader.process.kill()
            reader.process.wait()
            for i in range(1, 40):
                store.put(made(i, 100_000))
                store.delete(made(i - 1, 100_000).cid)
        assert verified(store) == {made(39, 100_000).cid}


NO_ROOM = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = LMDBBlockstore(path)
store.put_many(made(i, 5000) for i in range(20))
resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        store.put_many(made(i, 50_000) for i in range(100, 150))
    except StoreError as error:
        assert str(path) in str(error), error
        say("refused")
assert store.get(made(7, 5000).cid).data == made(7, 5000).data
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.put_many(made(i, 50_000) for i in range(100, 110))
store.close()
say("closed")
"""


@pytest.mark.timeout(60)
@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are those of POSIX")
def test_a_disk_without_room(tmp_path: Path) -> None:
    with child(NO_ROOM, tmp_path) as writer:
        assert [writer.hear() for _ in range(3)] == ["refused", "refused", "closed"]
        writer.finish()
    with LMDBBlockstore(tmp_path) as store:
        assert len(verified(store)) == 30


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that other users can reach, as those of pytest cannot be."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


NO_PERMISSION = """
import lmdb
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    LMDBBlockstore(path)
except UsageError as error:
    assert str(path) in str(error), error
    say(error)
"""


@pytest.mark.timeout(60)
@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are those of POSIX")
@pytest.mark.parametrize("kind", ["new", "read-only"])
def test_a_place_without_permission(place: Path, kind: str) -> None:
    store = place / "blocks"
    if kind == "read-only":
        LMDBBlockstore(store).close()
        for file in store.iterdir():
            file.chmod(0o444)
        store.chmod(0o555)
    place.chmod(0o555)
    try:
        with child(NO_PERMISSION, store) as visitor:
            assert "ermission denied" in visitor.hear()
            visitor.finish()
    finally:
        place.chmod(0o755)
        if store.exists():
            store.chmod(0o755)
