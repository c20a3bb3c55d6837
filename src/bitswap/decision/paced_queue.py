"""What all peers are owed by a node, at the pace at which each takes it (boxo's use of go-peertaskqueue)."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from bitswap.cid import CID
from bitswap.decision.lanes import Batch, Lanes
from bitswap.decision.pacing import Pace
from bitswap.decision.peer_queue import BatchSize, PeerQueue
from bitswap.decision.scheduler import FairScheduler, TaskOrderScheduler
from bitswap.decision.task import MESSAGE_OVERHEAD, QueuedTask
from bitswap.options import MAX_FRAME, ServerOptions

_FRAME = MAX_FRAME - MESSAGE_OVERHEAD


class _PacedLane:
    """The queue of one connected peer; after a failed send, or when it has had its share, it waits."""

    __slots__ = ("failures", "pace", "queue", "retry_at")

    def __init__(self, queue: PeerQueue, pace: Pace) -> None:
        self.queue = queue
        self.pace = pace
        self.failures = 0
        self.retry_at: float | None = None

    @property
    def max_active(self) -> int:
        return self.pace.outstanding

    @property
    def held(self) -> bool:
        return self.retry_at is not None


class PacedQueue:
    """Queues by peer, served fairly. Peers exist from the first push until `forget`."""

    def __init__(self, options: ServerOptions, salt: int, batches_per_peer: int = 1) -> None:
        self._options = options
        kind = FairScheduler if options.task_order is None else TaskOrderScheduler
        self._lanes: Lanes[_PacedLane] = Lanes(kind(salt, options.starvation_timeout), batches_per_peer)
        self._retries: list[tuple[float, str]] = []

    def push(self, peer: str, tasks: Iterable[QueuedTask], limit: int) -> int:
        """Queue or merge answers; returns how many DONT_HAVEs were dropped as `limit` answers are queued.

        Answers that we have the block for are as many as there are wants, and are never dropped.
        """
        lane = self._lane(peer)
        dropped = lane.queue.push(tasks, limit, spare_blocks=True)
        self._lanes.update(lane)
        return dropped

    def hold(self, peer: str, until: float) -> None:
        """Give the peer nothing before `until`, or whatever it waits for already if that is later."""
        lane = self._lane(peer)
        if lane.retry_at is None or lane.retry_at < until:
            lane.retry_at = until
            heapq.heappush(self._retries, (until, peer))
            self._lanes.update(lane)

    def remove(self, peer: str, cids: Iterable[CID]) -> None:
        """Forget queued answers about `cids`; those under way go out, but are not put back if that fails."""
        lane = self._lanes.get(peer)
        if lane is not None:
            lane.queue.remove(cids)
            self._lanes.update(lane)

    def withdraw(self, peer: str, cids: Iterable[CID]) -> None:
        """What is under way to `peer` about `cids` is not put back if it fails."""
        lane = self._lanes.get(peer)
        if lane is not None:
            for cid in cids:
                lane.queue.withdraw(cid)

    def clear(self, peer: str) -> None:
        """Forget all queued answers of `peer`; those under way are not put back."""
        lane = self._lanes.get(peer)
        if lane is not None:
            lane.queue.clear()
            self._lanes.update(lane)

    def forget(self, peer: str) -> None:
        """The peer is gone, and so is all it was owed."""
        self._lanes.drop(peer)

    def pop(self, now: float) -> Batch | None:
        """The next answers, of the peer whose turn it is; None while nobody can be given anything."""
        while self._retries and self._retries[0][0] <= now:
            self._retry(heapq.heappop(self._retries))
        options, active = self._options, self._lanes.active_work
        if active >= options.max_total_outstanding_bytes:
            return None
        lane = self._lanes.select(now)
        if lane is None:
            return None
        # Large messages to peers that stopped reading leave room for small ones to all others.
        target = options.target_message_size
        if active < options.max_total_outstanding_bytes // 2:
            # The more take turns, the less each gets at a time.
            fair = options.max_round_bytes // max(self._lanes.served, 1)
            target = max(target, min(lane.pace.target, fair))
        size = BatchSize(target, _FRAME, options.max_message_answers, least=options.target_message_size)
        return self._lanes.take(lane, size, now)

    @property
    def ready(self) -> bool:
        """Whether a peer could be given something."""
        return self._lanes.ready and self._lanes.active_work < self._options.max_total_outstanding_bytes

    def next_deadline(self) -> float | None:
        """When `pop` may have something that it has not now, without any other call."""
        return self._retries[0][0] if self._retries else None

    def has_made(self, batch: Batch) -> bool:
        return batch.lanes is self._lanes

    def is_current(self, batch: Batch) -> bool:
        """Whether the batch is under way and its peer has not gone since."""
        return self._lanes.is_current(batch)

    def done(self, batch: Batch, now: float) -> None:
        """The batch was sent, or there was nothing in it to send. A second call does nothing."""
        lane = self._lanes.finish(batch)
        if lane is None:
            return
        lane.pace.sent(now - batch.taken_at, full=batch.more)
        lane.failures = 0
        self._lanes.update(lane)

    def failed(self, batch: Batch, owed: Iterable[QueuedTask], now: float) -> bool:
        """The batch was not sent: the peer waits, and `owed`, a part of it, is queued again in its old place.

        False, and nothing is queued, if the batch had ended already or its peer has gone.
        """
        lane = self._lanes.finish(batch)
        if lane is None:
            return False
        lane.pace.failed()
        delay = self._options.retry_delay * 2.0 ** min(lane.failures, 30)
        lane.failures += 1
        retry_at = now + min(delay, self._options.max_retry_delay)
        lane.retry_at = retry_at if lane.retry_at is None else max(retry_at, lane.retry_at)
        heapq.heappush(self._retries, (lane.retry_at, batch.peer))
        # Between the two the peer may be at rest, and is then served first when its wait is over.
        self._lanes.update(lane)
        lane.queue.put_back(owed)
        self._lanes.update(lane)
        return True

    def postpone(self, batch: Batch, tasks: list[QueuedTask]) -> None:
        """Take `tasks` out of a current batch, and queue again those that the peer has not withdrawn."""
        self._lanes.postpone(batch, tasks)

    def queue(self, peer: str) -> PeerQueue | None:
        """The peer's queue, to be read."""
        lane = self._lanes.get(peer)
        return lane.queue if lane is not None else None

    def queues(self) -> Iterable[PeerQueue]:
        return (lane.queue for lane in self._lanes)

    def _retry(self, entry: tuple[float, str]) -> None:
        lane = self._lanes.get(entry[1])
        if lane is not None and lane.retry_at == entry[0]:
            lane.retry_at = None
            self._lanes.update(lane)

    def _lane(self, peer: str) -> _PacedLane:
        lane = self._lanes.get(peer)
        if lane is None:
            lane = self._lanes.add(_PacedLane(PeerQueue(peer, self._options.task_order), self._new_pace()))
        return lane

    def _new_pace(self) -> Pace:
        options = self._options
        most = None
        if options.adaptive:
            most = (options.max_target_message_size, options.max_outstanding_bytes_fast)
        return Pace(options.target_message_size, options.max_outstanding_bytes, most=most)
