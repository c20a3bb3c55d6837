"""The queue of answers alone, one object a task, beside go-peertaskqueue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from benchmarks import inputs
from benchmarks.engines import Serving
from benchmarks.operation import Operation
from benchmarks.queueing import TARGET, effort, several
from benchmarks.serving_inputs import LARGE
from benchmarks.shapes import Shape, shares
from bitswap.decision.interface import Task

SHAPES = [Shape(1, 1000), Shape(100, 1000), Shape(1000, 10)]


@cache
def _tasks(count: int) -> list[Any]:
    tasks = [Task(cid, inputs.spread(i), LARGE, False, True) for i, cid in enumerate(inputs.cids(count))]
    return shares(tasks)


def operations(serving: Serving) -> Iterator[Operation]:
    for shape in SHAPES:
        yield from _at_shape(serving, shape)


def _at_shape(serving: Serving, shape: Shape) -> Iterator[Operation]:
    def empty() -> Any:
        _tasks(shape.each)
        return serving.parts.RequestQueue(salt=1, merging="first")

    def full() -> Any:
        queue = empty()
        push(queue)
        return queue

    def push(queue: Any) -> int:
        for name in shape.names:
            for some in _tasks(shape.each):
                queue.push(name, some, 0.0)
        return shape.all

    def pop(queue: Any) -> int:
        now = 0.0
        while (batch := queue.pop(TARGET, now)) is not None:
            now += 1e-6
            queue.done(batch, now)
        return shape.all

    def remove(queue: Any) -> int:
        wanted = shares(inputs.cids(shape.each))
        for name in shape.names:
            for some in wanted:
                queue.remove(name, some, 0.0)
        return shape.all

    steps: list[tuple[str, Callable[[Any], int], Callable[[], Any], int]] = [
        ("push", push, empty, shape.all),
        ("pop", pop, full, 0),
        ("remove", remove, full, 0),
    ]
    for name, run, prepare, pending in steps:
        operation = Operation(
            f"request queue: {name}, {shape}",
            "task",
            run,
            prepare,
            _holds(pending),
            boxo=f"queue: {name}, {shape}",
            effort=effort(shape),
        )
        yield several(operation, shape)


def _holds(pending: int) -> Callable[[Any], None]:
    def check(queue: Any) -> None:
        assert queue.stat.pending == pending, queue.stat

    return check
