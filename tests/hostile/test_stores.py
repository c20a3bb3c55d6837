"""Stores that are full, fail, are slow, raise what nobody expects, or say what cannot be."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from bitswap import Bitswap, Options
from bitswap.block import Block
from bitswap.blockstore import Blockstore, LMDBBlockstore, MemoryBlockstore
from bitswap.blockstore.errors import StoreFull
from bitswap.cid import CID
from bitswap.client import Client
from bitswap.errors import BitswapError, NotFound
from bitswap.message import Message
from bitswap.options import KIB, MIB, ClientOptions, StoreOptions
from bitswap.testnet.loopback import LoopbackHub

pytestmark = pytest.mark.timeout(60)

WAIT = 20.0
CALM = Options(client=ClientOptions(dont_have_timeout=1.0))


class Panic(BaseException):
    """What compiled code may raise: no Exception."""


class OddStore(MemoryBlockstore):
    """A store whose reads and writes do what the test says first."""

    def __init__(self) -> None:
        super().__init__()
        self.on_read: Callable[[Sequence[CID]], None] = lambda cids: None
        self.on_write: Callable[[], None] = lambda: None
        self.change: Callable[[list[Block | None]], list[Block | None]] = lambda found: found
        self.change_sizes: Callable[[list[int | None]], list[int | None]] = lambda found: found

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        self.on_read(cids)
        return self.change(super().get_many(cids))

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        self.on_read(cids)
        return self.change_sizes(super().sizes(cids))

    def put_many(self, blocks: Iterable[Block]) -> None:
        self.on_write()
        super().put_many(blocks)


@contextmanager
def trio(store: Blockstore) -> Iterator[tuple[Bitswap, Bitswap, Bitswap]]:
    """A node with that store, and two with good ones, all connected to each other."""
    with (
        LoopbackHub() as hub,
        Bitswap(hub.network("odd"), store, CALM) as odd,
        Bitswap(hub.network("good"), MemoryBlockstore(), CALM) as good,
        Bitswap(hub.network("other"), MemoryBlockstore(), CALM) as other,
    ):
        odd.connect("/loopback/good")
        other.connect("/loopback/good")
        other.connect("/loopback/odd")
        yield odd, good, other


def some(count: int, size: int = 100) -> list[Block]:
    return [Block.of(os.urandom(size)) for _ in range(count)]


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_and_nothing_fetched_is_lost() -> None:
    store = OddStore()
    with trio(store) as (odd, good, other):
        blocks = some(40)
        good.add_blocks(blocks)
        store.on_write = full
        with odd.getter() as getter:
            getter.want(block.cid for block in blocks)
            for _ in range(3):
                with pytest.raises(OSError, match="No space left") as caught:
                    getter.take(WAIT)
                assert caught.value.errno == errno.ENOSPC
            assert getter.outstanding == len(blocks)
            # Others are served by it as before, and it serves nothing that it could not keep.
            assert list(odd.store.multihashes()) == []
            store.on_write = lambda: None
            got: list[Block] = []
            while getter.outstanding:
                got += getter.take(WAIT)
        assert sorted(got, key=lambda block: block.cid) == sorted(blocks, key=lambda block: block.cid)
        assert all(odd.store.has_many([block.cid for block in blocks]))
        assert {block.cid for block in other.get_blocks([block.cid for block in blocks], WAIT)}


def test_a_full_disk_ends_a_call_with_the_systems_error() -> None:
    store = OddStore()
    with trio(store) as (odd, good, other):
        block = some(1)[0]
        good.add_block(block)
        store.on_write = full
        with pytest.raises(OSError, match="No space left"):
            odd.get_block(block.cid, WAIT)
        with pytest.raises(OSError, match="No space left"):
            odd.add_block(block)
        assert odd.wantlist() == []
        assert other.get_block(block.cid, WAIT) == block


def test_a_full_map_is_a_typed_error_and_the_store_lives_on(tmp_path: Path) -> None:
    options = StoreOptions(map_bytes=MIB, max_bytes=MIB)
    with LMDBBlockstore(tmp_path / "blocks", options) as store, trio(store) as (odd, good, other):
        mine = some(4, 10 * KIB)
        odd.add_blocks(mine)
        blocks = some(200, 10 * KIB)
        good.add_blocks(blocks)
        with pytest.raises(StoreFull) as caught:
            list(odd.get_blocks([block.cid for block in blocks], WAIT))
        assert isinstance(caught.value, BitswapError)
        assert isinstance(caught.value, OSError)
        assert odd.wantlist() == []
        # It still reads, serves and, once there is room, stores.
        assert {b.cid for b in other.get_blocks([b.cid for b in mine], WAIT)} == {b.cid for b in mine}
        for cid in [block.cid for block in blocks if store.has(block.cid)][:20]:
            store.delete(cid)
        late = some(1)[0]
        good.add_block(late)
        assert odd.get_block(late.cid, WAIT) == late


FAULTS: dict[str, BaseException] = {
    "os-error": OSError(errno.EIO, "Input/output error"),
    "memory": MemoryError(),
    "key": KeyError("inside"),
    "stop": StopIteration(),
    "not-found": NotFound("the store says so"),
    "panic": Panic("not an Exception"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_store_that_fails_counts_as_lacking_the_block(fault: str) -> None:
    """Whoever asks it is told DONT_HAVE and gets the block elsewhere; when it recovers it serves again."""
    store = OddStore()
    with trio(store) as (odd, good, other):
        blocks = some(5)
        odd.add_blocks(blocks)

        def fail(cids: Sequence[CID]) -> None:
            raise FAULTS[fault]

        store.on_read = fail
        with (
            other.new_session(["odd"], broadcast=False) as session,
            pytest.raises(NotFound, match="DONT_HAVE"),
        ):
            session.get_block(blocks[0].cid, WAIT)
        good.add_blocks(blocks)
        assert other.get_block(blocks[0].cid, WAIT) == blocks[0]
        store.on_read = lambda cids: None
        with good.new_session(["odd"], broadcast=False) as session:
            fresh = some(1)[0]
            odd.add_block(fresh)
            assert session.get_block(fresh.cid, WAIT) == fresh


WRONG: dict[str, Callable[[list[Block | None]], list[Block | None]]] = {
    "too-few": lambda found: found[:-1],
    "too-many": lambda found: [*found, None],
    "others": lambda found: [Block.of(b"another") for _ in found],
    "no-blocks": lambda found: ["block" for _ in found],  # type: ignore[misc]
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_blocks_are_told_missing_and_harm_nobody(wrong: str) -> None:
    store = OddStore()
    with trio(store) as (odd, good, other):
        blocks = some(3)
        odd.add_blocks(blocks)
        store.change = WRONG[wrong]
        with (
            other.new_session(["odd"], broadcast=False) as session,
            pytest.raises(NotFound, match="DONT_HAVE"),
        ):
            list(session.get_blocks([block.cid for block in blocks], WAIT))
        store.change = lambda found: found
        fresh = some(1)[0]
        odd.add_block(fresh)
        assert good.get_block(fresh.cid, WAIT) == fresh


@pytest.mark.parametrize("sizes", [[-1], ["large"], [], [1, 2]], ids=["negative", "text", "none", "more"])
def test_wrong_sizes_are_told_missing(sizes: list[object]) -> None:
    store = OddStore()
    with trio(store) as (odd, good, other):
        block = some(1)[0]
        odd.add_block(block)
        store.change_sizes = lambda found: sizes  # type: ignore[assignment,return-value]
        with (
            other.new_session(["odd"], broadcast=False) as session,
            pytest.raises(NotFound, match="DONT_HAVE"),
        ):
            session.get_block(block.cid, WAIT)
        store.change_sizes = lambda found: found
        fresh = some(1)[0]
        odd.add_block(fresh)
        assert good.get_block(fresh.cid, WAIT) == fresh


def test_wrong_data_under_the_right_name_does_not_get_through() -> None:
    """The data goes out with the name's prefix, so whoever gets it computes another name and still waits."""
    store = OddStore()
    with trio(store) as (odd, good, other):
        block = some(1)[0]
        odd.add_block(block)
        store.change = lambda found: [found and Block(found.cid, b"rotten") for found in found]
        with other.getter() as getter:
            getter.want([block.cid])
            while not other.stat().blocks_received:
                other.network.peers()
            assert getter.outstanding == 1
            good.add_block(block)
            assert getter.take(WAIT) == [block]
        assert other.store.get(block.cid).data == block.data


