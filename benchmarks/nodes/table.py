"""The table of all scenarios and pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.nodes.aims import REFERENCE, Pair, aim
from benchmarks.nodes.runs import Samples, name
from benchmarks.nodes.scenarios import Busy, Kind, Scenario
from benchmarks.nodes.sides import Sample
from benchmarks.report import table
from bitswap.options import KIB, MIB

COLUMNS = (
    *("blocks", "client <- server", "median", "slowest to fastest", "to boxo"),
    *("client s", "server s", "client MiB", "server MiB", "goal", ""),
)


def lines(measured: Sequence[tuple[Scenario, Samples]]) -> list[str]:
    """A line for each pair; seconds are processor time."""
    rows = [_row(scenario, pair, samples) for scenario, samples in measured for pair in samples]
    return table(COLUMNS, rows, words=2)


def speed(scenario: Scenario, seconds: float) -> str:
    """In the unit in which that size is usually told; of a latency `seconds` is that of a call."""
    if scenario.kind is Kind.LATENCY:
        return f"{seconds * 1e3:.2f} ms"
    if scenario.size < 16 * KIB:
        return f"{scenario.count / seconds:,.0f} blocks/s"
    return f"{scenario.bytes / seconds / 1e6:,.0f} MB/s"


def seconds_of(sample: Sample) -> float:
    return sample.seconds if sample.p50 is None else sample.p50


def ratio(samples: Samples, pair: Pair) -> float | None:
    """How many times as fast as boxo with boxo."""
    if not samples[pair] or not samples.get(REFERENCE):
        return None
    middle = {which: median(map(seconds_of, samples[which])) for which in (REFERENCE, pair)}
    return middle[REFERENCE] / middle[pair]


def _row(scenario: Scenario, pair: Pair, samples: Samples) -> list[str]:
    found = samples[pair]
    if not found:
        return [scenario.name, name(pair), "failed", *[""] * (len(COLUMNS) - 3)]
    times = sorted(map(seconds_of, found))
    middle = median(times)
    to_boxo = ratio(samples, pair)
    target = aim(scenario, pair)
    # Where it computes beside its work, its processor time says nothing.
    busy = {Busy.NEITHER: None, Busy.CLIENT: 0, Busy.SERVER: 1}[scenario.busy]
    cpu = [
        "-" if busy == at and pair != REFERENCE else f"{_middle(found, get):.2f}"
        for at, get in enumerate((_client_cpu, _server_cpu))
    ]
    memory = [f"{_middle(found, get) / MIB:,.0f}" for get in (_client_bytes, _server_bytes)]
    return [
        scenario.name,
        name(pair),
        speed(scenario, middle),
        _spread(scenario, times, found),
        "" if to_boxo is None or pair == REFERENCE else f"{to_boxo:.2f}x",
        *cpu,
        *memory,
        "" if target is None else str(target),
        "" if target is None else target.verdict(ratio=to_boxo, scenario=scenario, seconds=middle),
    ]


def _spread(scenario: Scenario, times: Sequence[float], found: Sequence[Sample]) -> str:
    text = f"{speed(scenario, times[-1]).split()[0]} to {speed(scenario, times[0]).split()[0]}"
    tails = [sample.p99 for sample in found if sample.p99 is not None]
    return f"{text}; p99 {median(tails) * 1e3:.2f}" if tails else text


def _middle(found: Sequence[Sample], get: Callable[[Sample], float]) -> float:
    return median(map(get, found))


def _client_cpu(sample: Sample) -> float:
    return sample.client_cpu


def _server_cpu(sample: Sample) -> float:
    return sample.server_cpu


def _client_bytes(sample: Sample) -> float:
    return sample.client_bytes


def _server_bytes(sample: Sample) -> float:
    return sample.server_bytes
