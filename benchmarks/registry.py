"""All operations that exist in several implementations, by name."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import queueing, requestqueue, serving, wantlists, wire
from benchmarks.engines import engines
from benchmarks.operation import Effort, Operation
from bitswap._core import implementations
from bitswap.wantlist import implementations as wantlist_implementations

Compared = dict[str, dict[str, Operation]]
"""Name of the operation -> implementation ("py", "c") -> operation."""


def compared(most: Effort = Effort.HEAVY) -> Compared:
    """In the order in which they are shown; what has no compiled implementation has "py" alone."""
    table: Compared = {}
    for implementation, operation in _all():
        if operation.effort <= most:
            table.setdefault(operation.name, {})[implementation] = operation
    return table


def _all() -> Iterator[tuple[str, Operation]]:
    serving_halves = engines()
    for implementation, codec in implementations().items():
        for operation in wire.operations(codec):
            yield implementation, operation
    for part in (serving, queueing, requestqueue):
        for implementation, half in serving_halves.items():
            for operation in part.operations(half):
                yield implementation, operation
    for implementation, module in wantlist_implementations().items():
        for operation in wantlists.operations(module):
            yield implementation, operation
