"""Random histories from a seed: first how the engine is set up, then operation after operation."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from .catalogue import INT32, LARGE_SIZES, ODD, PLAIN, Entry, limit_sizes, usual_size
from .engine_side import FORMS, EngineSetup
from .world import Operation

KIB = 1024

CHOICES: dict[str, tuple[Any, ...]] = {
    "target_message_size": (16 * KIB, 16 * KIB, 1, 40, 300, 3000, 100_000),
    "max_outstanding_bytes": (1024 * KIB, 1024 * KIB, 0, 1, 500, 4000, 20_000),
    "max_total_outstanding_bytes": (256 * KIB * KIB, 256 * KIB * KIB, 1, 5000, 50_000),
    "max_round_bytes": (8192 * KIB, 8192 * KIB, 1, 5000, 60_000),
    "max_message_answers": (256, 256, 1, 2, 9),
    "max_wantlist_entries": (16_384, 16_384, 1, 2, 5, 20, 60),
    "min_wantlist_entries": (1024, 1, 3, 10),
    "max_total_wantlist_entries": (1 << 20, 1 << 20, 8, 40, 200),
    "max_cid_size": (168, 168, 0, 36, 34),
    "want_have_replace_size": (1024, 1024, 0, 1, 100, 10_000),
    "send_dont_haves": (True, True, True, False),
    "starvation_timeout": (10.0, 10.0, 0.1, 1.0, 100.0),
    "retry_delay": (0.1, 0.1, 1.0),
    "max_known_blocks": (0, 0, 1, 8, 50, 10_000),
    "adaptive": (True, False),
}
"""Values of options; those that come more than once are drawn more often."""

GROWTH = 8
"""How much more than at first a peer may be given, where that adapts."""


def options(draw: Callable[[tuple[Any, ...]], Any]) -> dict[str, Any]:
    """One value for each option, each from `draw`; those that depend on others fit them."""
    chosen = {name: draw(values) for name, values in CHOICES.items()}
    if chosen["adaptive"]:
        chosen["max_target_message_size"] = chosen["target_message_size"] * GROWTH
        chosen["max_outstanding_bytes_fast"] = chosen["max_outstanding_bytes"] * GROWTH
    return chosen


class Population(NamedTuple):
    peers: int
    cids: int
    entries: int
    """Of a message, at most."""


POPULATIONS = {
    "small": Population(3, 8, 6),
    "middle": Population(8, 60, 25),
    "wide": Population(120, 300, 12),
    "deep": Population(2, 600, 120),
    "large": Population(3, 12, 8),
}

WEIGHTS: dict[str, int] = {
    "message": 300,
    "next": 160,
    "fill": 140,
    "sent": 110,
    "failed": 25,
    "serve": 10,
    "notify": 60,
    "put": 20,
    "vanish": 20,
    "stored": 25,
    "removed": 15,
    "clock": 60,
    "connect": 8,
    "disconnect": 14,
    "received": 10,
    "lookup": 15,
    "looked_up": 15,
    "nested": 6,
    "garbage": 4,
    "again": 12,
    "ask": 25,
    "forbid": 6,
}

STEPS = (0.0, 0.001, 0.05, 0.1, 0.2, 0.5, 1.0, 1.1, 5.0, 9.99, 10.0, 10.000001, 11.0, 60.0)
PATTERNS = (".",) * 12 + ("x", "x.", ".x", "e.", "m.", "L", "..L", "f", "o", "s", "xLm.")


class EngineGenerator:
    """Draws a setup, then operations that fit it; the same seed always draws the same."""

    def __init__(self, seed: int, population: str) -> None:
        self.random = random.Random(f"{population} {seed}")
        self.kind = population
        self.population = POPULATIONS[population]
        self.setup = self._setup()
        rng = self.random
        odd = rng.sample(ODD, rng.choice((0, 3, len(ODD))))
        self.cids = [*rng.sample(range(min(PLAIN, 4 * self.population.cids)), self.population.cids), *odd]
        self.popular = rng.sample(self.cids, max(1, len(self.cids) // 10))
        self.priorities = rng.choice(((1,), (0, 1, 2, 3), tuple(range(50)), (*INT32, -1, 0, 1), ()))
        self.names = list(WEIGHTS)
        # Each history has its own mixture, so that queues grow long in some and stay empty in others.
        self.weights = [int(weight * rng.choice((0.2, 1, 1, 1, 3))) + 1 for weight in WEIGHTS.values()]

    def _setup(self) -> EngineSetup:
        rng = self.random
        chosen = options(rng.choice)
        usual = self.kind != "large"
        if not usual:
            chosen |= {"target_message_size": 8 << 20, "adaptive": False, "max_outstanding_bytes": 0}
        return EngineSetup(
            options=chosen,
            salt=rng.choice((0, 7, 2**64 - 1, rng.getrandbits(64))),
            envelopes_per_peer=rng.choice((1, 1, 2, 3, 8, 15)),
            layer=rng.choice(("engine", "engine", "core")),
            now=rng.choice((1000.0, 0.0, -1000.0, 1e9)),
            # Large blocks come by and by, because those that are there at first have the usual sizes.
            stored=rng.choice((0, self.population.cids, 4 * self.population.cids)) if usual else 0,
            filtered=rng.random() < 0.25,
            renumber=rng.choice((0, 0, 10, 100)),
            scarce=rng.random() < 0.15,
        )

    def operation(self) -> Operation:
        name = self.random.choices(self.names, self.weights)[0]
        return (name, *getattr(self, "_" + name, tuple)())

    # Parts of operations

    def _peer(self) -> int:
        # The square makes some peers busy and others rare.
        return int(self.random.random() ** 2 * self.population.peers)

    def _cid(self) -> int:
        return self.random.choice(self.popular if self.random.random() < 0.2 else self.cids)

    def _cids(self) -> tuple[int, ...]:
        most = self.random.choice((6, 6, 6, 50))
        return tuple({self._cid(): None for _ in range(self.random.randint(1, most))})

    def _sized(self) -> tuple[tuple[int, int], ...]:
        return tuple((number, self._size(number)) for number in self._cids())

    def _size(self, number: int) -> int:
        if self.kind != "large":
            return usual_size(number)
        # A CID always has the same.
        sizes = (*LARGE_SIZES[:4], 100, *limit_sizes(number), *LARGE_SIZES)
        return sizes[number * 7 % len(sizes)]

    def _place(self) -> int:
        return int(self.random.random() ** 2 * 12)

    def _priority(self) -> int:
        if not self.priorities:
            return self.random.randint(*INT32)
        return self.random.choice(self.priorities)

    def _entries(self) -> tuple[Entry, ...]:
        rng = self.random
        count = min(rng.randint(0, self.population.entries), rng.randint(0, 2 * self.population.entries))
        cancels = rng.choice((0.0, 0.1, 0.1, 0.9))
        asks = rng.choice((0.0, 0.5, 1.0))
        kinds = rng.choice(((0,), (1,), (0, 1), (0, 0, 1, 1, 2, -1, *INT32)))
        return tuple(
            (self._cid(), self._priority(), rng.choice(kinds), rng.random() < cancels, rng.random() < asks)
            for _ in range(count)
        )

    def _wantlist(self) -> tuple[bool, tuple[Entry, ...]]:
        full = self.random.random() < 0.06
        return full, () if full and self.random.random() < 0.3 else self._entries()

    # Operations

    def _message(self) -> Operation:
        return self._peer(), self.random.choice(("receive",) * 3 + FORMS), *self._wantlist()

    def _lookup(self) -> Operation:
        return self.random.choice(FORMS[1:5]), *self._wantlist()

    def _looked_up(self) -> Operation:
        return self._peer(), self._place(), self.random.choice((0,) * 8 + (1, -1))

    def _nested(self) -> Operation:
        inner: Operation = self.random.choice((("fail",), ("short",), ("ask",)))
        if self.random.random() < 0.6:
            inner = self.operation()
            while inner[0] not in NESTED:
                inner = self.operation()
        return self._peer(), *self._wantlist(), inner

    def _garbage(self) -> Operation:
        return self._peer(), self._entries(), self.random.choice((0, 1, 2, 5))

    def _notify(self) -> Operation:
        return (self._sized(),)

    _put = _stored = _notify

    def _vanish(self) -> Operation:
        return (self._cids(),)

    _removed = _vanish

    def _connect(self) -> Operation:
        return (self._peer(),)

    _disconnect = _connect

    def _received(self) -> Operation:
        return self._peer(), self.random.choice((0, 1, 1000, 10**7)), self.random.choice((0, 1, 5))

    def _fill(self) -> Operation:
        return self._place(), self.random.choice(PATTERNS)

    def _sent(self) -> Operation:
        return (self._place(),)

    _failed = _sent

    def _again(self) -> Operation:
        return self._place(), self.random.choice(("fill", "sent", "failed"))

    def _serve(self) -> Operation:
        return (self.random.choice((1, 3, 20)),)

    def _clock(self) -> Operation:
        return (self.random.choice(STEPS),)

    def _forbid(self) -> Operation:
        return (self.random.choice((0, 0, 3, 7, 10)),)


NESTED = ("message", "disconnect", "notify", "stored", "removed", "next", "sent", "failed", "ask")
"""What a store may call the core for while it is asked."""
