"""Where time comes from. Drivers own a clock; machines are only ever handed `now`."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that never run backwards; the zero point means nothing."""

    def now(self) -> float: ...


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        return time.monotonic()


class VirtualClock:
    """A clock that moves only when told to: tests of a 60 s timer take microseconds."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> float:
        """Move forward and return the new time."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards ({seconds} s)")
        self._now += seconds
        return self._now

    def advance_to(self, when: float) -> float:
        """Move to `when`, or stay where it already is later; return the new time."""
        self._now = max(self._now, when)
        return self._now
