"""All operations that exist in several implementations, by name."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import queueing, serving, wire
from benchmarks.engines import engines
from benchmarks.operation import Operation
from bitswap._core import implementations

Compared = dict[str, dict[str, Operation]]
"""Name of the operation -> implementation ("py", "c") -> operation."""


def compared(*, queues: bool = True) -> Compared:
    """In the order in which they are shown; what has no compiled implementation has "py" alone.

    `queues`: with the queue at several shapes, which takes long.
    """
    table: Compared = {}
    for implementation, operation in _all(queues):
        table.setdefault(operation.name, {})[implementation] = operation
    return table


def _all(queues: bool) -> Iterator[tuple[str, Operation]]:
    for implementation, codec in implementations().items():
        for operation in wire.operations(codec):
            yield implementation, operation
    for implementation, engine in engines().items():
        for operation in serving.operations(engine):
            yield implementation, operation
        for operation in queueing.operations(engine) if queues else ():
            yield implementation, operation
