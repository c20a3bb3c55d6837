"""Time an operation: the best of some samples, for what disturbs a sample only adds to it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import perf_counter_ns, process_time_ns

from benchmarks.operation import Operation

CLOCKS: dict[str, Callable[[], int]] = {"wall": perf_counter_ns, "cpu": process_time_ns}
"""Nanoseconds since some moment; "cpu" is the processor time of all threads."""
SAMPLE_NS = 20_000_000
"""A sample of an operation that repeats takes at least this long."""
SAMPLES = 2
"""Samples at least, unless they take long."""
MOST, MOST_AFRESH = 50, 5
"""Samples at most: of an operation that repeats, and of one that needs a new state each time."""
BUDGET_NS = 300_000_000
"""Further samples are taken while this is not used up, preparation included."""
LONG_NS = 500_000_000
"""When this is used up, one sample is enough."""


def sample(operation: Operation, clock: Callable[[], int] = perf_counter_ns) -> float:
    """Nanoseconds an item in one sample.

    The garbage collector has cleaned up before, and stays on as it is in a running node.
    """
    state = operation.prepare()
    if operation.repeats:
        operation.run(state)
    gc.collect()
    items = 0
    began = clock()
    while True:
        items += operation.run(state)
        took = clock() - began
        if took >= SAMPLE_NS or not operation.repeats:
            operation.finish(state)
            return took / items


def measure(operation: Operation, clock: Callable[[], int] = perf_counter_ns) -> float:
    """Nanoseconds an item in the best sample."""
    most = MOST if operation.repeats else MOST_AFRESH
    return min(run_samples(lambda: sample(operation, clock), most))


def run_samples(take: Callable[[], float], most: int = MOST) -> list[float]:
    """SAMPLES samples, and more while there is time."""
    taken: list[float] = []
    began = perf_counter_ns()
    while len(taken) < most:
        spent = perf_counter_ns() - began
        if (len(taken) >= SAMPLES and spent > BUDGET_NS) or (taken and spent > LONG_NS):
            break
        taken.append(take())
    return taken
