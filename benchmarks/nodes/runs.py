"""The pairs of a scenario by turns, the order moved on by one each round."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from benchmarks.nodes.aims import BOTH_OURS, REFERENCE, Pair
from benchmarks.nodes.scenarios import Busy, Scenario
from benchmarks.nodes.sides import Sample, Servers, Setting, Side, transfer
from tests.interop.process import ProcessFailed

Samples = dict[Pair, list[Sample]]


def pairs(scenario: Scenario, *, pure: bool) -> list[Pair]:
    """boxo with boxo first; where a process of ours is busy, only pairs that it takes part in."""
    by_us: Pair = (Side.OURS, Side.BOXO)
    of_us: Pair = (Side.BOXO, Side.OURS)
    mixed = {Busy.NEITHER: [by_us, of_us], Busy.CLIENT: [by_us], Busy.SERVER: [of_us]}[scenario.busy]
    found = [REFERENCE, BOTH_OURS, *mixed]
    return [*found, (Side.PURE, Side.PURE)] if pure else found


def name(pair: Pair) -> str:
    return f"{pair[0].value} <- {pair[1].value}"


def run(setting: Setting, scenario: Scenario, rounds: int, *, pure: bool) -> Samples:
    """A pair that fails once is told on standard error and left out from then on."""
    left = pairs(scenario, pure=pure)
    samples: Samples = {pair: [] for pair in left}
    with ExitStack() as stack:
        servers = Servers(setting, scenario, stack)
        for number in range(rounds):
            turn = number % len(left)
            for pair in left[turn:] + left[:turn]:
                _progress(f"{scenario.name}, round {number + 1} of {rounds}: {name(pair)}")
                try:
                    samples[pair].append(transfer(setting, scenario, *pair, servers))
                except ProcessFailed as error:
                    _progress("")
                    print(f"{scenario.name}, {name(pair)}: {error}", file=sys.stderr)
                    left = [other for other in left if other != pair]
                    samples[pair] = []
            if not left:
                break
    _progress("")
    return samples


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:<70}" if text else f"\r{'':70}\r", end="", file=sys.stderr, flush=True)
