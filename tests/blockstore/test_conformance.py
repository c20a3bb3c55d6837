"""What every store must do."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitswap.block import Block
from bitswap.blockstore import Blockstore
from bitswap.cid import CID, DAG_CBOR, DAG_PB, RAW
from bitswap.errors import Closed, NotFound
from bitswap.multihash import BLAKE3, IDENTITY, SHA2_512

# On both sides of what fits a B-tree leaf and a page.
SIZES = (0, 1, 100, 1899, 1900, 1901, 2048, 4096, 4097, 70_000)


def made(size: int, seed: int = 0) -> Block:
    return Block.of(random.Random(f"{seed}:{size}").randbytes(size))


def blocks(count: int, seed: int = 1) -> list[Block]:
    sizes = random.Random(seed)
    return [made(8 + int(sizes.expovariate(1 / 2000)), seed * 1_000_000 + i) for i in range(count)]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_is_there(store: Blockstore, size: int) -> None:
    block = made(size)
    assert not store.has(block.cid)
    assert store.size(block.cid) is None
    store.put(block)
    again = store.get(block.cid)
    assert (again.cid, again.data, type(again.data)) == (block.cid, block.data, bytes)
    assert store.has(block.cid)
    assert store.size(block.cid) == size
    assert len(store) == 1
    assert list(store.multihashes()) == [block.cid.multihash]


def test_an_empty_store(store: Blockstore) -> None:
    assert store  # is a store, although its length is 0
    assert len(store) == 0
    assert list(store.multihashes()) == []
    assert store.get_many([]) == store.has_many([]) == store.sizes([]) == []
    store.put_many([])
    assert len(store) == 0


def test_missing_blocks(store: Blockstore) -> None:
    there, gone = made(10), made(11)
    store.put(there)
    with pytest.raises(NotFound) as caught:
        store.get(gone.cid)
    assert caught.value.missing == (str(gone.cid),)
    cids = [gone.cid, there.cid, gone.cid, there.cid]
    assert store.get_many(cids) == [None, there, None, there]
    assert store.has_many(cids) == [False, True, False, True]
    assert store.sizes(cids) == [None, 10, None, 10]
    assert store.delete(gone.cid) is False


def test_an_empty_block_is_not_a_missing_one(store: Blockstore) -> None:
    empty = Block.of(b"")
    store.put(empty)
    assert store.get(empty.cid).data == b""
    assert store.has_many([empty.cid, made(1).cid]) == [True, False]
    assert store.sizes([empty.cid, made(1).cid]) == [0, None]


def test_answers_come_in_the_order_of_the_question(store: Blockstore) -> None:
    batch = blocks(300)
    store.put_many(batch)
    order = [block.cid for block in batch]
    random.Random(5).shuffle(order)
    found = store.get_many(order)
    assert [block.cid for block in found if block] == order
    data = {block.cid: block.data for block in batch}
    assert [block.data for block in found if block] == [data[cid] for cid in order]
    assert store.sizes(order) == [len(data[cid]) for cid in order]


def test_one_block_under_every_cid_of_its_hash(store: Blockstore) -> None:
    block = made(3000)
    store.put(Block(CID.v0(block.cid.digest), block.data))
    for cid in (
        CID.v0(block.cid.digest),
        block.cid,
        *(CID.v1(c, block.cid.multihash) for c in (DAG_PB, DAG_CBOR)),
    ):
        found = store.get(cid)
        assert (found.cid, found.data) == (cid, block.data)
        store.put(found)
    assert len(store) == 1
    assert store.delete(block.cid)
    assert not store.has(CID.v0(block.cid.digest))


def test_other_hash_functions_are_other_blocks(store: Blockstore) -> None:
    both = [Block.of(b"x" * 5000, hash_code=code) for code in (SHA2_512, BLAKE3)]
    store.put(both[0])
    assert store.has_many([block.cid for block in both]) == [True, False]
    store.put(both[1])
    assert len(store) == 2


@pytest.mark.parametrize("size", [0, 5, 128, 509, 700])
def test_identity_cids_are_answered_without_being_stored(store: Blockstore, size: int) -> None:
    block = Block.of(bytes(range(256)) * 3, hash_code=IDENTITY)
    block = Block.of(block.data[:size], hash_code=IDENTITY)
    assert store.has(block.cid)
    assert store.size(block.cid) == size
    assert store.get(block.cid).data == block.data
    store.put(block)
    store.put_many([block, made(1)])
    assert len(store) == 1
    assert list(store.multihashes()) == [made(1).cid.multihash]
    assert store.get_many([block.cid]) == [block]
    assert store.delete(block.cid) is False
    assert store.has(block.cid)


def test_a_hash_that_no_store_has_is_missing(store: Blockstore) -> None:
    cid = CID.v1(RAW, bytes.fromhex("12d804") + bytes(600))
    assert store.has(cid) is False
    assert store.get_many([cid]) == [None]
    assert store.delete(cid) is False


def test_putting_again_changes_nothing(store: Blockstore) -> None:
    batch = blocks(50)
    store.put_many(batch)
    store.put_many(reversed(batch))
    store.put(batch[7])
    store.put_many([batch[3], batch[3], made(9), made(9)])
    assert len(store) == 51
    assert store.get_many([block.cid for block in batch]) == batch


def test_deleted_blocks_are_gone_and_can_come_back(store: Blockstore) -> None:
    small, large = made(10), made(50_000)
    store.put_many([small, large])
    assert store.delete(small.cid)
    assert store.delete(large.cid)
    assert not store.delete(large.cid)
    assert store.has_many([small.cid, large.cid]) == [False, False]
    assert store.get_many([small.cid, large.cid]) == [None, None]
    assert len(store) == 0
    store.put(large)
    assert store.get(large.cid).data == large.data


def test_a_big_batch_from_an_iterator(store: Blockstore) -> None:
    store.put_many(Block.of(i.to_bytes(4, "big") * 50) for i in range(5000))
    assert len(store) == 5000
    assert len(set(store.multihashes())) == 5000
    cids = [Block.of(i.to_bytes(4, "big") * 50).cid for i in range(0, 5000, 7)]
    assert store.sizes(cids) == [200] * len(cids)


def test_the_store_can_change_while_it_is_listed(store: Blockstore) -> None:
    batch = blocks(2500)
    store.put_many(batch)
    seen = []
    for key in store.multihashes():
        seen.append(key)
        if len(seen) in (1, 1000):
            store.put_many(blocks(200, seed=len(seen)))
            store.delete(CID.v1(RAW, key))
    assert len(seen) == len(set(seen))
    assert {block.cid.multihash for block in batch} <= set(seen)


ROUNDS = 6


@pytest.mark.timeout(120)
def test_threads(store: Blockstore) -> None:
    """Writers, readers and a lister at once: everything put is found whole, and nothing else."""
    batches = [blocks(120, seed=i) for i in range(4)]
    everything = {block.cid: block.data for batch in batches for block in batch}
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> threading.Thread:
        def body() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=body)
        thread.start()
        return thread

    def write(batch: list[Block]) -> None:
        for start in range(0, len(batch), 10):
            store.put_many(batch[start : start + 10])
            assert all(store.has_many([block.cid for block in batch[: start + 10]]))

    def read() -> None:
        cids = list(everything)
        # Not for as long as the writers write: threads that read all the time let them have hardly a turn.
        for _ in range(ROUNDS):
            for block in store.get_many(cids):
                assert block is None or block.data == everything[block.cid]
            sizes = store.sizes(cids)
            assert all(size in (None, len(everything[cid])) for cid, size in zip(cids, sizes, strict=True))
            assert {CID.v1(RAW, key) for key in store.multihashes()} <= set(cids)

    readers = [run(read) for _ in range(2)]
    writers = [run(lambda batch=batch: write(batch)) for batch in batches]  # type: ignore[misc]
    for thread in writers + readers:
        thread.join()
    assert failures == []
    assert len(store) == len(everything)
    assert {b.cid: b.data for b in store.get_many(list(everything)) if b} == everything


def test_a_closed_store_says_so(store: Blockstore) -> None:
    block, identity = made(10), Block.of(b"x", hash_code=IDENTITY)
    store.put(block)
    listing = store.multihashes()
    store.close()
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: store.get(block.cid),
        lambda: store.get_many([block.cid]),
        lambda: store.has(block.cid),
        lambda: store.has_many([block.cid]),
        lambda: store.size(block.cid),
        lambda: store.sizes([block.cid]),
        lambda: store.get(identity.cid),
        lambda: store.has(identity.cid),
        lambda: store.put(block),
        lambda: store.put_many([block]),
        lambda: store.delete(block.cid),
        lambda: list(store.multihashes()),
        lambda: len(store),
        lambda: store.flush(),
    ]
    for call in calls:
        with pytest.raises(Closed):
            call()
    # A listing that was begun may end early, but not in another way.
    try:
        list(listing)
    except Closed:
        pass


def test_flushing_keeps_all(store: Blockstore) -> None:
    store.put(made(5))
    store.flush()
    assert store.has(made(5).cid)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.sampled_from("pdg"), st.lists(st.integers(0, 15), max_size=6)), max_size=20))
def test_behaves_as_a_dictionary(store: Blockstore, steps: list[tuple[str, list[int]]]) -> None:
    known = [Block.of(bytes([i]) * (i * i * 40)) for i in range(16)]
    for block in known:
        store.delete(block.cid)
    model: dict[CID, bytes] = {}
    for action, numbers in steps:
        chosen = [known[number] for number in numbers]
        if action == "p":
            store.put_many(chosen)
            model.update((block.cid, block.data) for block in chosen)
        elif action == "d":
            for block in chosen:
                assert store.delete(block.cid) == (model.pop(block.cid, None) is not None)
        else:
            cids = [block.cid for block in chosen]
            assert store.sizes(cids) == [len(model[cid]) if cid in model else None for cid in cids]
            assert [b and b.data for b in store.get_many(cids)] == [model.get(cid) for cid in cids]
        assert len(store) == len(model)
    assert sorted(store.multihashes()) == sorted(cid.multihash for cid in model)
