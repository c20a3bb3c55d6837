"""The queue of answers at several shapes, through the engine, beside go-peertaskqueue alone.

Ours has more to do: decoding and the ledger are in its figures. All peers want the same blocks, which the
engine knows, with priorities in no order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from benchmarks import inputs
from benchmarks.engines import Serving
from benchmarks.node import Node
from benchmarks.operation import Effort, Operation
from benchmarks.serving_inputs import LARGE, Frames, Sizes
from benchmarks.shapes import ENOUGH, PER_MESSAGE, USUAL, Shape, shares

GROWING_TASKS = [Shape(1, 1000), Shape(1, 10_000), Shape(1, 100_000), Shape(1, 1_000_000)]
GROWING_PEERS = [Shape(peers, 10) for peers in (1, 10, 100, 1000, 10_000)]
MANY_OF_EACH = [Shape(100, 1000), Shape(1000, 1000)]
SHAPES = [Shape(1, 1000), Shape(100, 1000), Shape(1000, 10), Shape(10_000, 10), *GROWING_TASKS[2:]]
"""What is compared with boxo; `benchmarks.growth` has them all."""
HAVE_WORK, TARGET = 38, 16 * inputs.KIB
"""Bytes of a HAVE as they are counted, and those that are taken at a time."""


@cache
def _sizes(count: int) -> Sizes:
    return dict.fromkeys(inputs.cids(count), LARGE)


@cache
def _pushes(shape: Shape) -> Frames:
    wanted = shares(inputs.cids(shape.each))
    return [[inputs.spread_frame(some, i * PER_MESSAGE) for i, some in enumerate(wanted)]] * shape.peers


@cache
def _removals(shape: Shape) -> Frames:
    return [[inputs.cancels_frame(some) for some in shares(inputs.cids(shape.each))]] * shape.peers


def pops(shape: Shape) -> int:
    """Answers that are taken; with many to one peer, go-peertaskqueue looks at all of them each time."""
    return ENOUGH // 10 if shape.each > ENOUGH * 10 else shape.peers * min(shape.each, ENOUGH)


def effort(shape: Shape) -> Effort:
    if shape == USUAL:
        return Effort.LIGHT
    return Effort.HEAVY if shape.all > ENOUGH * 10 else Effort.SHAPE


def operations(serving: Serving) -> Iterator[Operation]:
    """Push, pop and remove at each shape that is compared with boxo."""
    for shape in SHAPES:
        yield from at_shape(serving, shape)


def at_shape(serving: Serving, shape: Shape) -> Iterator[Operation]:
    def empty() -> Node:
        _pushes(shape)
        _removals(shape)
        node = Node(serving, shape.each, _sizes(shape.each), known=True)
        node.connect(shape.names)
        return node

    def full() -> Node:
        node = empty()
        node.receive(shape.names, _pushes(shape))
        return node

    def push(node: Node) -> int:
        node.receive(shape.names, _pushes(shape))
        return shape.all

    def pop(node: Node) -> int:
        node.pop(None if pops(shape) == shape.all else -(-pops(shape) * HAVE_WORK // TARGET))
        return shape.all - node.pending

    def remove(node: Node) -> int:
        node.receive(shape.names, _removals(shape))
        return shape.all

    for name, run, prepare, pending in (
        ("push", push, empty, shape.all),
        ("pop", pop, full, shape.all - pops(shape)),
        ("remove", remove, full, 0),
    ):
        yield Operation(
            f"queue: {name}, {shape}", "answer", run, prepare, _at_most(pending), effort=effort(shape)
        )


def _at_most(pending: int) -> Callable[[Node], None]:
    def check(node: Node) -> None:
        assert pending - TARGET // HAVE_WORK - 1 <= node.pending <= pending, node.pending

    return check
