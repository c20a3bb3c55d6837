"""Deadlines in a heap, as a machine: the driver hands in the time and sleeps until the next one."""

from __future__ import annotations

import heapq
from collections.abc import Callable

_COMPACT_FROM = 64


class Timer:
    """One deadline; `cancel` makes it do nothing."""

    __slots__ = ("_timers", "callback", "when")

    def __init__(self, timers: Timers, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback
        self._timers = timers

    def cancel(self) -> None:
        """May be called at any time, also after the callback ran."""
        if self.callback is not None:
            self.callback = None
            self._timers.forget_one()


class Timers:
    """All deadlines of one driver, in order of time, then of creation."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Hand out `callback` by `pop_due` once the time is `when` or later."""
        timer = Timer(self, when, callback)
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, timer))
        return timer

    def forget_one(self) -> None:
        """A timer was cancelled; the heap is swept when half of it is dead."""
        self._cancelled += 1
        if self._cancelled > _COMPACT_FROM and self._cancelled * 2 > len(self._heap):
            self._heap = [item for item in self._heap if item[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def next_deadline(self) -> float | None:
        """When `pop_due` will have something; None = never."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> Callable[[], None] | None:
        """Take the first callback whose time has come; None when there is none."""
        when = self.next_deadline()
        if when is None or when > now:
            return None
        timer = heapq.heappop(self._heap)[2]
        callback, timer.callback = timer.callback, None
        return callback
