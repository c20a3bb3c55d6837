"""Blocks whose data is not what the CID names, before and inside a store."""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.blockstore import MemoryBlockstore, VerifyingBlockstore
from bitswap.errors import HashMismatch

GOOD, OTHER = Block.of(b"good"), Block.of(b"other")
WRONG = Block(OTHER.cid, b"wrong")


def test_wrong_data_is_not_stored() -> None:
    inner = MemoryBlockstore()
    store = VerifyingBlockstore(inner)
    with pytest.raises(HashMismatch, match=str(OTHER.cid)):
        store.put(WRONG)
    with pytest.raises(HashMismatch):
        store.put_many(iter([GOOD, WRONG]))
    assert len(inner) == 0
    store.put_many(iter([GOOD, OTHER]))
    assert len(inner) == 2


def test_wrong_data_is_not_handed_out() -> None:
    inner = MemoryBlockstore()
    inner.put_many([GOOD, WRONG])
    store = VerifyingBlockstore(inner)
    assert store.get(GOOD.cid).data == b"good"
    with pytest.raises(HashMismatch):
        store.get(WRONG.cid)
    with pytest.raises(HashMismatch):
        store.get_many([GOOD.cid, WRONG.cid])
    assert store.get_many([GOOD.cid, Block.of(b"none").cid]) == [GOOD, None]
    # Nothing is read for these.
    assert store.sizes([WRONG.cid]) == [5]
    assert store.has(WRONG.cid)
    assert store.delete(WRONG.cid)
