"""Distributions: how many values fell under each bound. Bounds are those of boxo."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from bitswap.options import KIB

BLOCK_BYTES = (64, KIB, 16 * KIB, 256 * KIB, 256 * KIB + 15, 4096 * KIB)
"""For blocks and messages of answers; 256 KiB + 15 is a full UnixFS leaf in its dag-pb wrapping."""
MESSAGE_BYTES = (1, 128 * KIB, 256 * KIB, 512 * KIB, 1024 * KIB, 2048 * KIB, 4092 * KIB)
"""For bodies of messages received."""
ANSWER_SECONDS = (1, 10, 30, 60, 90, 120, 600)
WANT_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 240, 480, 960, 1920)


class Reading(NamedTuple):
    """A histogram at one moment."""

    edges: tuple[str, ...]
    """Upper bounds as text, the last one "+Inf"."""
    counts: tuple[int, ...]
    """Values up to each edge, those of the edges before included."""
    sum: float


class Histogram:
    """Counts values; safe from any thread. A batch costs one lock, and one search if its values are equal."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._edges = (*map(edge_text, bounds), "+Inf")
        self._lock = threading.Lock()
        self._counts = [0] * len(self._edges)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        place = bisect_left(self._bounds, value)
        with self._lock:
            self._counts[place] += 1
            self._sum += value

    def observe_many(self, values: Sequence[int]) -> None:
        if not values:
            return
        first = values[0]
        # The blocks of a file are nearly all of one size.
        same = values.count(first) == len(values)
        places = [bisect_left(self._bounds, value) for value in ((first,) if same else values)]
        weight = len(values) if same else 1
        total = sum(values)
        with self._lock:
            for place in places:
                self._counts[place] += weight
            self._sum += total

    def read(self) -> Reading:
        with self._lock:
            counts, total = tuple(self._counts), self._sum
        return Reading(self._edges, tuple(accumulate(counts)), total)


def edge_text(bound: float) -> str:
    """A bound as Go's client writes it ("64", "0.05", "4.194304e+06"): charts select by this text."""
    if bound < 1e6:
        return f"{bound:.12g}"
    mantissa, exponent = f"{bound:.12e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"
