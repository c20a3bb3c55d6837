"""Writing a CARv1: a header that names the roots, then the blocks as they come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple

from bitswap import varint
from bitswap.block import Block
from bitswap.car import header
from bitswap.cid import CID


class Written(NamedTuple):
    """`blocks` and their `bytes` (without CIDs), and the `size` of the file."""

    blocks: int
    bytes: int
    size: int


def write_car(file: BinaryIO, roots: Sequence[CID], blocks: Iterable[Block]) -> Written:
    """Write all of `blocks`, in their order and as often as they come (CARv1 specification). Nothing is
    hashed: `graph_blocks` and every store give blocks that are what their CIDs say.
    """
    head = header.encode(roots)
    head = varint.encode(len(head)) + head
    file.write(head)
    count = total = 0
    size = len(head)
    for cid, data in ((block.cid, block.data) for block in blocks):
        length = varint.encode(len(cid) + len(data))
        file.write(length + cid)
        file.write(data)
        count += 1
        total += len(data)
        size += len(length) + len(cid) + len(data)
    return Written(count, total, size)