def test_a_read_that_hangs_holds_up_one_worker() -> None:
    """The network's thread reads no store, and the other worker goes on; all is served once the read ends."""
    store = OddStore()
    with trio(store) as (odd, good, other):
        stuck, rest = some(1)[0], some(20)
        odd.add_blocks([stuck, *rest])
        hung, go_on = threading.Event(), threading.Event()

        def hang(cids: Sequence[CID]) -> None:
            if stuck.cid in cids:
                hung.set()
                assert go_on.wait(WAIT)

        store.on_read = hang
        try:
            with other.getter() as getter:
                getter.want([stuck.cid])
                assert hung.wait(WAIT)
                assert len(list(good.get_blocks([block.cid for block in rest], WAIT))) == len(rest)
                go_on.set()
                assert getter.take(WAIT) == [stuck]
        finally:
            go_on.set()


def test_a_slow_store_does_not_make_the_network_wait_for_unwanted_blocks() -> None:
    """To count duplicates the store is asked on the network's thread, for a small share of its time only."""
    asked = []

    class Clock:
        """Each look at the store takes half a second."""

        time = 0.0

        def now(self) -> float:
            return self.time

    clock = Clock()

    class SlowStore(MemoryBlockstore):
        def has_many(self, cids: Sequence[CID]) -> list[bool]:
            asked.append(len(cids))
            clock.time += 0.5
            return super().has_many(cids)

    with LoopbackHub() as hub:
        client = Client(hub.network("me"), clock=clock, have_many=SlowStore().has_many)
        client.peer_connected("peer")
        for _ in range(100):
            message = Message()
            message.add_block(some(1)[0])
            client.receive("peer", [message])
        assert len(asked) == 3
        clock.time += 1000.0
        client.receive("peer", [message])
        assert len(asked) == 4
        client.close()
