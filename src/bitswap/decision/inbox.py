"""What came from peers and is not yet handled: in order for each peer, bounded, and fair between them.

A machine for the driver, which calls it under a lock that is held for moments only.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
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
    __slots__ = ("block_bytes", "blocks", "busy", "came", "here", "left", "messages", "paused", "queued")

    def __init__(self) -> None:
        self.here = False
        self.left = self.came = False
        self.blocks = self.block_bytes = 0
        self.messages: deque[tuple[Message, int]] = deque()
        self.paused = False
        self.queued = False  # has its place among those with something to do
        self.busy = False  # taken, and not yet finished

    @property
    def empty(self) -> bool:
        return not (self.left or self.came or self.blocks or self.messages)


class Inboxes:
    """One inbox a peer, from its first event until it has gone.

    A peer with `max_messages` waiting, or anybody who sends while `max_bytes` wait in all, is to be paused;
    it is to be resumed when half of that is handled.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._boxes: dict[str, _Inbox] = {}
        self._queue: deque[str] = deque()
        self._paused: set[str] = set()
        self._choked = False  # somebody was paused because of `max_bytes`
        self.waiting_bytes = 0
        """Bytes of all messages that wait."""
        self.waiting = 0
        """How many these are."""

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

    def take(self) -> Work | None:
        """The next thing to do; peers take turns, one message at a time."""
        if not self._queue:
            return None
        peer = self._queue.popleft()
        box = self._boxes[peer]
        message = None
        if box.messages:
            message, size = box.messages.popleft()
            self.waiting_bytes -= size
            self.waiting -= 1
        work = Work(peer, box.left, box.came, box.blocks, box.block_bytes, message)
        box.left = box.came = False
        box.blocks = box.block_bytes = 0
        box.queued = False
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
        if not box.queued and not box.busy:
            box.queued = True
            self._queue.append(peer)
