"""What is aimed at between two nodes, and whether it is reached."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.goals import MISSED, REACHED
from benchmarks.nodes.scenarios import Busy, Kind, Scenario
from benchmarks.nodes.sides import Side

Pair = tuple[Side, Side]
"""Client, server."""
REFERENCE: Pair = (Side.BOXO, Side.BOXO)
BOTH_OURS: Pair = (Side.OURS, Side.OURS)
EVEN = 0.03
"""How far below 1 a ratio still counts as not slower: two runs of the same thing differ by as much."""


class Aim(NamedTuple):
    """One of those that are not None must hold."""

    ratio: float | None = None
    """Times as fast as boxo with boxo."""
    megabytes: float | None = None
    """MB/s at least."""
    blocks: float | None = None
    """Blocks/s at least."""
    milliseconds: float | None = None
    """In the middle of all calls, at most."""

    def __str__(self) -> str:
        parts = (
            (self.ratio, "{:g}x"),
            (self.megabytes, "{:,g} MB/s"),
            (self.blocks, "{:,g} blocks/s"),
            (self.milliseconds, "{:g} ms"),
        )
        return " or ".join(text.format(value) for value, text in parts if value is not None)

    def verdict(self, *, ratio: float | None, scenario: Scenario, seconds: float) -> str:
        """`seconds` of a transfer, or of one call where that is what is measured."""
        if self.ratio is not None and ratio is None:
            return ""
        slack = EVEN if self.ratio == 1 else 0.0
        held = (
            self.ratio is not None and ratio is not None and ratio >= self.ratio - slack,
            self.megabytes is not None and scenario.bytes / seconds / 1e6 >= self.megabytes,
            self.blocks is not None and scenario.count / seconds >= self.blocks,
            self.milliseconds is not None and seconds * 1e3 <= self.milliseconds,
        )
        return REACHED if any(held) else MISSED


_OURS = {
    "1mib": Aim(1.5),
    "1mib-kept": Aim(1.3),
    "256kib": Aim(1.5),
    "256kib-kept": Aim(1.3),
    "file": Aim(1.5),
    "10000": Aim(4, blocks=100_000),
    "50000": Aim(3),
    "latency": Aim(milliseconds=0.5),
}


def aim(scenario: Scenario, pair: Pair) -> Aim | None:
    """None where nothing is aimed at."""
    if pair == REFERENCE or Side.PURE in pair:
        return None
    if scenario.busy is not Busy.NEITHER:
        if pair != BOTH_OURS or scenario.kind is Kind.LATENCY:
            return None
        return Aim(megabytes=100) if scenario.size > 16 * 1024 else Aim(blocks=25_000)
    return _OURS.get(scenario.key) if pair == BOTH_OURS else Aim(1)
