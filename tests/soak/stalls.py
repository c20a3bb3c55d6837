"""Whether this process was kept from running: what failed meanwhile says nothing of the node."""

from __future__ import annotations

import os
import threading
import time

TICK = 0.25
"""Seconds between looks at the clock."""
SPAN = 8
"""Ticks between looks at how long threads had to wait for a processor, where Linux tells."""
LONG = 1.0
"""Seconds that a look may be late, or that a thread may wait in a span; the node's timers run for a few."""


class Stalls:
    """Counts how often a thread of its own was woken much too late, or another waited for long.

    A context manager.
    """

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0.0
        """Seconds."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stalls", daemon=True)

    def __enter__(self) -> Stalls:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        before, ticks, waited = time.monotonic(), 0, waits()
        while not self._over.wait(TICK):
            now = time.monotonic()
            late = now - before - TICK
            before = now
            ticks += 1
            if ticks % SPAN == 0:
                earlier, waited = waited, waits()
                late = max([late, *(waited[task] - earlier.get(task, waited[task]) for task in waited)])
            self.longest = max(self.longest, late)
            if late > LONG:
                self.count += 1


def waits() -> dict[str, float]:
    """Seconds that each thread has waited for a processor while it could have run; nothing but on Linux."""
    folder = "/proc/self/task"
    found = {}
    for task in os.listdir(folder) if os.path.isdir(folder) else ():
        try:
            with open(f"{folder}/{task}/schedstat", encoding="ascii") as file:
                found[task] = int(file.read().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            continue  # it ended meanwhile, or the system does not tell
    return found
