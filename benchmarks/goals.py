"""What is aimed at, and whether it is reached: speed beside boxo and the pure twin, bytes of memory."""

from __future__ import annotations

from typing import NamedTuple

REACHED, MISSED = "reached", "not reached"


class Goal(NamedTuple):
    """How many times as fast the compiled one is to be; None = nothing is aimed at."""

    boxo: float | None = None
    pure: float | None = None

    def __str__(self) -> str:
        parts = [f"{value:g}x {name}" for name, value in (("boxo", self.boxo), ("pure", self.pure)) if value]
        return ", ".join(parts)

    def verdict(self, boxo: float | None, pure: float | None) -> str:
        """Of two ratios; empty while one that is needed is not there."""
        pairs = [(got, least) for got, least in ((boxo, self.boxo), (pure, self.pure)) if least is not None]
        if not pairs or any(got is None for got, _ in pairs):
            return ""
        return REACHED if all(got is not None and got >= least for got, least in pairs) else MISSED


NO_GOAL = Goal()
TWIN = 15.0
"""Every row of the engine, but where the bytes of blocks are what takes the time."""
CODEC = ("wants", "cancels", "presences")
ENGINE = {
    "receive, known": Goal(10, TWIN),
    "receive, dict": Goal(5, TWIN),
    "receive, missing": Goal(5, TWIN),
    "send presences": Goal(8, TWIN),
    "send blocks of 256 B": Goal(3, TWIN),
    "send blocks of 16 KiB": NO_GOAL,
}
QUEUE = {"push": 2.0, "pop": 3.0, "remove": 2.0}
"""From 1,000 to 100,000 answers; above it never slower than boxo."""
MEMORY = {
    "queued wants, 1,000 x 1,000": 100,
    "queued wants, 100,000 x 10": 120,
    "queued wants, 1,000 x 1,000, the same": 60,
}
"""Bytes an item at most, by what is held."""
LONGEST_MS = 5.0
"""Milliseconds that a message may take at most while the tables grow to a million wants."""


def goal(name: str) -> Goal:
    """The goal of an operation."""
    family, _, rest = name.partition(": ")
    if family in {f"{verb} 1,000 {what}" for verb in ("decode", "encode") for what in CODEC}:
        return Goal(boxo=5)
    if family == "engine":
        what, _, _ = rest.rpartition(", ")
        return ENGINE.get(what, Goal(pure=TWIN))
    if family == "queue":
        what, _, shape = rest.partition(", ")
        peers, each = (int(part.replace(",", "")) for part in shape.split(" x "))
        if peers * each < 1000:
            return NO_GOAL
        return Goal(boxo=QUEUE[what] if peers * each <= 100_000 else 1)
    return NO_GOAL


def memory_verdict(name: str, compiled: float | None) -> str:
    most = MEMORY.get(name)
    if most is None or compiled is None:
        return ""
    return REACHED if compiled <= most else MISSED
