"""One thing that is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _nothing(*_: Any) -> None:
    return None


@dataclass(frozen=True)
class Operation:
    """`run(state)` is timed and returns how many items it handled; figures are nanoseconds an item."""

    name: str
    """The same in every implementation, the Go one included."""
    item: str
    """What one item is."""
    run: Callable[[Any], int]
    prepare: Callable[[], Any] = _nothing
    """Makes the state for one run; not timed."""
    finish: Callable[[Any], None] = _nothing
    """Ends the state; not timed."""
    repeats: bool = False
    """The run leaves the state as it was, so that one state serves many runs."""


Runner = Callable[[str, Operation], None]
"""Runs and times an operation of an implementation: "py", "c", or "" of what has only one."""
