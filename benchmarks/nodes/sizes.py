"""Throughput by block size, all four pairs; as a table and as a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.nodes.chart import Line, log_chart
from benchmarks.nodes.runs import Samples, name, run
from benchmarks.nodes.scenarios import Scenario, size_label
from benchmarks.nodes.sides import Sample, Setting
from benchmarks.report import table
from bitswap.options import KIB, MIB

SIZES = tuple(KIB * kib for kib in (1, 4, 16, 64, 256, 512, 1024, 2048))
_BYTES, _QUICK_BYTES = 256 * MIB, 16 * MIB
_MOST, _QUICK_MOST = 10_000, 2000
_BATCH = 1000

Measured = list[tuple[Scenario, Samples]]


def scenario(size: int, *, quick: bool) -> Scenario:
    """Some hundred megabytes, but of small blocks no more than take a moment."""
    most, total = (_QUICK_MOST, _QUICK_BYTES) if quick else (_MOST, _BYTES)
    count = min(most, total // size)
    return Scenario(f"{size}", count, size, count, batch=_BATCH)


def measure(setting: Setting, rounds: int, *, quick: bool) -> Measured:
    """Blocks are dropped once they are verified."""
    chosen = [scenario(size, quick=quick) for size in SIZES]
    return [(each, run(setting, each, rounds, pure=False)) for each in chosen]


def lines(measured: Measured) -> list[str]:
    """A line for each size, a column for each pair."""
    columns = [name(pair) for pair in measured[0][1]]
    rows = []
    for each, samples in measured:
        cells = [_cell(each, samples[pair]) for pair in samples]
        rows.append([each.name, *cells])
    return table(["blocks", *columns], rows)


def drawing(measured: Measured, title: str) -> str:
    """An SVG file."""
    drawn = []
    for pair in measured[0][1]:
        points = [(each.size, _megabytes(each, samples[pair])) for each, samples in measured if samples[pair]]
        drawn.append(Line(name(pair), points))
    return log_chart(drawn, [(size, size_label(size)) for size in SIZES], f"MB/s by block size; {title}")


def _cell(each: Scenario, samples: Sequence[Sample]) -> str:
    return f"{_megabytes(each, samples):,.0f}" if samples else "failed"


def _megabytes(each: Scenario, samples: Sequence[Sample]) -> float:
    return each.bytes / median(sample.seconds for sample in samples) / 1e6
