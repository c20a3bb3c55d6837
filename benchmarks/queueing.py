"""The queue of answers at several shapes, through the decision core, beside go-peertaskqueue alone.

Ours has more to do: decoding messages and the ledger are in its figures. All peers want the same blocks,
which the core knows, with priorities in no order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from benchmarks import inputs
from benchmarks.engines import Serving
from benchmarks.node import nothing_asked, roomy
from benchmarks.operation import Effort, Operation
from benchmarks.serving_inputs import LARGE, Sizes
from benchmarks.shapes import ENOUGH, PER_MESSAGE, USUAL, Shape, shares
from bitswap.decision.interface import CoreCounts

GROWING_TASKS = [Shape(1, 1000), Shape(1, 10_000), Shape(1, 100_000), Shape(1, 1_000_000)]
GROWING_PEERS = [Shape(peers, 10) for peers in (1, 10, 100, 1000, 10_000)]
MANY_OF_EACH = [Shape(100, 1000), Shape(1000, 1000)]
SHAPES = [Shape(1, 1000), Shape(100, 1000), Shape(1000, 10), Shape(10_000, 10), *GROWING_TASKS[2:]]
"""What is compared with boxo; `benchmarks.growth` has them all."""
AT_ONCE = 20_000
"""Answers of a sample at least: the first ones after a pause are slow."""
HAVE_WORK, TARGET = 38, 16 * inputs.KIB
"""Bytes of a HAVE as they are counted, and those that are taken at a time."""


@cache
def _sizes(count: int) -> Sizes:
    return dict.fromkeys(inputs.cids(count), LARGE)


@cache
def _pushes(each: int) -> list[bytes]:
    wanted = enumerate(shares(inputs.cids(each)))
    return [inputs.body(inputs.spread_frame(some, i * PER_MESSAGE)) for i, some in wanted]


@cache
def _removals(each: int) -> list[bytes]:
    return [inputs.body(inputs.cancels_frame(some)) for some in shares(inputs.cids(each))]


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
    def empty() -> Any:
        _pushes(shape.each)
        _removals(shape.each)
        core = serving.core(roomy(shape.each, known=shape.each))
        core.blocks_stored(_sizes(shape.each))
        return core

    def full() -> Any:
        core = empty()
        push(core)
        return core

    def push(core: Any) -> int:
        _receive(core, shape, _pushes(shape.each))
        return shape.all

    def pop(core: Any) -> int:
        whole = pops(shape) == shape.all
        now, left = 0.0, -1 if whole else -(-pops(shape) * HAVE_WORK // TARGET)
        while left and (envelope := core.next_envelope(now)) is not None:
            now += 1e-6
            core.envelope_sent(envelope, now)
            left -= 1
        return shape.all if whole else shape.all - pending(core)

    def remove(core: Any) -> int:
        _receive(core, shape, _removals(shape.each))
        return shape.all

    for name, run, prepare, left in (
        ("push", push, empty, shape.all),
        ("pop", pop, full, shape.all - pops(shape)),
        ("remove", remove, full, 0),
    ):
        yield several(
            Operation(f"queue: {name}, {shape}", "answer", run, prepare, _holds(left), effort=effort(shape)),
            shape,
        )


def several(operation: Operation, shape: Shape) -> Operation:
    """As many small queues as make up a sample."""
    count = -(-AT_ONCE // shape.all)

    def prepare() -> list[Any]:
        return [operation.prepare() for _ in range(count)]

    def run(queues: list[Any]) -> int:
        return sum(map(operation.run, queues))

    def finish(queues: list[Any]) -> None:
        for queue in queues:
            operation.finish(queue)

    return replace(operation, prepare=prepare, run=run, finish=finish)


def pending(core: Any) -> int:
    counts: CoreCounts = core.counts()
    return counts.pending_tasks


def _receive(core: Any, shape: Shape, bodies: list[bytes]) -> None:
    receive = core.receive
    for name in shape.names:
        for body in bodies:
            receive(name, body, nothing_asked, 0.0)


def _holds(left: int) -> Callable[[Any], None]:
    def check(core: Any) -> None:
        # Of those that are not all taken, the last envelope may hold some more.
        assert left - TARGET // HAVE_WORK - 1 <= pending(core) <= left, pending(core)

    return check
