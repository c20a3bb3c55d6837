"""Timers without a clock: who wants to be called, and when."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Owner = TypeVar("Owner", bound=Hashable)
_SLACK = 64  # times of nobody that are kept beside as many as there are of somebody


class Deadlines(Generic[Owner]):
    """At most one time an owner, the earliest that it named.

    A time is never moved back, so that naming one costs a look-up when an earlier one stands: an owner that
    is called too early names its next time and goes on waiting. An owner that was removed is held no longer
    than until half of what is held are such.
    """

    def __init__(self) -> None:
        self._when: dict[Owner, float] = {}
        self._heap: list[tuple[float, int, Owner]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._when)

    def at(self, owner: Owner, when: float | None) -> None:
        """Have `owner` called at `when`, or at an earlier time that it named before; None changes nothing."""
        if when is None:
            return
        known = self._when.get(owner)
        if known is not None and known <= when:
            return
        self._when[owner] = when
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, owner))
        self._compact()

    def remove(self, owner: Owner) -> None:
        """Forget what `owner` named."""
        if self._when.pop(owner, None) is not None:
            self._compact()

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._when) + _SLACK:
            known = self._when
            self._heap = [entry for entry in self._heap if known.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def next(self) -> float | None:
        """The earliest time of all, or None."""
        heap = self._heap
        while heap:
            when, _, owner = heap[0]
            if self._when.get(owner) == when:
                return when
            heapq.heappop(heap)
        return None

    def due(self, now: float) -> list[Owner]:
        """Those whose time has come, earliest first; their times are forgotten."""
        owners: list[Owner] = []
        while (when := self.next()) is not None and when <= now:
            owner = heapq.heappop(self._heap)[2]
            del self._when[owner]
            owners.append(owner)
        return owners
