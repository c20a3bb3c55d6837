"""What peers send to the engine, and what the store has; as in `go/serving_inputs.go`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from benchmarks import inputs
from benchmarks.shapes import PER_MESSAGE, Parts, Shape, parts, same, shares
from bitswap.block import Block
from bitswap.cid import CID

LARGE, MIDDLE, SMALL = 256 * inputs.KIB, 16 * inputs.KIB, 256
"""Bytes of a block; a want-have for a large one is answered with HAVE."""
DISTINCT, SHARED = 100_000, 1000
"""CIDs when each peer wants others; CIDs that all peers want."""

Frames = list[list[bytes]]
"""By peer."""
Sizes = dict[CID, int]
Blocks = dict[CID, Block]


@cache
def large() -> Sizes:
    return dict.fromkeys(inputs.cids(DISTINCT), LARGE)


@cache
def small_blocks() -> Blocks:
    return {block.cid: block for block in inputs.blocks(DISTINCT, SMALL)}


@cache
def middle_blocks() -> Blocks:
    return {block.cid: block for block in inputs.blocks(SHARED, MIDDLE)}


@cache
def small() -> Sizes:
    return dict.fromkeys(small_blocks(), SMALL)


@cache
def middle() -> Sizes:
    return dict.fromkeys(middle_blocks(), MIDDLE)


@cache
def want_haves(shape: Shape) -> Frames:
    return _frames(parts(shape, inputs.cids(shape.all)), lambda some: inputs.wants_frame(some, have=True))


@cache
def want_blocks(shape: Shape) -> Frames:
    return _frames(parts(shape, inputs.cids(shape.all)), inputs.wants_frame)


@cache
def want_small(shape: Shape) -> Frames:
    return _frames(parts(shape, tuple(small_blocks())), inputs.wants_frame)


@cache
def want_singly(shape: Shape) -> Frames:
    """The first wants of `want_small`, one a message."""
    wanted = tuple(small_blocks())[: shape.all]
    sent = [shares(wanted[i : i + shape.each], 1) for i in range(0, shape.all, shape.each)]
    return _frames(sent, inputs.wants_frame)


@cache
def want_middle(shape: Shape) -> Frames:
    return _frames(same(shape, tuple(middle_blocks())), inputs.wants_frame)


@cache
def want_silently(shape: Shape) -> Frames:
    """All peers want the same, and do not ask for DONT_HAVE."""
    wanted = same(shape, inputs.cids(shape.each))
    return _frames(wanted, lambda some: inputs.wants_frame(some, send_dont_have=False))


@cache
def want_more(shape: Shape) -> Frames:
    """Other wants than `want_haves`, and more urgent."""
    wanted = parts(shape, inputs.cids(shape.all, shape.all))
    return _frames(wanted, lambda some: inputs.wants_frame(some, have=True, above=PER_MESSAGE))


@cache
def withdrawals(shape: Shape) -> Frames:
    return _frames(parts(shape, inputs.cids(shape.all)), inputs.cancels_frame)


def _frames(sent: Parts[CID], frame: Callable[[Sequence[CID]], bytes]) -> Frames:
    made: dict[int, list[bytes]] = {}  # peers that send the same share the bytes
    for messages in sent:
        if id(messages) not in made:
            made[id(messages)] = [frame(some) for some in messages]
    return [made[id(messages)] for messages in sent]
