"""Blocks to measure with: the same for the same seed, not compressible."""

from __future__ import annotations

import random

from bitswap.block import Block


def make_blocks(count: int, size: int, seed: str) -> list[Block]:
    """`count` different blocks of `size` bytes, CIDv1 raw sha2-256."""
    generator = random.Random(f"{seed}:{size}")
    return [Block.of(generator.randbytes(size)) for _ in range(count)]
