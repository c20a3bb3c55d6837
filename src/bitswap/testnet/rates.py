"""How many bytes a second a way carries (boxo `testnet/rate_limit_generators.go` and its token bucket)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Rate = Callable[[Random], float]
"""Draws bytes a second, above 0."""

_LEAST = 1.0  # bytes a second: a draw below it would never deliver anything


def fixed_rate(bytes_per_second: float) -> Rate:
    return lambda _: bytes_per_second


def normal_rate(mean: float, deviation: float) -> Rate:
    """Bytes a second around a mean."""
    return lambda random: max(random.gauss(mean, deviation), _LEAST)


class TokenBucket:
    """Tokens for bytes: empty at first, `rate` a second are added, one second's worth is kept at most.

    Whoever takes more than there is waits until the deficit is paid off; the next one waits behind it.
    """

    __slots__ = ("_at", "_tokens", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._tokens = 0.0
        self._at = now

    def take(self, count: int, now: float) -> float:
        """Take `count` tokens; returns the seconds to wait for them."""
        rate = self.rate
        tokens = min(self._tokens + (now - self._at) * rate, rate) - count
        self._tokens = tokens
        self._at = now
        return -tokens / rate if tokens < 0.0 else 0.0
