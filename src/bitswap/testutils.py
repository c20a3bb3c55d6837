"""Blocks and peer names for tests and simulations; the same seed gives the same (boxo `testutils`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from bitswap.block import Block
from bitswap.cid import CID, DAG_PB, RAW


def make_blocks(count: int, size: int = 64, seed: str = "block", *, version: int = 1) -> list[Block]:
    """`count` blocks of `size` bytes, different as far as the size allows, sha2-256; CIDv1 raw or CIDv0."""
    codec = RAW if version else DAG_PB
    return [
        Block.of(hashlib.shake_128(f"{seed}:{index}".encode()).digest(size), version=version, codec=codec)
        for index in range(count)
    ]


def make_peers(count: int, seed: str = "peer") -> list[str]:
    """Names that no network has to understand."""
    return [f"{seed}-{index}" for index in range(count)]


def cids_of(blocks: Iterable[Block]) -> list[CID]:
    return [block.cid for block in blocks]
