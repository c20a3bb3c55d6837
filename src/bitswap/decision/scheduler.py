"""Which peer is served next (boxo `decision/scheduler.go`, the fair comparator).

Of the peers that are ready: starved before others; then fewer answers under way; then more queued, counted up
to 16; then served longest ago, so that busy peers take turns (boxo goes by the hash here, always in the same
order); then a salted hash of the peer id, so that nobody can choose an id that wins.
"""

from __future__ import annotations

import heapq
from typing import Any

import xxhash

PENDING_CAP = 16
"""Queued answers above this number make no difference between peers (boxo `peerPendingCap`)."""
_SLACK = 64  # dead heap entries that are never worth a clean-up
_NEVER = float("-inf")


class Turn:
    """What the scheduler knows of one peer."""

    __slots__ = (
        "active",
        "key",
        "peer",
        "pending",
        "promised",
        "ready",
        "served_at",
        "served_turn",
        "tie",
        "version",
    )

    def __init__(self, peer: str, tie: int) -> None:
        self.peer = peer
        self.tie = tie
        self.pending = 0
        self.active = 0
        self.ready = False
        self.served_at = _NEVER
        self.served_turn = 0
        self.key: Any = None
        self.version = 0  # of the heap entry that counts; others are skipped, 0 = none counts
        self.promised = False  # has an entry among the promotions


class FairScheduler:
    """Picks the ready peer that outranks all others; a call costs the logarithm of the number of ready peers.

    A peer that is not ready (nothing queued, at its limits, waiting for a retry) is in nobody's way.
    """

    def __init__(self, salt: int, starvation_timeout: float) -> None:
        self._seed = salt & 0xFFFFFFFFFFFFFFFF
        self._timeout = starvation_timeout
        self._turns: dict[str, Turn] = {}
        self._heap: list[tuple[Any, int, Turn]] = []
        self.ready = 0
        """Peers that can be given something now."""
        self._promotions: list[tuple[float, int, Turn]] = []
        self._count = 0  # makes heap entries unique, and orders services

    def update(
        self, peer: str, *, pending: int, active: int, ready: bool, now: float, head: Any = None
    ) -> None:
        """Say how many answers `peer` has queued and under way, and whether it can be given more."""
        turn = self._turns.get(peer)
        if turn is None:
            tie = xxhash.xxh64_intdigest(peer.encode("utf-8", "surrogatepass"), self._seed)
            turn = self._turns[peer] = Turn(peer, tie)
        turn.pending = pending
        turn.active = active
        ready = ready and pending > 0
        self.ready += ready - turn.ready
        turn.ready = ready
        if not ready:
            turn.version = 0
            turn.key = None
            return
        key = self._key(turn, now, head)
        if key != turn.key:
            self._enter(turn, key)

    def select(self, now: float) -> str | None:
        """The peer to serve now; it stays ready until told otherwise."""
        self._promote(now)
        heap = self._heap
        while heap:
            _, version, turn = heap[0]
            if turn.version == version:
                return turn.peer
            heapq.heappop(heap)
        return None

    def served(self, peer: str, now: float) -> None:
        """`peer` was given something; its rank changes with the next `update`."""
        turn = self._turns[peer]
        self._count += 1
        turn.served_at = now
        turn.served_turn = self._count
        if not turn.promised:
            turn.promised = True
            heapq.heappush(self._promotions, (now + self._timeout, self._count, turn))

    def rest(self, peer: str) -> None:
        """The peer has all it asked for: when it asks again it counts as never served (boxo `forget`)."""
        turn = self._turns.get(peer)
        if turn is not None:
            turn.served_at = _NEVER
            turn.served_turn = 0

    def forget(self, peer: str) -> None:
        """The peer is gone."""
        turn = self._turns.pop(peer, None)
        if turn is not None:
            turn.version = 0
            self.ready -= turn.ready

    def starved(self, peer: str, now: float) -> bool:
        """Never served, or longer ago than the timeout."""
        turn = self._turns.get(peer)
        return turn is None or turn.served_at + self._timeout < now

    def __len__(self) -> int:
        return len(self._turns)

    def _key(self, turn: Turn, now: float, head: Any) -> Any:
        starved = turn.served_at + self._timeout < now
        return (not starved, turn.active, -min(turn.pending, PENDING_CAP), turn.served_turn, turn.tie)

    def _enter(self, turn: Turn, key: Any) -> None:
        self._count += 1
        turn.key = key
        turn.version = self._count
        heapq.heappush(self._heap, (key, turn.version, turn))
        if len(self._heap) > _SLACK and len(self._heap) > 4 * self.ready:
            self._heap = [(t.key, t.version, t) for t in self._turns.values() if t.ready]
            heapq.heapify(self._heap)

    def _promote(self, now: float) -> None:
        """Rank those anew whose last service has just become too long ago."""
        due = self._promotions
        while due and due[0][0] < now:
            _, count, turn = heapq.heappop(due)
            if self._turns.get(turn.peer) is not turn:
                continue
            again = turn.served_at + self._timeout
            if again >= now:
                heapq.heappush(due, (again, count, turn))
                continue
            turn.promised = False
            if turn.ready:
                self._enter(turn, self._key(turn, now, None))


class TaskOrderScheduler(FairScheduler):
    """Peers by the order key of their first answer (boxo with a task comparator); no fairness."""

    def _key(self, turn: Turn, now: float, head: Any) -> Any:
        return (head, turn.tie)

    def _promote(self, now: float) -> None:
        self._promotions.clear()
