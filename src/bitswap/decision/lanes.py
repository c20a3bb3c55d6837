"""Queues of many peers behind one scheduler, and the batches taken from them (go-peertaskqueue).

What `RequestQueue` and `PacedQueue` have in common; each adds what can hold a peer back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from bitswap.decision.interface import TaskInfo
from bitswap.decision.peer_queue import BatchSize, PeerQueue
from bitswap.decision.scheduler import FairScheduler, TaskOrderScheduler
from bitswap.decision.task import QueuedTask


class Lane(Protocol):
    """The queue of one peer, and what limits how fast it is emptied."""

    queue: PeerQueue

    @property
    def max_active(self) -> int:
        """Bytes under way at which the peer gets no more; 0 = no limit."""

    @property
    def held(self) -> bool:
        """Whether it gets nothing for now."""


L = TypeVar("L", bound=Lane)


class Batch:
    """Answers taken for one peer, under way until `Lanes.finish`."""

    __slots__ = ("ended", "lane", "lanes", "more", "pending_work", "taken", "taken_at", "work")

    def __init__(self, lanes: object, lane: Lane, taken: list[QueuedTask], now: float) -> None:
        self.lanes = lanes
        """Whose it is."""
        self.lane = lane
        self.taken = taken
        self.taken_at = now
        self.work = sum(task.work for task in taken)
        """Bytes of these."""
        self.pending_work = lane.queue.pending_work
        """Bytes still queued for the peer after these were taken."""
        self.more = bool(lane.queue.pending)
        """Whether anything is still queued for the peer."""
        self.ended = False

    @property
    def peer(self) -> str:
        return self.lane.queue.peer

    @property
    def tasks(self) -> list[TaskInfo]:
        """In the order in which they were taken."""
        peer = self.peer
        return [task.info(peer) for task in self.taken]


class Lanes(Generic[L]):
    """Lanes by peer, served in turn; at most `batches_per_peer` of a peer's batches are under way at once.

    A batch taken before its lane was dropped counts as under way until it ends, so a peer that comes back is
    not served before. Whoever changes a lane says so by `update`.
    """

    def __init__(self, scheduler: FairScheduler, batches_per_peer: int) -> None:
        self._scheduler = scheduler
        self._by_task_order = isinstance(scheduler, TaskOrderScheduler)
        self._batches_per_peer = batches_per_peer
        self._lanes: dict[str, L] = {}
        self._under_way: dict[str, int] = {}
        self.active_work = 0
        """Bytes under way to all peers, gone ones included."""

    def get(self, peer: str) -> L | None:
        return self._lanes.get(peer)

    def __iter__(self) -> Iterator[L]:
        return iter(self._lanes.values())

    def __len__(self) -> int:
        return len(self._lanes)

    def add(self, lane: L) -> L:
        self._lanes[lane.queue.peer] = lane
        return lane

    def drop(self, peer: str) -> bool:
        """The peer is gone, and so is all it was owed; returns whether it was there."""
        if self._lanes.pop(peer, None) is None:
            return False
        self._scheduler.forget(peer)
        return True

    @property
    def ready(self) -> bool:
        """Whether a peer could be given something."""
        return self._scheduler.ready > 0

    @property
    def served(self) -> int:
        """Peers that have more to come and are not starved."""
        return self._scheduler.served_of_late

    def select(self, now: float) -> L | None:
        """The lane of the peer whose turn it is."""
        peer = self._scheduler.select(now)
        return self._lanes[peer] if peer is not None else None

    def take(self, lane: L, size: BatchSize, now: float) -> Batch:
        """Take a batch of a selected lane; see `PeerQueue.pop`."""
        peer = lane.queue.peer
        batch = Batch(self, lane, lane.queue.pop(size, lane.max_active), now)
        self.active_work += batch.work
        self._under_way[peer] = self._under_way.get(peer, 0) + 1
        self._scheduler.served(peer, now)
        self.update(lane)
        return batch

    def is_current(self, batch: Batch) -> bool:
        """Whether the batch is under way and its peer has not gone since."""
        return not batch.ended and self._lanes.get(batch.peer) is batch.lane

    def finish(self, batch: Batch) -> L | None:
        """Take the batch off the books; returns its lane, which the caller updates, unless that was dropped.

        A batch that has ended already changes nothing.
        """
        if batch.ended:
            return None
        batch.ended = True
        self.active_work -= batch.work
        batch.lane.queue.done(batch.taken)
        peer = batch.peer
        left = self._under_way[peer] - 1
        if left:
            self._under_way[peer] = left
        else:
            del self._under_way[peer]
        current = self._lanes.get(peer)
        if current is batch.lane:
            return current
        if current is not None:
            # The peer came back while this batch was under way, and has waited for its end.
            self.update(current)
        return None

    def postpone(self, batch: Batch, tasks: list[QueuedTask]) -> None:
        """Take `tasks` out of a current batch, and queue again those that the peer has not withdrawn."""
        queue = batch.lane.queue
        later = set(map(id, tasks))
        batch.taken = [task for task in batch.taken if id(task) not in later]
        work = sum(task.work for task in tasks)
        batch.work -= work
        self.active_work -= work
        owed = [task for task in tasks if not queue.is_withdrawn(task.cid)]
        queue.done(tasks)
        queue.put_back(owed)
        # The lane of a current batch is one of ours.
        self.update(self._lanes[queue.peer])

    def update(self, lane: L) -> None:
        """Tell the scheduler how the peer stands."""
        queue = lane.queue
        peer = queue.peer
        pending, active = len(queue.pending), len(queue.active)
        if not pending and not active:
            self._scheduler.rest(peer)
        cap = lane.max_active
        ready = (
            not lane.held
            and (not cap or queue.active_work < cap)
            and self._under_way.get(peer, 0) < self._batches_per_peer
        )
        head = None
        if self._by_task_order and (first := queue.head()) is not None:
            head = first.order
        self._scheduler.update(peer, pending=pending, active=active, ready=ready, head=head)
