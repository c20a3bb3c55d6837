"""The answers owed to one peer: queued in order, and under way (go-peertaskqueue `peertracker`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sortedcontainers import SortedList

from bitswap.cid import CID
from bitswap.decision.interface import TaskInfo
from bitswap.decision.task import BITSWAP, Merger, QueuedTask

UNLIMITED = 1 << 62


class BatchSize(NamedTuple):
    """How much is taken at a time; where there is any, at least one answer."""

    target: int
    """Bytes: taken until they weigh as much."""
    room: int = UNLIMITED
    """Bytes of a frame: no answer that needs more."""
    answers: int = UNLIMITED
    """No more than so many, but for those that weigh less than `least` together."""
    least: int = 0


class PeerQueue:
    """Queued by priority, then age; at most one queued answer a CID.

    `order`, if given, replaces the priority: a sort key, smallest first.
    """

    __slots__ = (
        "_cancelled",
        "_in_order",
        "_merger",
        "_order",
        "_repeated",
        "_seq",
        "active",
        "active_work",
        "peer",
        "pending",
        "pending_work",
    )

    def __init__(
        self, peer: str, order: Callable[[TaskInfo], Any] | None = None, merger: Merger = BITSWAP
    ) -> None:
        self.peer = peer
        self.pending: dict[CID, QueuedTask] = {}
        self.active: dict[CID, list[QueuedTask]] = {}
        self.pending_work = 0
        """Bytes of blocks and presences queued."""
        self.active_work = 0
        """Bytes of blocks and presences under way, as they were when they were taken."""
        self._order = order
        self._merger = merger
        self._in_order: SortedList[tuple[Any, int, QueuedTask]] = SortedList()
        self._seq = 0
        # Of CIDs under way, since the last of their answers was taken: the peer withdrew them, or they were
        # pushed again and that said nothing new.
        self._cancelled: set[CID] = set()
        self._repeated: set[CID] = set()

    def push(self, tasks: Iterable[QueuedTask], limit: int = UNLIMITED, *, spare_blocks: bool = False) -> int:
        """Queue or merge; returns how many were dropped because `limit` CIDs are queued already.

        With `spare_blocks` only DONT_HAVEs are dropped. What says nothing new beside an answer under way is
        not queued (boxo `HasNewInfo`).
        """
        pending, active, merger = self.pending, self.active, self._merger
        fresh: dict[CID, QueuedTask] = {}
        known: list[QueuedTask] = []
        dropped = 0
        for task in tasks:
            cid = task.cid
            if cid in active and not merger.is_news(task, active[cid]):
                self._repeated.add(cid)
                self._cancelled.discard(cid)
            elif cid in pending or cid in fresh:
                known.append(task)
            elif len(pending) + len(fresh) < limit or (spare_blocks and task.have):
                self._seq += 1
                task.seq = self._seq
                fresh[cid] = task
            else:
                dropped += 1
        if fresh:
            self._enqueue(fresh)
        for task in known:
            self._merge(merger.merge, pending[task.cid], task)
        return dropped

    def put_back(self, tasks: Iterable[QueuedTask]) -> None:
        """Queue again, in their old place, tasks that were taken and are done without having been sent."""
        for task in tasks:
            task.weigh()
            queued = self.pending.get(task.cid)
            if queued is None:
                self._enqueue({task.cid: task})
            else:
                self._merge(self._merger.take_back, queued, task)

    def pop(self, size: BatchSize, max_active: int = 0) -> list[QueuedTask]:
        """Take answers in order until they are enough by `size`.

        Stops at `max_active` bytes under way (0 = no limit).
        """
        in_order = self._in_order
        taken: list[QueuedTask] = []
        weight = 0
        target, room, answers, least = size
        while in_order and weight < target and (not max_active or self.active_work < max_active):
            if len(taken) >= answers and weight >= least:
                break
            place = in_order.pop(0)
            task = place[-1]
            room -= task.wire
            if room < 0 and taken:
                in_order.add(place)
                break
            self._begin(task)
            weight += task.work
            taken.append(task)
        return taken

    def head(self) -> QueuedTask | None:
        """The next answer, or None."""
        return self._in_order[0][2] if self._in_order else None

    def in_order(self) -> list[QueuedTask]:
        """What is queued, in the order in which it will be taken."""
        return [task for _, _, task in self._in_order]

    def done(self, tasks: Iterable[QueuedTask]) -> None:
        """`tasks`, all taken from here, are no longer under way."""
        for task in tasks:
            cid = task.cid
            running = self.active[cid]
            running.remove(task)
            if not running:
                del self.active[cid]
                if self._cancelled or self._repeated:
                    self._unmark(cid)
            self.active_work -= task.work

    def remove(self, cids: Iterable[CID]) -> int:
        """Forget queued answers, and withdraw those under way; returns how many were queued."""
        removed = 0
        for cid in cids:
            task = self.pending.pop(cid, None)
            if task is not None:
                self._in_order.remove((task.order, task.seq, task))
                self.pending_work -= task.work
                removed += 1
            self.withdraw(cid)
        return removed

    def withdraw(self, cid: CID) -> None:
        """The peer no longer wants `cid`: what is under way for it goes out, but is not to be put back."""
        if cid in self.active:
            self._cancelled.add(cid)

    def is_withdrawn(self, cid: CID) -> bool:
        """Whether that was said of `cid`, under way, and not taken back by a push since."""
        return cid in self._cancelled

    def is_repeated(self, cid: CID) -> bool:
        """Whether `cid` was pushed again while under way, and that said nothing new."""
        return cid in self._repeated

    def clear(self) -> None:
        """Forget all queued answers and withdraw all under way."""
        self.pending.clear()
        self.pending_work = 0
        self._in_order.clear()
        self._cancelled.update(self.active)

    def _enqueue(self, tasks: dict[CID, QueuedTask]) -> None:
        """Queue tasks for CIDs of which none is queued; if `order` raises, none of them."""
        if self._order is not None:
            for task in tasks.values():
                task.order = self._order(task.info(self.peer))
        places = [(task.order, task.seq, task) for task in tasks.values()]
        if len(places) > 1:
            self._in_order.update(places)
        else:
            self._in_order.add(places[0])
        self.pending.update(tasks)
        self.pending_work += sum(task.work for task in tasks.values())

    def _begin(self, task: QueuedTask) -> None:
        cid = task.cid
        del self.pending[cid]
        self.pending_work -= task.work
        self.active_work += task.work
        running = self.active.get(cid)
        if running is None:
            self.active[cid] = [task]
        else:
            running.append(task)
            self._unmark(cid)

    def _unmark(self, cid: CID) -> None:
        self._cancelled.discard(cid)
        self._repeated.discard(cid)

    def _merge(
        self, how: Callable[[QueuedTask, QueuedTask], None], queued: QueuedTask, other: QueuedTask
    ) -> None:
        self.pending_work -= queued.work
        how(queued, other)
        self.pending_work += queued.work
        order = -queued.priority if self._order is None else self._order(queued.info(self.peer))
        if order != queued.order:
            self._in_order.remove((queued.order, queued.seq, queued))
            queued.order = order
            self._in_order.add((order, queued.seq, queued))
