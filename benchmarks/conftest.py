"""The fixture that runs an operation under pytest-benchmark, and the table of nanoseconds an item."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from benchmarks.operation import Operation, Runner
from benchmarks.report import Row, figure, side_by_side

ROUNDS = 3
"""Runs of an operation that needs a new state for each."""
_RESULTS = pytest.StashKey[dict[str, dict[str, float]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RESULTS] = {}


@pytest.fixture
def per_item(benchmark: Any, pytestconfig: pytest.Config) -> Runner:
    """Runs an operation and notes its nanoseconds an item in the best round, in `extra_info` too."""

    def run(implementation: str, operation: Operation) -> None:
        handled: list[int] = []
        benchmark.group = operation.name
        if operation.repeats:
            state = operation.prepare()
            benchmark(lambda: handled.append(operation.run(state)))
            operation.finish(state)
        else:
            _run_afresh(benchmark, operation, handled)
        if benchmark.stats is None:  # --benchmark-disable: it ran once, untimed
            return
        assert handled[-1] > 0
        nanoseconds = benchmark.stats.stats.min * 1e9 / handled[-1]
        benchmark.extra_info.update(item=operation.item, ns_per_item=round(nanoseconds, 1))
        pytestconfig.stash[_RESULTS].setdefault(operation.name, {})[implementation] = nanoseconds

    return run


def _run_afresh(benchmark: Any, operation: Operation, handled: list[int]) -> None:
    states: list[Any] = []

    def end() -> None:
        while states:
            operation.finish(states.pop())

    def set_up() -> None:
        end()
        states.append(operation.prepare())
        gc.collect()

    benchmark.pedantic(lambda: handled.append(operation.run(states[-1])), setup=set_up, rounds=ROUNDS)
    end()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    results = config.stash[_RESULTS]
    compared = {name: found for name, found in results.items() if "" not in found}
    rows = [Row(name, compiled=found.get("c"), pure=found.get("py")) for name, found in compared.items()]
    lines = side_by_side(rows)
    single = [f"{name}: {figure(found[''])}" for name, found in results.items() if "" in found]
    if results:
        terminalreporter.section("nanoseconds an item, best round")
    for line in (lines if rows else []) + single:
        terminalreporter.write_line(line)
