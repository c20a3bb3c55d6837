"""Random histories of a request queue from a seed."""

from __future__ import annotations

import random

from .catalogue import INT32, ODD, SIZES
from .engine_operations import POPULATIONS, STEPS
from .queue_side import QueueSetup, TaskData
from .world import Operation

MERGING = ("bitswap", "first", "replace")
MAX_ACTIVE = (0, 0, 1, 300, 5000)
TARGETS = (16_384, 1, 100, 1500, 10**6, 0, -1, 2**40)
BATCHES = (15, 15, 1, 2)
HOOKS = ("", "log", "ask", "raise")

WEIGHTS = {
    "push": 100,
    "pop": 100,
    "done": 60,
    "failed": 25,
    "again": 5,
    "remove": 30,
    "clear": 3,
    "thaw_round": 8,
    "thaw": 2,
    "topics": 20,
    "clock": 30,
}


class QueueGenerator:
    """Draws a setup, then operations; the same seed always draws the same."""

    def __init__(self, seed: int, population: str) -> None:
        self.random = rng = random.Random(f"queue {population} {seed}")
        self.population = POPULATIONS[population]
        self.setup = QueueSetup(
            salt=rng.choice((0, 7, 2**64 - 1)),
            starvation_timeout=rng.choice((10.0, 10.0, 0.1, 100.0)),
            max_active=rng.choice(MAX_ACTIVE),
            merging=rng.choice(MERGING),
            freezing=rng.random() < 0.5,
            batches_per_peer=rng.choice(BATCHES),
            hooks=rng.choice(HOOKS),
            now=rng.choice((1000.0, 0.0, -1000.0)),
            renumber=rng.choice((0, 0, 10, 100)),
            scarce=rng.random() < 0.15,
        )
        self.priorities = rng.choice(((1,), tuple(range(4)), (*INT32, 0), tuple(range(1000))))
        self.cids = [*range(self.population.cids), *ODD]
        self.names = list(WEIGHTS)
        self.weights = [int(weight * rng.choice((0.2, 1, 1, 3))) + 1 for weight in WEIGHTS.values()]

    def operation(self) -> Operation:
        name = self.random.choices(self.names, self.weights)[0]
        return (name, *getattr(self, "_" + name, tuple)())

    def _peer(self) -> int:
        return int(self.random.random() ** 2 * self.population.peers)

    def _place(self) -> int:
        return int(self.random.random() ** 2 * 12)

    def _task(self) -> TaskData:
        rng = self.random
        number = rng.choice(self.cids)
        # Here every answer has a size of its own.
        size = rng.choice((*SIZES, 2**31, 2**32 - 1)) if rng.random() < 0.8 else None
        return number, rng.choice(self.priorities), size, rng.random() < 0.6, rng.random() < 0.5

    def _push(self) -> Operation:
        count = self.random.randint(0, self.population.entries)
        limit = self.random.choice((None, None, None, 0, 1, 5, 50))
        return self._peer(), tuple(self._task() for _ in range(count)), limit

    def _pop(self) -> Operation:
        return (self.random.choice(TARGETS),)

    def _done(self) -> Operation:
        return (self._place(),)

    _failed = _done

    def _again(self) -> Operation:
        return self._place(), self.random.choice(("done", "failed"))

    def _remove(self) -> Operation:
        count = self.random.randint(1, 6)
        return self._peer(), tuple(self.random.choice(self.cids) for _ in range(count))

    def _clear(self) -> Operation:
        return (self._peer(),)

    _topics = _clear

    def _clock(self) -> Operation:
        return (self.random.choice(STEPS),)
