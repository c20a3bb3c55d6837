"""A list of wants: add, has, remove, one call each, at two lengths (boxo `client/wantlist`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

from benchmarks import inputs
from benchmarks.operation import Effort, Operation
from bitswap.wantlist import Wantlist

LENGTHS = {10_000: Effort.LIGHT, 1_000_000: Effort.HEAVY}


def operations(implementation: ModuleType) -> Iterator[Operation]:
    """Of a module with `Wantlist`."""
    for length, effort in LENGTHS.items():
        yield from _at_length(implementation.Wantlist, length, effort)


def _at_length(make: Callable[[], Wantlist], length: int, effort: Effort) -> Iterator[Operation]:
    def empty() -> Wantlist:
        inputs.cids(length)
        return make()

    def full() -> Wantlist:
        wants = empty()
        add(wants)
        return wants

    def add(wants: Wantlist) -> int:
        for i, cid in enumerate(inputs.cids(length)):
            wants.add(cid, i)
        return length

    def has(wants: Wantlist) -> int:
        for cid in inputs.cids(length):
            if cid not in wants:
                raise AssertionError
        return length

    def remove(wants: Wantlist) -> int:
        for cid in inputs.cids(length):
            wants.remove(cid)
        return length

    for name, run, prepare, left in (
        ("add", add, empty, length),
        ("has", has, full, length),
        ("remove", remove, full, 0),
    ):
        yield Operation(f"wantlist: {name}, {length:,}", "want", run, prepare, _holds(left), effort=effort)


def _holds(left: int) -> Callable[[Wantlist], None]:
    def check(wants: Wantlist) -> None:
        assert len(wants) == left, len(wants)

    return check
