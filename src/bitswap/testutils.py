"""Blocks and peer names for tests and simulations; the same seed gives the same (boxo `testutils`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from bitswap.block import Block
from bitswap.cid import CID


def make_blocks(count: int, size: int = 64, seed: str = "block") -> list[Block]:
    """`count` blocks of `size` bytes, CIDv1 raw sha2-256; different as far as the size allows."""
    return [Block.of(hashlib.shake_128(f"{seed}:{index}".encode()).digest(size)) for index in range(count)]


def make_peers(count: int, seed: str = "peer") -> list[str]:
    """Names that no network has to understand."""
    return [f"{seed}-{index}" for index in range(count)]


def cids_of(blocks: Iterable[Block]) -> list[CID]:
    return [block.cid for block in blocks]
