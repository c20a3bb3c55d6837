"""How long messages are on their way, drawn for each direction of a connection (boxo `delay`)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Delay = Callable[[Random], float]
"""Draws seconds, never negative."""


def fixed(seconds: float) -> Delay:
    return lambda _: seconds


def uniform(least: float, most: float) -> Delay:
    """Seconds anywhere between two bounds."""
    return lambda random: max(random.uniform(least, most), 0.0)


def normal(mean: float, deviation: float) -> Delay:
    """Seconds around a mean."""
    return lambda random: max(random.gauss(mean, deviation), 0.0)


def internet(
    mean: float,
    deviation: float,
    *,
    medium: float = 0.0,
    large: float = 0.0,
    medium_share: float = 0.0,
    large_share: float = 0.0,
) -> Delay:
    """Seconds around a mean, `medium` or `large` seconds more for some shares of ways (boxo's model).

    One number decides which: below `large_share` the large one, in the next `medium_share` the medium one.
    boxo's model lets a draw become negative; here it is 0 then.
    """

    def draw(random: Random) -> float:
        extra = 0.0
        chance = random.random()
        if chance < large_share:
            extra = large
        elif chance < large_share + medium_share:
            extra = medium
        return max(random.gauss(mean, deviation) + extra, 0.0)

    return draw
