"""How long single messages take while they fill the tables, and how long the machine itself stops.

After each message comes as much waiting in a loop that does nothing: what this overruns is the machine's
doing, not the core's. Processor time has no such gaps. A growth of tables comes at the same message in every
run, a stop of the machine does not: that tells them apart too. Python's garbage collector stops a message
wherever it is called, and is shown by itself.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter_ns, thread_time_ns
from typing import NamedTuple

from benchmarks import inputs
from benchmarks.engines import Serving, engines
from benchmarks.goals import LONGEST_MS, MISSED, REACHED
from benchmarks.report import table
from benchmarks.serving_inputs import LARGE
from benchmarks.shapes import PER_MESSAGE
from bitswap.cid import CID
from bitswap.decision.engine import Engine
from bitswap.options import ServerOptions

WANTS = 1_000_000
NAMES = {"c": "compiled", "py": "pure"}


class Run(NamedTuple):
    """Nanoseconds of each message of one filling."""

    wall: list[int]
    processor: list[int]
    """Without the garbage collector."""
    collector: list[int]
    overrun: list[int]
    """By how much the loop of the same length took longer."""


class Collector:
    """Adds up the processor time of the garbage collector, which calls this before and after."""

    def __init__(self) -> None:
        self.used = 0
        self._began = 0

    def __call__(self, phase: str, _: object) -> None:
        if phase == "start":
            self._began = thread_time_ns()
        else:
            self.used += thread_time_ns() - self._began


class Stall(NamedTuple):
    """Nanoseconds."""

    name: str
    implementation: str
    middle: int
    p99: int
    longest: int
    """The longest message of all runs."""
    processor: int
    """The most processor time of one message, without the garbage collector."""
    always: int
    """The most that the same message took in every run."""
    collector: int
    """The most processor time of the garbage collector in one message."""
    machine: int
    """The most that the loop overran."""

    @property
    def verdict(self) -> str:
        if self.implementation != "c":
            return ""
        return REACHED if self.always <= LONGEST_MS * 1e6 else MISSED


Message = Callable[[], object]
Filling = Callable[[Engine, int, int], Message]
"""(engine, number of a message, its first want) -> what is timed."""


def measure(wants: int = WANTS, runs: int = 3, *, pure: bool = True) -> list[Stall]:
    """Messages of a thousand wants, until there are so many; `pure`: of the pure implementation too."""
    return [
        _stall(name, serving, filling, wants, runs)
        for name, filling in FILLINGS.items()
        for serving in engines().values()
        if pure or serving.name == "c"
    ]


def lines(found: Sequence[Stall]) -> list[str]:
    """A table in milliseconds."""
    header = [
        "milliseconds a message",
        "",
        "p50",
        "p99",
        "longest",
        "processor",
        "in every run",
        "collector",
        "machine",
        "",
    ]
    cells = [
        [
            stall.name,
            NAMES[stall.implementation],
            *(f"{value / 1e6:.2f}" for value in stall[2:]),
            stall.verdict,
        ]
        for stall in found
    ]
    return table(header, cells, words=1)


def _wants(
    peer: Callable[[int], str], *, shared: bool = False, known: bool = False, sizes: int | None = LARGE
) -> Filling:
    def filling(engine: Engine, number: int, first: int) -> Message:
        cids = _cids(0 if shared else first)
        if known:
            engine.blocks_stored(dict.fromkeys(cids, LARGE))
        body = inputs.body(inputs.spread_frame(cids, first))
        name = peer(number)

        def found(cids: Sequence[CID]) -> list[int | None]:
            return [sizes] * len(cids)

        return lambda: engine.receive(name, body, found, 0.0)

    return filling


def _stored(engine: Engine, number: int, first: int) -> Message:
    blocks = dict.fromkeys(_cids(first), LARGE)
    return lambda: engine.blocks_stored(blocks)


def _cids(first: int) -> list[CID]:
    return [inputs.numbered(i) for i in range(first, first + PER_MESSAGE)]


FILLINGS: dict[str, Filling] = {
    "1,000 peers": _wants(lambda number: f"peer {number}"),
    "1,000 peers, known blocks": _wants(lambda number: f"peer {number}", known=True),
    "1,000 peers, same wants": _wants(lambda number: f"peer {number}", shared=True),
    "one peer": _wants(lambda _: "peer"),
    "one peer, missing blocks": _wants(lambda _: "peer", sizes=None),
    "blocks stored": _stored,
}


def _stall(name: str, serving: Serving, filling: Filling, wants: int, runs: int) -> Stall:
    done = [_run(serving, filling, wants) for _ in range(runs)]
    wall = sorted(took for run in done for took in run.wall)
    return Stall(
        name,
        serving.name,
        wall[len(wall) // 2],
        wall[len(wall) * 99 // 100],
        wall[-1],
        max(took for run in done for took in run.processor),
        max(map(min, zip(*(run.processor for run in done), strict=True))),
        max(took for run in done for took in run.collector),
        max(took for run in done for took in run.overrun),
    )


def _run(serving: Serving, filling: Filling, wants: int) -> Run:
    engine = serving.engine(
        ServerOptions(max_wantlist_entries=wants, max_total_wantlist_entries=1 << 30, max_known_blocks=wants)
    )
    gc.collect()
    run = Run([], [], [], [])
    collector = Collector()
    gc.callbacks.append(collector)
    for message in _messages(engine, filling, wants):
        collector.used = 0
        began, used = perf_counter_ns(), thread_time_ns()
        message()
        used, took = thread_time_ns() - used, perf_counter_ns() - began
        run.wall.append(took)
        run.processor.append(used - collector.used)
        run.collector.append(collector.used)
        run.overrun.append(_idle(took) - took)
    gc.callbacks.remove(collector)
    return run


def _messages(engine: Engine, filling: Filling, wants: int) -> Iterator[Message]:
    for number, first in enumerate(range(0, wants, PER_MESSAGE)):
        yield filling(engine, number, first)


def _idle(wanted: int) -> int:
    """A loop that does nothing for so many nanoseconds; returns how many it was."""
    began = perf_counter_ns()
    while (took := perf_counter_ns() - began) < wanted:
        pass
    return took
