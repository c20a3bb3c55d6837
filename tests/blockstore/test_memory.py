"""The bound of the store in memory."""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.blockstore import MemoryBlockstore, StoreError, StoreFull
from bitswap.errors import BitswapError, UsageError
from bitswap.multihash import IDENTITY


def test_a_full_store_refuses_the_whole_call_and_keeps_what_it_has() -> None:
    store = MemoryBlockstore(max_bytes=100)
    small, half, other = Block.of(b"s" * 20), Block.of(b"h" * 50), Block.of(b"o" * 50)
    store.put_many([small, half])
    with pytest.raises(StoreFull, match="100 bytes"):
        store.put_many([other, Block.of(b"t")])
    assert store.has_many([small.cid, half.cid, other.cid]) == [True, True, False]
    # What is there already, or in the CID, needs no room.
    store.put_many([half, small, Block.of(b"i" * 120, hash_code=IDENTITY)])
    store.delete(half.cid)
    store.put(other)
    assert len(store) == 2
    with pytest.raises(StoreFull):
        store.put(half)


def test_equal_blocks_of_one_call_are_counted_once() -> None:
    store = MemoryBlockstore(max_bytes=50)
    store.put_many([Block.of(b"x" * 50)] * 3)
    assert len(store) == 1


def test_a_bound_below_nothing() -> None:
    with pytest.raises(UsageError):
        MemoryBlockstore(max_bytes=-1)
    with pytest.raises(StoreFull):
        MemoryBlockstore(max_bytes=0).put(Block.of(b"x"))


def test_errors_are_of_the_library_and_of_the_system() -> None:
    assert issubclass(StoreFull, StoreError)
    assert issubclass(StoreError, BitswapError)
    assert issubclass(StoreError, OSError)
    assert str(StoreError("the disk, it fails")) == "the disk, it fails"


def test_data_is_kept_as_bytes() -> None:
    """A view that the caller changes later must not change the store."""
    data = bytearray(b"abc")
    block = Block.of(bytes(data))
    with MemoryBlockstore() as store:
        store.put(Block(block.cid, memoryview(data)))  # type: ignore[arg-type]
        data[0] = 0
        assert store.get(block.cid).data == b"abc"
