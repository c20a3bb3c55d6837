"""One thing that is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Effort(IntEnum):
    """How long an operation takes, which decides who measures it."""

    LIGHT = 0
    """Measured by all programs."""
    SHAPE = 1
    """Another shape of something that is measured anyway: not for the check against loss."""
    HEAVY = 2
    """A million of something: once, however many rounds there are, and not in the plain benchmarks."""


def _nothing(*_: Any) -> None:
    return None


@dataclass(frozen=True)
class Operation:
    """`run(state)` is timed and returns how many items it handled; figures are nanoseconds an item."""

    name: str
    """The same in every implementation."""
    item: str
    """What one item is."""
    run: Callable[[Any], int]
    prepare: Callable[[], Any] = _nothing
    """Makes the state for one run; not timed."""
    finish: Callable[[Any], None] = _nothing
    """Ends the state, and may check what the run did to it; not timed."""
    repeats: bool = False
    """The run leaves the state as it was, so that one state serves many runs."""
    boxo: str = ""
    """The operation of the Go program to compare with, if it has another name."""
    effort: Effort = Effort.LIGHT

    @property
    def beside(self) -> str:
        """Its name in the Go program, which need not have it."""
        return self.boxo or self.name


Runner = Callable[[str, Operation], None]
"""Runs and times an operation of an implementation: "py", "c", or "" of what has only one."""
