"""A store read as if it were a session."""

from __future__ import annotations

import io
import os

import pytest

from bitswap.block import Block
from bitswap.dag import ImportOptions, StoreGetter, add_stream, read_file
from bitswap.dag.source import get_one
from bitswap.errors import NotFound
from tests.dag.fakes import DictStore


def test_blocks_come_in_the_order_they_were_wanted_a_batch_at_a_time() -> None:
    store = DictStore()
    blocks = [Block.of(str(i).encode()) for i in range(100)]
    store.put_many(blocks)
    with StoreGetter(store) as source:
        source.want(block.cid for block in blocks)
        source.want([blocks[0].cid])
        assert source.outstanding == 100
        source.cancel([blocks[50].cid, Block.of(b"never wanted").cid])
        taken = []
        while batch := source.take():
            assert len(batch) <= 32
            taken += batch
        assert taken == blocks[:50] + blocks[51:]
        assert source.take() == []
        source.want([blocks[0].cid])
        assert source.take() == [blocks[0]]
        source.want([blocks[1].cid])
    assert source.outstanding == 0


def test_all_that_is_missing_is_told() -> None:
    store = DictStore()
    blocks = [Block.of(str(i).encode()) for i in range(50)]
    store.put_many(blocks[:40])
    source = StoreGetter(store)
    source.want(block.cid for block in blocks)
    assert len(source.take()) == 32
    with pytest.raises(NotFound, match="and 9 more is not in the store") as caught:
        source.take()
    assert caught.value.missing == tuple(str(block.cid) for block in blocks[40:])


def test_a_file_with_holes_in_the_store() -> None:
    store = DictStore()
    root = add_stream(io.BytesIO(os.urandom(1000)), store, ImportOptions(chunk_size=10, cid_version=1)).cid
    lost = [cid for cid in store.cids if store.cids[cid] == 10][::7]
    for cid in lost:
        store.delete(cid)
    with pytest.raises(NotFound) as caught:
        list(read_file(StoreGetter(store), root))
    assert set(caught.value.missing) == {str(cid) for cid in lost}


def test_one_block() -> None:
    store = DictStore()
    block, other = Block.of(b"1"), Block.of(b"2")
    store.put_many([block, other])
    source = StoreGetter(store)
    source.want([other.cid])
    assert get_one(source, block.cid) == block
    with pytest.raises(NotFound):
        get_one(source, Block.of(b"3").cid)
