"""What all peers are owed, and who gets something next (go-peertaskqueue with boxo's rules)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bitswap.cid import CID
from bitswap.decision.pacing import Pace
from bitswap.decision.peer_queue import PeerQueue
from bitswap.decision.scheduler import FairScheduler, TaskOrderScheduler
from bitswap.decision.task import Task, TaskInfo
from bitswap.options import ServerOptions


class _Lane:
    """The queue of one connected peer and what limits how fast it is emptied."""

    __slots__ = ("failures", "pace", "queue", "retry_at")

    def __init__(self, queue: PeerQueue, pace: Pace) -> None:
        self.queue = queue
        self.pace = pace
        self.failures = 0
        self.retry_at: float | None = None


class Batch:
    """Answers taken for one peer; ends with `done` or `failed`, and further calls do nothing."""

    __slots__ = ("_full", "_lane", "_work", "peer", "pending_work", "taken_at", "tasks")

    def __init__(self, lane: _Lane, tasks: list[Task], full: bool, now: float) -> None:
        self.peer = lane.queue.peer
        self.tasks: Sequence[Task] = tasks
        self.pending_work = lane.queue.pending_work
        """Bytes still queued for the peer after these were taken."""
        self._lane: _Lane | None = lane
        self._work = sum(task.work for task in tasks)
        self._full = full
        self.taken_at = now

    @property
    def ended(self) -> bool:
        return self._lane is None


class RequestQueue:
    """Queues by peer, served fairly; at most `batches_per_peer` of a peer's answers are under way at once.

    Peers exist from the first push until `forget`. A batch taken before that counts as under way until it
    ends, so a peer that comes back is not served before.
    """

    def __init__(self, options: ServerOptions, salt: int, batches_per_peer: int = 1) -> None:
        self._options = options
        self._batches_per_peer = batches_per_peer
        self._order: Callable[[TaskInfo], Any] | None = options.task_order
        kind = FairScheduler if options.task_order is None else TaskOrderScheduler
        self._scheduler = kind(salt, options.starvation_timeout)
        self._lanes: dict[str, _Lane] = {}
        self._under_way: dict[str, int] = {}
        self._retries: list[tuple[float, str]] = []
        self.active_work = 0
        """Bytes under way to all peers, gone ones included."""

    def push(self, peer: str, tasks: Iterable[Task], limit: int, now: float) -> int:
        """Queue or merge answers; returns how many were dropped because the peer has `limit` queued."""
        lane = self._lanes.get(peer)
        if lane is None:
            lane = self._lanes[peer] = _Lane(PeerQueue(peer, self._order), self._new_pace())
        dropped = lane.queue.push(tasks, limit)
        self._update(lane, now)
        return dropped

    def remove(self, peer: str, cids: Iterable[CID], now: float) -> None:
        """Forget queued answers about `cids`; those under way go out, but are not put back if that fails."""
        lane = self._lanes.get(peer)
        if lane is not None:
            lane.queue.remove(cids)
            self._update(lane, now)

    def withdraw(self, peer: str, cids: Iterable[CID]) -> None:
        """What is under way to `peer` about `cids` is not put back if it fails."""
        lane = self._lanes.get(peer)
        if lane is not None:
            for cid in cids:
                lane.queue.withdraw(cid)

    def clear(self, peer: str, now: float) -> None:
        """Forget all queued answers of `peer`; those under way are not put back."""
        lane = self._lanes.get(peer)
        if lane is not None:
            lane.queue.clear()
            self._update(lane, now)

    def forget(self, peer: str) -> None:
        """The peer is gone, and so is all it was owed."""
        if self._lanes.pop(peer, None) is not None:
            self._scheduler.forget(peer)

    def pop(self, now: float) -> Batch | None:
        """The next answers, of the peer whose turn it is; None while nobody can be given anything."""
        while self._retries and self._retries[0][0] <= now:
            self._retry(heapq.heappop(self._retries), now)
        if self.active_work >= self._options.max_total_outstanding_bytes:
            return None
        peer = self._scheduler.select(now)
        if peer is None:
            return None
        lane = self._lanes[peer]
        target = lane.pace.target
        tasks = lane.queue.pop(target, lane.pace.outstanding)
        batch = Batch(lane, tasks, bool(lane.queue.pending), now)
        self.active_work += batch._work
        self._under_way[peer] = self._under_way.get(peer, 0) + 1
        self._scheduler.served(peer, now)
        self._update(lane, now)
        return batch

    @property
    def ready(self) -> bool:
        """Whether a peer could be given something."""
        return bool(self._scheduler.ready) and self.active_work < self._options.max_total_outstanding_bytes

    def next_deadline(self) -> float | None:
        """When `pop` may have something that it has not now, without any other call."""
        return self._retries[0][0] if self._retries else None

    def done(self, batch: Batch, now: float) -> None:
        """The batch was sent, or there was nothing in it to send."""
        lane = self._finish(batch, now)
        if lane is None:
            return
        lane.pace.sent(now - batch.taken_at, batch._full)
        lane.failures = 0
        self._update(lane, now)

    def failed(self, batch: Batch, now: float) -> bool:
        """The batch was not sent: the peer waits before the next try. Returns whether it is still there."""
        lane = self._finish(batch, now)
        if lane is None:
            return False
        lane.pace.failed()
        delay = self._options.retry_delay * 2.0 ** min(lane.failures, 30)
        lane.failures += 1
        lane.retry_at = now + min(delay, self._options.max_retry_delay)
        heapq.heappush(self._retries, (lane.retry_at, batch.peer))
        self._update(lane, now)
        return True

    def is_current(self, batch: Batch) -> bool:
        """Whether the batch is under way and its peer has not gone since."""
        return batch._lane is not None and self._lanes.get(batch.peer) is batch._lane

    def postpone(self, batch: Batch, tasks: Sequence[Task]) -> None:
        """Take `tasks` out of a current batch, and queue again those that the peer has not withdrawn."""
        lane = batch._lane
        assert lane is not None
        later = set(map(id, tasks))
        batch.tasks = [task for task in batch.tasks if id(task) not in later]
        work = sum(task.work for task in tasks)
        batch._work -= work
        self.active_work -= work
        lane.queue.done(tasks)
        lane.queue.put_back([task for task in tasks if not task.cancelled])
        self._update(lane, batch.taken_at)

    def put_back(self, peer: str, tasks: Iterable[Task], now: float) -> None:
        """Queue again tasks of a batch that is done, in their old place."""
        lane = self._lanes.get(peer)
        if lane is not None:
            lane.queue.put_back(tasks)
            self._update(lane, now)

    def queue(self, peer: str) -> PeerQueue | None:
        """The peer's queue, to be read."""
        lane = self._lanes.get(peer)
        return lane.queue if lane is not None else None

    def queues(self) -> Iterable[PeerQueue]:
        return (lane.queue for lane in self._lanes.values())

    def _finish(self, batch: Batch, now: float) -> _Lane | None:
        """Take the batch off the books; returns its lane if the peer has not gone since."""
        lane, batch._lane = batch._lane, None
        if lane is None:
            return None
        self.active_work -= batch._work
        left = self._under_way[batch.peer] - 1
        if left:
            self._under_way[batch.peer] = left
        else:
            del self._under_way[batch.peer]
        lane.queue.done(batch.tasks)
        current = self._lanes.get(batch.peer)
        if current is lane:
            return lane
        if current is not None:
            # The peer came back while this batch was under way, and has waited for its end.
            self._update(current, now)
        return None

    def _retry(self, entry: tuple[float, str], now: float) -> None:
        lane = self._lanes.get(entry[1])
        if lane is not None and lane.retry_at == entry[0]:
            lane.retry_at = None
            self._update(lane, now)

    def _update(self, lane: _Lane, now: float) -> None:
        queue, peer = lane.queue, lane.queue.peer
        cap = lane.pace.outstanding
        pending, active = len(queue.pending), len(queue.active)
        if not pending and not active:
            self._scheduler.rest(peer)
        ready = (
            lane.retry_at is None
            and (not cap or queue.active_work < cap)
            and self._under_way.get(peer, 0) < self._batches_per_peer
        )
        head = None
        if self._order is not None and pending:
            task = queue.head()
            head = task.order if task is not None else None
        self._scheduler.update(peer, pending=pending, active=active, ready=ready, now=now, head=head)

    def _new_pace(self) -> Pace:
        options = self._options
        most = None
        if options.adaptive:
            most = (options.max_target_message_size, options.max_outstanding_bytes_fast)
        return Pace(options.target_message_size, options.max_outstanding_bytes, most=most)
