"""Blocks of an import on their way to the store: hashed one by one, stored in batches."""

from __future__ import annotations

from typing import NamedTuple

from bitswap.block import Block
from bitswap.blockstore.interface import Blockstore
from bitswap.cid import CID, DAG_PB, RAW
from bitswap.dag.errors import DagTooLarge
from bitswap.dag.profile import ImportOptions
from bitswap.options import MAX_BLOCK, DagOptions


class Ref(NamedTuple):
    """Something imported: `content` bytes of files, and `tsize` bytes of blocks (each counted as often as it
    is linked).
    """

    cid: CID
    content: int
    tsize: int


class BlockWriter:
    """Names blocks as the options say and puts them into `store`, a bounded batch at a time."""

    def __init__(self, store: Blockstore, profile: ImportOptions, bounds: DagOptions) -> None:
        self.blocks = 0
        """Blocks handed over so far, equal ones each time."""
        self._store = store
        self._profile = profile
        self._bounds = bounds
        self._batch: list[Block] = []
        self._bytes = 0

    def raw(self, data: bytes) -> CID:
        """Put a raw block."""
        return self._put(Block.of(data, version=1, codec=RAW, hash_code=self._profile.hash_code))

    def node(self, data: bytes) -> CID:
        """Put a dag-pb block; raises DagTooLarge above the size that every implementation can exchange."""
        if len(data) > MAX_BLOCK:
            raise DagTooLarge(f"a node has {len(data)} bytes; a block has at most {MAX_BLOCK}")
        version, code = self._profile.cid_version, self._profile.hash_code
        return self._put(Block.of(data, version=version, codec=DAG_PB, hash_code=code))

    def flush(self) -> None:
        """Hand the open batch to the store."""
        if self._batch:
            self._store.put_many(self._batch)
            self._batch = []
            self._bytes = 0

    def _put(self, block: Block) -> CID:
        self._batch.append(block)
        self._bytes += len(block.data)
        self.blocks += 1
        if self._bytes >= self._bounds.batch_bytes or len(self._batch) >= self._bounds.batch_blocks:
            self.flush()
        return block.cid
