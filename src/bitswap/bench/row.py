"""One figure, and how it is taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

_RUNS = 3
"""Runs of an operation at least, so that the first one, which warms caches, does not decide."""


class Row(NamedTuple):
    """`value` in `unit`, measured over `amount` (of what `unit` counts, or of fetches) in `seconds`."""

    part: str
    name: str
    value: float
    unit: str
    amount: float
    seconds: float


class Pace:
    """How much is measured: `scale` 1 is what the figures are meant for, less is quick and rough."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def count(self, full: int, least: int = 2) -> int:
        """Items of a run."""
        return max(least, round(full * self.scale))

    def rate(
        self, part: str, name: str, unit: str, run: Callable[[], tuple[int, float]], *, per: float = 1.0
    ) -> Row:
        """The median rate of some runs, in items of `per`; `run` says how many it took how long."""
        rates: list[float] = []
        total, spent = 0, 0.0
        while len(rates) < _RUNS or spent < 0.5 * self.scale:
            count, seconds = run()
            rates.append(count / per / max(seconds, 1e-9))
            total += count
            spent += seconds
        return Row(part, name, median(rates), unit, round(total / per, 3), spent)


def timed(run: Callable[[], int]) -> Callable[[], tuple[int, float]]:
    """An operation that needs nothing made for each run."""

    def call() -> tuple[int, float]:
        started = time.perf_counter()
        count = run()
        return count, time.perf_counter() - started

    return call
