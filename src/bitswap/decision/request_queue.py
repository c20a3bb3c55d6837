"""A queue of answers for many peers, for use without the rest (go-peertaskqueue `PeerTaskQueue`).

queue = RequestQueue()
queue.push(peer, [Task(cid, priority, size, want_block=True)], now)
while (batch := queue.pop(16 * 1024, now)) is not None:
    send batch.tasks to batch.peer, then queue.done(batch, now) or queue.failed(batch, now)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bitswap._core.interface import int32
from bitswap.cid import CID
from bitswap.decision.interface import MAX_ENVELOPES_PER_PEER, QueueStat, Task
from bitswap.decision.lanes import Batch, Lanes
from bitswap.decision.peer_queue import UNLIMITED, BatchSize, PeerQueue
from bitswap.decision.scheduler import FairScheduler
from bitswap.decision.task import MERGERS, QueuedTask
from bitswap.errors import UsageError

Hook = Callable[[str], None]
MAX_SIZE = 2**32 - 1
"""Bytes of a block, at most."""


class _Lane:
    """The queue of one peer, and how frozen it is: 0 = not at all."""

    __slots__ = ("frozen", "max_active", "queue")

    def __init__(self, queue: PeerQueue, max_active: int) -> None:
        self.queue = queue
        self.max_active = max_active
        self.frozen = 0

    @property
    def held(self) -> bool:
        return self.frozen > 0

    @property
    def idle(self) -> bool:
        return not self.queue.pending and not self.queue.active


def _queued(
    cid: CID, priority: int, size: int | None, want_block: bool, send_dont_have: bool = False
) -> QueuedTask:
    """UsageError for a priority or size out of range."""
    if size is not None and not 0 <= size <= MAX_SIZE:
        int32(priority, "priority")  # what is wrong first is told first
        raise UsageError(f"a block cannot have {size} bytes")
    return QueuedTask(cid, int32(priority, "priority"), size, want_block, send_dont_have)


class RequestQueue:
    """See `interface.RequestQueue`."""

    def __init__(
        self,
        *,
        salt: int = 0,
        starvation_timeout: float = 10.0,
        max_active: int = 0,
        merging: str = "bitswap",
        freezing: bool = False,
        batches_per_peer: int = MAX_ENVELOPES_PER_PEER,
        peer_added: Hook | None = None,
        peer_removed: Hook | None = None,
    ) -> None:
        if merging not in MERGERS:
            raise UsageError(f"merging must be one of {', '.join(MERGERS)}, not {merging!r}")
        if batches_per_peer > MAX_ENVELOPES_PER_PEER:
            raise UsageError(
                f"batches_per_peer must be at most {MAX_ENVELOPES_PER_PEER}, not {batches_per_peer}"
            )
        self._merger = MERGERS[merging]
        self._max_active = max_active
        self._freezing = freezing
        self._peer_added, self._peer_removed = peer_added, peer_removed
        self._lanes: Lanes[_Lane] = Lanes(FairScheduler(salt, starvation_timeout), batches_per_peer)

    def push(self, peer: str, tasks: Sequence[Task], now: float, limit: int | None = None) -> int:
        made = [_queued(*task) for task in tasks]
        lane = self._lanes.get(peer)
        added = lane is None
        if lane is None:
            lane = _Lane(PeerQueue(peer, merger=self._merger), self._max_active)
        dropped = lane.queue.push(made, UNLIMITED if limit is None else limit)
        if lane.idle:
            return dropped
        if added:
            self._lanes.add(lane)
        self._lanes.update(lane)
        if added and self._peer_added is not None:
            self._peer_added(peer)
        return dropped

    def pop(self, target: int, now: float) -> Batch | None:
        lane = self._lanes.select(now)
        return self._lanes.take(lane, BatchSize(target), now) if lane is not None and target > 0 else None

    def done(self, batch: Batch, now: float) -> None:
        self._check_owner(batch)
        lane = self._lanes.finish(batch)
        if lane is not None:
            self._changed(lane)

    def failed(self, batch: Batch, now: float) -> None:
        self._check_owner(batch)
        queue = batch.lane.queue
        owed = [task for task in batch.taken if not queue.is_withdrawn(task.cid)]
        lane = self._lanes.finish(batch)
        if lane is not None:
            queue.put_back(owed)
            self._changed(lane)

    def remove(self, peer: str, cids: Sequence[CID], now: float) -> int:
        lane = self._lanes.get(peer)
        if lane is None:
            return 0
        removed = lane.queue.remove(cids)
        if self._freezing:
            lane.frozen += removed
        self._changed(lane)
        return removed

    def clear(self, peer: str) -> None:
        self._lanes.drop(peer)

    def thaw_round(self, now: float) -> None:
        for lane in self._lanes:
            if lane.frozen:
                lane.frozen //= 2
                self._lanes.update(lane)

    def thaw(self, now: float) -> None:
        for lane in self._lanes:
            if lane.frozen:
                lane.frozen = 0
                self._lanes.update(lane)

    def topics(self, peer: str) -> tuple[list[CID], list[CID]]:
        lane = self._lanes.get(peer)
        if lane is None:
            return [], []
        return [task.cid for task in lane.queue.in_order()], list(lane.queue.active)

    @property
    def stat(self) -> QueueStat:
        queues = [lane.queue for lane in self._lanes]
        return QueueStat(
            peers=len(queues),
            pending=sum(len(queue.pending) for queue in queues),
            active=sum(len(queue.active) for queue in queues),
        )

    def _check_owner(self, batch: Batch) -> None:
        if batch.lanes is not self._lanes:
            raise ValueError("this is another queue's batch")

    def _changed(self, lane: _Lane) -> None:
        """Answers have left the queue; a peer without any is removed."""
        peer = lane.queue.peer
        if not lane.idle:
            self._lanes.update(lane)
        elif self._lanes.drop(peer) and self._peer_removed is not None:
            self._peer_removed(peer)
