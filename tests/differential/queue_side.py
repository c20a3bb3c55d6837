"""One general request queue of one implementation, told operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bitswap.decision.implementations import implementations
from bitswap.decision.interface import MAX_ENVELOPES_PER_PEER, Task
from tests.decision import invariants

from .catalogue import CIDS, PEERS
from .world import Operation, World

KEPT = 8

TaskData = tuple[int, int, int | None, bool, bool]
"""CID, priority, size, whether the block is wanted, whether DONT_HAVE is asked for."""


SETTLE: tuple[Operation, ...] = (("finish",), ("thaw",), ("empty", 16_384), ("empty", 1))
"""Ends what is under way and takes all that is left."""
LEAVE: tuple[Operation, ...] = tuple(("clear", peer) for peer in range(len(PEERS)))


class QueueSetup(NamedTuple):
    """What a history of a request queue starts from."""

    salt: int = 7
    starvation_timeout: float = 10.0
    max_active: int = 0
    merging: str = "bitswap"
    freezing: bool = False
    batches_per_peer: int = MAX_ENVELOPES_PER_PEER
    hooks: str = ""
    """ "log": they are noted; "ask": besides, they ask the queue; "raise": besides, some raise."""
    now: float = 1000.0
    renumber: int = 0
    scarce: bool = False
    settle = SETTLE
    leave = LEAVE

    def sides(self, implementations: Sequence[str]) -> tuple[World, list[QueueSide]]:
        world = World(self.now)
        return world, [QueueSide(name, world, self) for name in implementations]


class Balk(Exception):
    """Raised by a hook."""


class QueueSide:
    def __init__(self, implementation: str, world: World, setup: QueueSetup) -> None:
        self.implementation = implementation
        self.world = world
        self.hooks = setup.hooks
        self.heard: list[Any] = []
        settings = setup._asdict()
        for name in ("hooks", "now", "renumber", "scarce"):
            del settings[name]
        if setup.hooks:
            settings["peer_added"] = lambda peer: self._hear("added", peer)
            settings["peer_removed"] = lambda peer: self._hear("removed", peer)
        self.queue: Any = implementations()[implementation].RequestQueue(**settings)
        if setup.renumber and implementation == "c":
            self.queue.renumber_at(setup.renumber)
        self.open: list[Any] = []
        self.ended: list[Any] = []

    def _hear(self, what: str, peer: str) -> None:
        self.heard.append((what, peer, self.queue.stat if self.hooks != "log" else None))
        if self.hooks == "raise" and len(self.heard) % 3 == 0:
            raise Balk(what)

    def apply(self, operation: Operation) -> Any:
        method = getattr(self, "do_" + operation[0], None)
        if method is None:
            return None
        try:
            outcome = method(*operation[1:])
        except (ValueError, Balk) as error:
            outcome = "raised", type(error).__name__, str(error)
        heard, self.heard = self.heard, []
        return outcome, heard

    def do_push(self, peer: int, tasks: Sequence[TaskData], limit: int | None) -> Any:
        made = [Task(CIDS[number], *rest) for number, *rest in tasks]
        return self.queue.push(PEERS[peer], made, self.world.now, limit)

    def do_pop(self, target: int) -> Any:
        batch = self.queue.pop(target, self.world.now)
        if batch is None:
            return None
        self.open.append(batch)
        return batch.peer, batch.tasks, batch.pending_work

    def do_done(self, place: int) -> None:
        self._end(place, self.queue.done)

    def do_failed(self, place: int) -> None:
        self._end(place, self.queue.failed)

    def do_again(self, place: int, what: str) -> None:
        if self.ended:
            batch = self.ended[place % len(self.ended)]
            (self.queue.done if what == "done" else self.queue.failed)(batch, self.world.now)

    def do_remove(self, peer: int, numbers: Sequence[int]) -> Any:
        return self.queue.remove(PEERS[peer], [CIDS[number] for number in numbers], self.world.now)

    def do_clear(self, peer: int) -> None:
        self.queue.clear(PEERS[peer])

    def do_thaw_round(self) -> None:
        self.queue.thaw_round(self.world.now)

    def do_thaw(self) -> None:
        self.queue.thaw(self.world.now)

    def do_topics(self, peer: int) -> Any:
        queued, under_way = self.queue.topics(PEERS[peer])
        return queued, sorted(under_way)

    def do_finish(self) -> None:
        """End all that is under way; no hook raises from now on."""
        self.hooks = "log"
        while self.open:
            self.do_done(-1)

    def do_empty(self, target: int) -> Any:
        """Everything that can be taken, dealt with."""
        taken = []
        while (outcome := self.do_pop(target)) is not None:
            taken.append(outcome)
            self.do_done(-1)
        return taken

    def glance(self) -> Any:
        return tuple(self.queue.stat)

    def check(self) -> None:
        if self.implementation == "c":
            self.queue.check()
        else:
            invariants.check_lanes(self.queue._lanes, self.open)

    def check_settled(self) -> None:
        assert tuple(self.queue.stat)[1:] == (0, 0), self.queue.stat

    def check_empty(self) -> None:
        assert tuple(self.queue.stat) == (0, 0, 0), self.queue.stat

    def _end(self, place: int, call: Any) -> None:
        if not self.open:
            return
        batch = self.open.pop(place % len(self.open))
        self.ended = [*self.ended[1 - KEPT :], batch]
        call(batch, self.world.now)
