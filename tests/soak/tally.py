"""What was done, counted; what failed without a cause of its own, told."""

from __future__ import annotations

import threading
from collections import Counter

MOST_FAILURES = 50
"""Failures that are told in words."""


class Tally:
    """Counters of all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.disturbed: list[str] = []

    def add(self, **counts: int) -> None:
        """Count things done, by name."""
        with self._lock:
            self._counts.update(counts)

    def transferred(self, blocks: int, data: int, *, by: str) -> None:
        """A transfer came to its end, every block of it verified; `by` whom it was "fetched" or "served"."""
        with self._lock:
            self._counts.update({"transfers": 1, f"blocks {by}": blocks, f"bytes {by}": data})

    def fail(self, what: str) -> None:
        """Something failed without a cause of its own."""
        with self._lock:
            self._counts["failures"] += 1
            if len(self.failures) < MOST_FAILURES:
                self.failures.append(what)

    def disturb(self, what: str) -> None:
        """Something failed while a process stood still: it is done again."""
        with self._lock:
            self._counts["disturbed"] += 1
            if len(self.disturbed) < MOST_FAILURES:
                self.disturbed.append(what)

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def all(self) -> dict[str, int]:
        """Everything, by name."""
        with self._lock:
            return dict(sorted(self._counts.items()))
