"""Which peer is served next (boxo `decision/scheduler.go`, the fair comparator).

Of the peers that are ready: starved before others; then fewer answers under way; then more queued, counted up
to 16; then served longest ago, so that busy peers take turns (boxo goes by the hash here, always in the same
order); then a salted hash of the peer id, so that nobody can choose an id that wins.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import xxhash
from sortedcontainers import SortedList

PENDING_CAP = 16
"""Queued answers above this number make no difference between peers (boxo `peerPendingCap`)."""
_NEVER = float("-inf")


class Turn:
    """What the scheduler knows of one peer."""

    __slots__ = ("active", "head", "peer", "pending", "rank", "served_at", "service", "tie")

    def __init__(self, peer: str, tie: int) -> None:
        self.peer = peer
        self.tie = tie
        self.pending = 0
        self.active = 0
        self.head: Any = None
        self.served_at = _NEVER
        self.service = 0
        """Number of the last service among all; 0 = never served."""
        self.rank: tuple[Any, ...] | None = None
        """The place among those that are ready; None = is not."""


class FairScheduler:
    """Picks the ready peer that outranks all others; a call costs the logarithm of the number of ready peers.

    A peer that is not ready (nothing queued, at its limits, waiting for a retry) is in nobody's way.
    """

    def __init__(self, salt: int, starvation_timeout: float) -> None:
        self._seed = salt & 0xFFFFFFFFFFFFFFFF
        self._timeout = starvation_timeout
        self._turns: dict[str, Turn] = {}
        self._ready: SortedList[tuple[Any, ...]] = SortedList()
        """Ranks of those that can be given something now; the last item of a rank is the peer."""
        self._recent: OrderedDict[str, Turn] = OrderedDict()
        """Those that are not starved, the one served longest ago first."""
        self._services = 0

    @property
    def ready(self) -> int:
        """How many peers can be given something now."""
        return len(self._ready)

    @property
    def served_of_late(self) -> int:
        """Peers that are not starved as of the last `select`, and have not all they asked for."""
        return len(self._recent)

    def update(self, peer: str, *, pending: int, active: int, ready: bool, head: Any = None) -> None:
        """Say how many answers `peer` has queued and under way, and whether it can be given more."""
        turn = self._turns.get(peer)
        if turn is None:
            tie = xxhash.xxh64_intdigest(peer.encode("utf-8", "surrogatepass"), self._seed)
            turn = self._turns[peer] = Turn(peer, tie)
        turn.pending = pending
        turn.active = active
        turn.head = head
        self._place(turn, self._rank(turn) if ready and pending else None)

    def select(self, now: float) -> str | None:
        """The peer to serve now; it stays ready until told otherwise."""
        self._starve(now)
        return self._ready[0][-1] if self._ready else None

    def served(self, peer: str, now: float) -> None:
        """`peer` was given something; its rank changes with the next `update`."""
        turn = self._turns[peer]
        self._services += 1
        turn.served_at = now
        turn.service = self._services
        self._recent[peer] = turn
        self._recent.move_to_end(peer)

    def rest(self, peer: str) -> None:
        """The peer has all it asked for: when it asks again it counts as never served (boxo `forget`)."""
        turn = self._turns.get(peer)
        if turn is not None:
            turn.served_at = _NEVER
            turn.service = 0
            self._recent.pop(peer, None)

    def forget(self, peer: str) -> None:
        """The peer is gone."""
        turn = self._turns.pop(peer, None)
        if turn is not None:
            self._place(turn, None)
            self._recent.pop(peer, None)

    def starved(self, peer: str, now: float) -> bool:
        """Never served, or longer ago than the timeout."""
        turn = self._turns.get(peer)
        return turn is None or self._is_starved(turn, now)

    def __len__(self) -> int:
        return len(self._turns)

    def _is_starved(self, turn: Turn, now: float) -> bool:
        return turn.served_at + self._timeout < now

    def _rank(self, turn: Turn) -> tuple[Any, ...]:
        """The smallest is served first."""
        starved = turn.peer not in self._recent
        queued = min(turn.pending, PENDING_CAP)
        return (not starved, turn.active, -queued, turn.service, turn.tie, turn.peer)

    def _place(self, turn: Turn, rank: tuple[Any, ...] | None) -> None:
        if rank == turn.rank:
            return
        if turn.rank is not None:
            self._ready.remove(turn.rank)
        if rank is not None:
            self._ready.add(rank)
        turn.rank = rank

    def _starve(self, now: float) -> None:
        """Rank those anew whose last service has just become too long ago."""
        recent = self._recent
        while recent:
            turn = next(iter(recent.values()))
            if not self._is_starved(turn, now):
                break
            recent.popitem(last=False)
            if turn.rank is not None:
                self._place(turn, self._rank(turn))


class TaskOrderScheduler(FairScheduler):
    """Peers by the order key of their first answer (boxo with a task comparator); no fairness."""

    def _rank(self, turn: Turn) -> tuple[Any, ...]:
        return (turn.head, turn.tie, turn.peer)
