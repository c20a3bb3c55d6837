"""Whether something grew: counts that must come back to what they were, and memory by a robust line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import median

FEWEST = 8
"""Epochs from which a line through the memory says something."""
BOUNDS = {
    "KiB resident": 256.0,
    "KiB resident, files apart": 256.0,
    "KiB in use by malloc": 64.0,
    "memory blocks of Python": 1000.0,
    "bytes of the compiled core": 16_384.0,
}
"""What each may grow by for 1,000 peers that came and went: a quarter of a KiB, and one object, for each."""


@dataclass
class Sample:
    """A node at rest."""

    epoch: int
    seconds: float
    peers: int
    """Peers that have come and gone so far."""
    exact: dict[str, int] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    bounded: dict[str, tuple[int, int]] = field(default_factory=dict)
    """What may differ, and at most how much of it there may be."""


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes of all pairs (Theil and Sen): a few outliers do not move it."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2]
    return median(slopes) if slopes else 0.0


def differences(before: dict[str, int], after: dict[str, int]) -> dict[str, tuple[int, int]]:
    """What is not as it was: (before, after) by name."""
    names = sorted(before.keys() | after.keys())
    return {
        name: (before.get(name, 0), after.get(name, 0))
        for name in names
        if before.get(name, 0) != after.get(name, 0)
    }


def slopes(samples: Sequence[Sample]) -> dict[str, float]:
    """Growth of each kind of memory for 1,000 peers; `samples` are those after the warm-up.

    The first quarter is left out: an allocator takes longer to settle than counts do.
    """
    settled = samples[len(samples) // 4 :]
    names = settled[0].memory if settled else {}
    return {name: slope([(sample.peers / 1000, sample.memory[name]) for sample in settled]) for name in names}


def grown(samples: Sequence[Sample], warm: int) -> list[str]:
    """What is not flat after the first `warm` epochs, a sentence each. ValueError if no two are left."""
    judged = samples[warm:]
    if len(judged) < 2:
        raise ValueError("nothing can be said of fewer than two epochs after the warm-up")
    found = []
    first = judged[0]
    for name in sorted({name for sample in judged for name in sample.exact}):
        values = [sample.exact.get(name, 0) for sample in judged]
        if len(set(values)) > 1:
            at = next(place for place, value in enumerate(values) if value != values[0])
            told = f"{name}: {values[0]} in epoch {first.epoch}, {values[at]} in epoch {judged[at].epoch}"
            found.append(f"{told}, {values[-1]} in the last")
    for sample in judged:
        for name, (value, most) in sample.bounded.items():
            if value > most:
                found.append(f"{name}: {value} in epoch {sample.epoch}, where {most} are allowed")
    if len(judged) >= FEWEST:
        for name, value in slopes(judged).items():
            if value > BOUNDS[name]:
                found.append(
                    f"{name}: {value:,.1f} more for 1,000 peers, where {BOUNDS[name]:,.0f} are allowed"
                )
    return found
