"""The answers owed to one peer: queued in order, and under way (go-peertaskqueue `peertracker`)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any

from bitswap.cid import CID
from bitswap.decision.task import MESSAGE_OVERHEAD, Task, TaskInfo, has_new_info
from bitswap.options import MAX_FRAME

_SLACK = 64  # dead heap entries that are never worth a clean-up


class PeerQueue:
    """Queued by priority, then age; at most one queued answer a CID.

    `order`, if given, replaces the priority: a sort key, smallest first.
    """

    __slots__ = ("_heap", "_order", "_seq", "active", "active_work", "peer", "pending", "pending_work")

    def __init__(self, peer: str, order: Callable[[TaskInfo], Any] | None = None) -> None:
        self.peer = peer
        self.pending: dict[CID, Task] = {}
        self.active: dict[CID, list[Task]] = {}
        self.pending_work = 0
        """Bytes of blocks and presences queued."""
        self.active_work = 0
        """Bytes of blocks and presences under way, as they were when they were taken."""
        self._order = order
        self._heap: list[tuple[Any, int, Task]] = []
        self._seq = 0

    def push(self, tasks: Iterable[Task], limit: int) -> int:
        """Queue or merge; returns how many were dropped because `limit` CIDs are queued already.

        What says nothing new beside an answer under way is not queued (boxo `HasNewInfo`).
        """
        dropped = 0
        pending, active = self.pending, self.active
        for task in tasks:
            cid = task.cid
            if cid in active and not has_new_info(task, active[cid]):
                for other in active[cid]:
                    other.repeated = True
                    other.cancelled = False
            elif cid in pending:
                self._merge(pending[cid], task)
            elif len(pending) < limit:
                self._seq += 1
                task.seq = self._seq
                self._enqueue(task)
            else:
                dropped += 1
        return dropped

    def put_back(self, tasks: Iterable[Task]) -> None:
        """Queue again, in their old place, tasks that were taken and are done without having been sent."""
        for task in tasks:
            task.cancelled = task.repeated = False
            task.weigh()
            queued = self.pending.get(task.cid)
            if queued is None:
                self._enqueue(task)
            else:
                self._merge(queued, task)

    def pop(self, target: int, max_active: int) -> list[Task]:
        """Take answers in order until they weigh `target`; at least one if there is any.

        Stops at `max_active` bytes under way (0 = no limit), and before what would not fit into one frame.
        """
        taken: list[Task] = []
        weight = 0
        room = MAX_FRAME - MESSAGE_OVERHEAD
        while weight < target and (not max_active or self.active_work < max_active):
            task = self.head()
            if task is None:
                break
            room -= task.wire
            if room < 0 and taken:
                break
            heapq.heappop(self._heap)
            task.live = False
            del self.pending[task.cid]
            self.pending_work -= task.work
            self.active_work += task.work
            self.active.setdefault(task.cid, []).append(task)
            weight += task.work
            taken.append(task)
        return taken

    def head(self) -> Task | None:
        """The next answer, or None."""
        heap = self._heap
        while heap:
            order, _, task = heap[0]
            if task.live and task.order == order:
                return task
            heapq.heappop(heap)
        return None

    def done(self, tasks: Iterable[Task]) -> None:
        """`tasks`, all taken from here, are no longer under way."""
        for task in tasks:
            running = self.active[task.cid]
            running.remove(task)
            if not running:
                del self.active[task.cid]
            self.active_work -= task.work

    def remove(self, cids: Iterable[CID]) -> None:
        """Forget queued answers; those under way go out, but are not put back if that fails."""
        for cid in cids:
            task = self.pending.pop(cid, None)
            if task is not None:
                task.live = False
                self.pending_work -= task.work
            self.withdraw(cid)
        self._clean()

    def withdraw(self, cid: CID) -> None:
        """The peer no longer wants `cid`: what is under way for it is not put back."""
        for task in self.active.get(cid, ()):
            task.cancelled = True

    def clear(self) -> None:
        """Forget all queued answers and withdraw all under way."""
        self.pending.clear()
        self.pending_work = 0
        self._heap.clear()
        for cid in self.active:
            self.withdraw(cid)

    def _enqueue(self, task: Task) -> None:
        task.live = True
        if self._order is not None:
            task.order = self._order(task.info(self.peer))
        self.pending[task.cid] = task
        self.pending_work += task.work
        heapq.heappush(self._heap, (task.order, task.seq, task))

    def _merge(self, queued: Task, new: Task) -> None:
        self.pending_work -= queued.work
        queued.merge(new)
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
