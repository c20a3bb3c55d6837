"""Short histories that shrink: both implementations and the model, several peers, envelopes under way."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from bitswap.decision.implementations import implementations
from tests.sizes import LONG

from . import queue_operations
from .catalogue import INT32, ODD
from .engine_operations import CHOICES, GROWTH, PATTERNS, STEPS
from .engine_side import FORMS, EngineSetup
from .pair import Pair
from .queue_side import QueueSetup
from .world import Operation

SIDES = tuple(implementations())

peers = st.integers(0, 3)
plain = st.integers(0, 7)
cids = st.one_of(plain, plain, plain, st.sampled_from(ODD))
some_cids = st.lists(cids, min_size=1, max_size=4, unique=True).map(tuple)
SIZES = (1, 0, 300, 1024, 1025, 5000)  # in turn; a CID always has the same


def sized(numbers: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((number, SIZES[number % len(SIZES)]) for number in numbers)


found = some_cids.map(sized)
priorities = st.one_of(st.integers(0, 2), st.sampled_from((*INT32, -1)))
entries = st.lists(
    st.tuples(cids, priorities, st.sampled_from((0, 0, 1, 1, 2, *INT32)), st.booleans(), st.booleans()),
    max_size=8,
).map(tuple)
places = st.integers(0, 5)
full = st.sampled_from((False, False, False, False, True))


@st.composite
def engine_setups(draw: Any) -> EngineSetup:
    chosen = {name: draw(st.sampled_from(values)) for name, values in CHOICES.items()}
    if chosen["adaptive"]:
        chosen["max_target_message_size"] = chosen["target_message_size"] * GROWTH
        chosen["max_outstanding_bytes_fast"] = chosen["max_outstanding_bytes"] * GROWTH
    return EngineSetup(
        chosen,
        salt=draw(st.sampled_from((0, 7, 2**64 - 1))),
        envelopes_per_peer=draw(st.sampled_from((1, 2, 8))),
        layer=draw(st.sampled_from(("engine", "core"))),
        now=draw(st.sampled_from((1000.0, 0.0, -50.0))),
        filtered=draw(st.booleans()),
        renumber=draw(st.sampled_from((0, 5))),
        scarce=draw(st.booleans()),
    )


class Engines(RuleBasedStateMachine):
    pair: Pair

    @initialize(setup=engine_setups())
    def start(self, setup: EngineSetup) -> None:
        self.pair = Pair(setup, SIDES, watched=True)

    def apply(self, *operation: Any) -> None:
        self.pair.apply(operation)
        self.pair.check()

    @rule(peer=peers, form=st.sampled_from(FORMS), full=full, entries=entries)
    def message(self, peer: int, form: str, full: bool, entries: Any) -> None:
        self.apply("message", peer, form, full, entries)

    @rule(form=st.sampled_from(FORMS[1:5]), full=full, entries=entries)
    def lookup(self, form: str, full: bool, entries: Any) -> None:
        self.apply("lookup", form, full, entries)

    @rule(peer=peers, place=places, extra=st.sampled_from((0, 0, 0, 1, -1)))
    def looked_up(self, peer: int, place: int, extra: int) -> None:
        self.apply("looked_up", peer, place, extra)

    @rule(
        peer=peers,
        entries=entries,
        inner=st.one_of(
            st.sampled_from((("fail",), ("short",), ("next",), ("sent", 0), ("failed", 0))),
            st.tuples(st.just("disconnect"), peers),
            st.tuples(st.just("removed"), some_cids),
            st.tuples(st.just("message"), peers, st.just("receive"), full, entries),
        ),
    )
    def nested(self, peer: int, entries: Any, inner: Operation) -> None:
        self.apply("nested", peer, False, entries, inner)

    @rule(found=found, what=st.sampled_from(("notify", "notify", "put", "stored")))
    def blocks_come(self, found: Any, what: str) -> None:
        self.apply(what, found)

    @rule(numbers=some_cids, what=st.sampled_from(("vanish", "removed")))
    def blocks_go(self, numbers: Any, what: str) -> None:
        self.apply(what, numbers)

    @rule()
    def take(self) -> None:
        self.apply("next")

    @rule(place=places, pattern=st.sampled_from(PATTERNS))
    def fill(self, place: int, pattern: str) -> None:
        self.apply("fill", place, pattern)

    @rule(place=places, what=st.sampled_from(("sent", "sent", "failed")))
    def end(self, place: int, what: str) -> None:
        self.apply(what, place)

    @rule(place=places, what=st.sampled_from(("sent", "failed", "fill")))
    def again(self, place: int, what: str) -> None:
        self.apply("again", place, what)

    @rule(peer=peers)
    def leaves(self, peer: int) -> None:
        self.apply("disconnect", peer)

    @rule(peer=peers, byte_count=st.sampled_from((0, 1, 5000)))
    def gives(self, peer: int, byte_count: int) -> None:
        self.apply("received", peer, byte_count, 1)

    @rule(seconds=st.sampled_from(STEPS))
    def time_passes(self, seconds: float) -> None:
        self.apply("clock", seconds)

    @rule(denied=st.sampled_from((0, 3, 10)))
    def forbid(self, denied: int) -> None:
        self.apply("forbid", denied)

    @rule()
    def ask(self) -> None:
        self.apply("ask")

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.finish()


# In a queue every answer has a size of its own.
task_sizes = st.sampled_from((None, 0, 1, 300, 5000, 2**32 - 1))
tasks = st.lists(st.tuples(cids, priorities, task_sizes, st.booleans(), st.booleans()), max_size=6).map(tuple)


class Queues(RuleBasedStateMachine):
    pair: Pair

    @initialize(
        merging=st.sampled_from(queue_operations.MERGING),
        max_active=st.sampled_from(queue_operations.MAX_ACTIVE),
        freezing=st.booleans(),
        batches=st.sampled_from((1, 2, 15)),
        hooks=st.sampled_from(queue_operations.HOOKS),
        renumber=st.sampled_from((0, 5)),
        scarce=st.booleans(),
    )
    def start(self, batches: int, **drawn: Any) -> None:
        self.pair = Pair(QueueSetup(batches_per_peer=batches, **drawn), SIDES)

    def apply(self, *operation: Any) -> None:
        self.pair.apply(operation)
        self.pair.check()
        for peer in range(4):
            self.pair.apply(("topics", peer))

    @rule(peer=peers, tasks=tasks, limit=st.sampled_from((None, None, 0, 1, 4)))
    def push(self, peer: int, tasks: Any, limit: int | None) -> None:
        self.apply("push", peer, tasks, limit)

    @rule(size=st.sampled_from(queue_operations.TARGETS))
    def pop(self, size: int) -> None:
        self.apply("pop", size)

    @rule(place=places, what=st.sampled_from(("done", "done", "failed")))
    def end(self, place: int, what: str) -> None:
        self.apply(what, place)

    @rule(place=places, what=st.sampled_from(("done", "failed")))
    def again(self, place: int, what: str) -> None:
        self.apply("again", place, what)

    @rule(peer=peers, numbers=some_cids)
    def remove(self, peer: int, numbers: Any) -> None:
        self.apply("remove", peer, numbers)

    @rule(peer=peers)
    def clear(self, peer: int) -> None:
        self.apply("clear", peer)

    @rule(what=st.sampled_from(("thaw_round", "thaw_round", "thaw")))
    def thaw(self, what: str) -> None:
        self.apply(what)

    @rule(seconds=st.sampled_from(STEPS))
    def time_passes(self, seconds: float) -> None:
        self.apply("clock", seconds)

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.finish()


SHORT = settings(
    max_examples=int(os.environ.get("BITSWAP_EXAMPLES", "300" if LONG else "60")),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestEngines = Engines.TestCase
TestEngines.settings = SHORT
TestQueues = Queues.TestCase
TestQueues.settings = SHORT
