"""A bucket that fills with tokens at a steady rate: how much of something there may be, now and in time."""

from __future__ import annotations


class TokenBucket:
    """A machine. Whoever finds it above nothing may take what he needs, and owes what he takes too much.

    So in any span of t seconds at most `rate * t + burst` tokens go, and what the last one took. Time that
    runs backwards fills nothing and takes nothing away.
    """

    __slots__ = ("_at", "_level", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """`rate` tokens a second, at most `burst` at once; it is full at first."""
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._at = now

    def level(self, now: float) -> float:
        """Tokens there are; negative when some are owed."""
        if now > self._at:
            self._level = min(self._level + (now - self._at) * self.rate, self.burst)
            self._at = now
        return self._level

    def take(self, tokens: float, now: float) -> None:
        """Take that many, whether they are there or not; a negative number gives some back."""
        self._level = min(self.level(now) - tokens, self.burst)

    def ready_at(self, now: float) -> float:
        """When something can be taken again: `now`, or later."""
        level = self.level(now)
        # A moment more, so that rounding leaves nothing owed then.
        return now if level > 0 else now - level / self.rate + 1e-6
