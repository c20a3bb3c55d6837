"""The blocks of a CAR into a store, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable

from bitswap.block import Block
from bitswap.blockstore.interface import Blockstore
from bitswap.car.reader import CarReader
from bitswap.multihash import IDENTITY
from bitswap.options import DagOptions


def store_blocks(
    car: CarReader,
    store: Blockstore,
    bounds: DagOptions | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Put all blocks of `car` into `store`; `progress` is told the bytes of the file that were read.

    Raises CarError; the blocks before that byte are stored all the same. Blocks inside identity CIDs need no
    store and are not put there.
    """
    bounds = bounds or DagOptions()
    batch: list[Block] = []
    size = 0
    try:
        for block in car:
            if block.cid.hash_code != IDENTITY:
                batch.append(block)
                size += len(block.data)
            if size >= bounds.batch_bytes or len(batch) >= bounds.batch_blocks:
                full, batch, size = batch, [], 0
                store.put_many(full)
                if progress is not None:
                    progress(car.offset)
    finally:
        if batch:
            store.put_many(batch)
