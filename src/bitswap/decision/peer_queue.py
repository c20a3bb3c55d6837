"""The answers owed to one peer: queued in order, and under way (go-peertaskqueue `peertracker`)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any

from bitswap.cid import CID
from bitswap.decision.interface import TaskInfo
from bitswap.decision.task import BITSWAP, Merger, QueuedTask

UNLIMITED = 1 << 62
_SLACK = 64  # dead heap entries that are never worth a clean-up


class PeerQueue:
    """Queued by priority, then age; at most one queued answer a CID.

    `order`, if given, replaces the priority: a sort key, smallest first.
    """

    __slots__ = (
        "_cancelled",
        "_heap",
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
        self._heap: list[tuple[Any, int, QueuedTask]] = []
        self._seq = 0
        # Of CIDs under way, since the last of their answers was taken: the peer withdrew them, or they were
        # pushed again and that said nothing new.
        self._cancelled: set[CID] = set()
        self._repeated: set[CID] = set()

    def push(self, tasks: Iterable[QueuedTask], limit: int = UNLIMITED) -> int:
        """Queue or merge; returns how many were dropped because `limit` CIDs are queued already.

        What says nothing new beside an answer under way is not queued (boxo `HasNewInfo`).
        """
        dropped = 0
        pending, active = self.pending, self.active
        for task in tasks:
            cid = task.cid
            if cid in active and not self._merger.is_news(task, active[cid]):
                self._repeated.add(cid)
                self._cancelled.discard(cid)
            elif cid in pending:
                self._merge(self._merger.merge, pending[cid], task)
            elif len(pending) < limit:
                self._seq += 1
                task.seq = self._seq
                self._enqueue(task)
            else:
                dropped += 1
        return dropped

    def put_back(self, tasks: Iterable[QueuedTask]) -> None:
        """Queue again, in their old place, tasks that were taken and are done without having been sent."""
        for task in tasks:
            task.weigh()
            queued = self.pending.get(task.cid)
            if queued is None:
                self._enqueue(task)
            else:
                self._merge(self._merger.take_back, queued, task)

    def pop(self, target: int, max_active: int = 0, room: int = UNLIMITED) -> list[QueuedTask]:
        """Take answers in order until they weigh `target`; at least one if there is any.

        Stops at `max_active` bytes under way (0 = no limit), and before what would need more than `room`
        bytes of a frame.
        """
        taken: list[QueuedTask] = []
        weight = 0
        while weight < target and (not max_active or self.active_work < max_active):
            task = self.head()
            if task is None:
                break
            room -= task.wire
            if room < 0 and taken:
                break
            heapq.heappop(self._heap)
            self._begin(task)
            weight += task.work
            taken.append(task)
        return taken

    def head(self) -> QueuedTask | None:
        """The next answer, or None."""
        heap = self._heap
        while heap:
            order, _, task = heap[0]
            if task.live and task.order == order:
                return task
            heapq.heappop(heap)
        return None

    def in_order(self) -> list[QueuedTask]:
        """What is queued, in the order in which it will be taken."""
        return sorted(self.pending.values(), key=lambda task: (task.order, task.seq))

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
                task.live = False
                self.pending_work -= task.work
                removed += 1
            self.withdraw(cid)
        self._clean()
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
        self._heap.clear()
        self._cancelled.update(self.active)

    def _enqueue(self, task: QueuedTask) -> None:
        task.live = True
        if self._order is not None:
            task.order = self._order(task.info(self.peer))
        self.pending[task.cid] = task
        self.pending_work += task.work
        heapq.heappush(self._heap, (task.order, task.seq, task))

    def _begin(self, task: QueuedTask) -> None:
        cid = task.cid
        task.live = False
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
            queued.order = order
            heapq.heappush(self._heap, (order, queued.seq, queued))
            self._clean()

    def _clean(self) -> None:
        """Drop dead heap entries once they are most of it, so that the heap stays in proportion."""
        heap = self._heap
        if len(heap) > _SLACK and len(heap) > 2 * len(self.pending):
            self._heap = [(task.order, task.seq, task) for task in self.pending.values()]
            heapq.heapify(self._heap)
