"""What came from peers and is not yet handled: in order for each peer, bounded, and fair between them.

A machine for the driver, which calls it under a lock that is held for moments only.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bitswap.decision.ratelimit import RateLimit
    from bitswap.message import Message


class Work(NamedTuple):
    """What to do next for one peer, in this order; until `Inboxes.finished` nothing else is taken for it."""

    peer: str
    left: bool
    """The peer disconnected (and may have come back since)."""
    came: bool
    """The peer connected."""
    blocks: int
    block_bytes: int
    """Blocks that it sent us and we wanted."""
    message: Message | None


class _Inbox:
    __slots__ = (
        *("block_bytes", "blocks", "busy", "came", "here", "held", "left", "messages", "paused", "queued"),
    )

    def __init__(self) -> None:
        self.here = False
        self.left = self.came = False
        self.blocks = self.block_bytes = 0
        self.messages: deque[tuple[Message, int]] = deque()
        self.paused = False
        self.queued = False  # has its place among those with something to do
        self.busy = False  # taken, and not yet finished
        self.held = False  # its messages wait for a rate

    @property
    def eventful(self) -> bool:
        """Whether there is something besides messages."""
        return bool(self.left or self.came or self.blocks)

    @property
    def empty(self) -> bool:
        return not (self.eventful or self.messages)


class Inboxes:
    """One inbox a peer, from its first event until it has gone.

    A peer with `max_messages` waiting, or anybody who sends while `max_bytes` wait in all, is to be paused;
    it is to be resumed when half of that is handled. Messages that exceed a rate in wants a second wait here.
    """

    def __init__(self, max_messages: int, max_bytes: int, limit: RateLimit | None = None) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._limit = limit if limit else None
        self._held: list[tuple[float, int, str]] = []
        self._holds = 0
        self._boxes: dict[str, _Inbox] = {}
        self._queue: deque[str] = deque()
        self._paused: set[str] = set()
        self._choked = False  # somebody was paused because of `max_bytes`
        self.waiting_bytes = 0
        """Bytes of all messages that wait."""
        self.waiting = 0
        """How many these are."""

    @property
    def delayed(self) -> int:
        """How often messages of a peer had to wait for a rate."""
        return self._holds

    def __bool__(self) -> bool:
        """Whether `take` has something."""
        return bool(self._queue)

    def connected(self, peer: str) -> None:
        box = self._box(peer)
        box.here = box.came = True
        self._enqueue(peer, box)

    def disconnected(self, peer: str) -> None:
        """What waits from the peer is dropped; what follows comes from a new connection."""
        box = self._box(peer)
        self._drop_messages(box)
        self._unpause(peer, box)
        box.here = box.came = False
        box.left = True
        box.blocks = box.block_bytes = 0
        self._enqueue(peer, box)

    def message(self, peer: str, message: Message, size: int) -> bool:
        """Keep a message of `size` bytes; returns whether the peer is to be paused."""
        box = self._box(peer)
        box.here = True
        box.messages.append((message, size))
        self.waiting_bytes += size
        self.waiting += 1
        self._enqueue(peer, box)
        full = self.waiting_bytes >= self._max_bytes
        if full or len(box.messages) >= self._max_messages:
            self._choked = self._choked or full
            box.paused = True
            self._paused.add(peer)
            return True
        return False

    def credit(self, peer: str, blocks: int, block_bytes: int) -> bool:
        """Note blocks that the peer sent us; False, and nothing is kept, when it is not here."""
        box = self._boxes.get(peer)
        if box is None or not box.here or not blocks:
            return False
        box.blocks += blocks
        box.block_bytes += block_bytes
        self._enqueue(peer, box)
        return True

    def begin(self, peer: str) -> bool:
        """Whether `peer` is here and nothing of it waits or is handled; until `finished` something is."""
        box = self._boxes.get(peer)
        if box is None or not box.here or box.busy or box.queued:
            return False
        box.busy = True
        return True

    def next_deadline(self) -> float | None:
        """When `release` may have something to do."""
        return self._held[0][0] if self._held else None

    def release(self, now: float) -> None:
        """Let those go on whose wait for a rate is over."""
        while self._held and self._held[0][0] <= now:
            peer = heapq.heappop(self._held)[2]
            box = self._boxes.get(peer)
            if box is not None and box.held:
                box.held = False
                if not box.empty:
                    self._enqueue(peer, box)

    def take(self, now: float = 0.0) -> Work | None:
        """The next thing to do; peers take turns, one message at a time."""
        self.release(now)
        while self._queue:
            peer = self._queue.popleft()
            box = self._boxes[peer]
            box.queued = False
            if box.messages and not box.held and self._limit is not None:
                self._hold(peer, box, self._limit, now)
            if box.eventful or not box.held:
                return self._taken(peer, box, now)
        return None

    def _hold(self, peer: str, box: _Inbox, limit: RateLimit, now: float) -> None:
        """Make the peer wait if it, or all, have had their share."""
        ready_at = max(limit.peer_ready_at(peer, now), limit.total_ready_at(now))
        if ready_at > now:
            box.held = True
            self._holds += 1
            heapq.heappush(self._held, (ready_at, self._holds, peer))

    def _taken(self, peer: str, box: _Inbox, now: float) -> Work:
        message = None
        if box.left and self._limit is not None:
            self._limit.forget(peer, now)
        if box.messages and not box.held:
            message, size = box.messages.popleft()
            self.waiting_bytes -= size
            self.waiting -= 1
            if self._limit is not None:
                wants = sum(not entry.cancel for entry in message.wantlist())
                self._limit.took(peer, max(wants, 1), now)
        work = Work(peer, box.left, box.came, box.blocks, box.block_bytes, message)
        box.left = box.came = False
        box.blocks = box.block_bytes = 0
        box.busy = True
        return work

    def finished(self, peer: str) -> list[str]:
        """The work taken for `peer` is done; returns the peers to be resumed."""
        box = self._boxes.get(peer)
        if box is not None:
            box.busy = False
            if not box.empty:
                self._enqueue(peer, box)
            elif not box.here:
                del self._boxes[peer]
        return self._resumed(peer) if self._paused else []

    def is_paused(self, peer: str) -> bool:
        return peer in self._paused

    def clear(self) -> list[str]:
        """Forget everything; returns the peers that were paused."""
        paused = list(self._paused)
        self._boxes.clear()
        self._queue.clear()
        self._paused.clear()
        self._held.clear()
        self.waiting_bytes = self.waiting = 0
        return paused

    def _resumed(self, peer: str) -> list[str]:
        if self.waiting_bytes > self._max_bytes // 2:
            return []
        candidates = [peer]
        if self._choked:
            self._choked = False
            candidates = list(self._paused)
        resumed = []
        for candidate in candidates:
            box = self._boxes.get(candidate)
            if box is not None and box.paused and len(box.messages) <= self._max_messages // 2:
                self._unpause(candidate, box)
                resumed.append(candidate)
        return resumed

    def _unpause(self, peer: str, box: _Inbox) -> None:
        box.paused = False
        self._paused.discard(peer)

    def _drop_messages(self, box: _Inbox) -> None:
        self.waiting_bytes -= sum(size for _, size in box.messages)
        self.waiting -= len(box.messages)
        box.messages.clear()

    def _box(self, peer: str) -> _Inbox:
        box = self._boxes.get(peer)
        if box is None:
            box = self._boxes[peer] = _Inbox()
        return box

    def _enqueue(self, peer: str, box: _Inbox) -> None:
        if not box.queued and not box.busy and (box.eventful or not box.held):
            box.queued = True
            self._queue.append(peer)
