"""A queue and a model of the peer that it tells: random wants, cancels and answers, each on its way."""

from __future__ import annotations

from collections import deque
from random import Random

from bitswap.cid import CID
from bitswap.message import Message, WantType
from bitswap.messagequeue import MessageQueue
from bitswap.options import MAX_FRAME, ClientOptions
from bitswap.testutils import cids_of, make_blocks

BLOCK = int(WantType.BLOCK)
CIDS = cids_of(make_blocks(300))

Answer = tuple[list[CID], list[CID], list[CID]]
"""Blocks, HAVEs, DONT_HAVEs."""


class OnePeer:
    """A queue, the peer behind it, and both directions between them.

    `wants_first`: to the peer the wants of a message count before its cancels make room, as to boxo.
    `keeps`: what it has served stays on its list until it is told. `failing`: the share of messages that do
    not leave. `packing`: the share of answers that have everything at once, which is too much to be read.
    Some peers never send a block, and some are only asked in broadcasts.
    """

    def __init__(
        self,
        seed: int,
        *,
        wants_first: bool = False,
        keeps: bool = False,
        failing: float = 0.0,
        packing: float = 0.0,
    ) -> None:
        self.rng = rng = Random(seed)
        self.options = ClientOptions(
            max_outstanding_wants=rng.choice([5, 50, 200]),
            refill_wants=rng.choice([1, 5]),
            max_delayed_cancels=rng.choice([1, 10, 500]),
            max_message_bytes=rng.choice([300, 2 << 20]),
        )
        self.queue = MessageQueue("p", self.options, supports_have=rng.random() < 0.9)
        self.now = 0.0
        self.wanted: set[CID] = set()
        self.held: dict[CID, int] = {}
        """What the peer has on its list."""
        self.most_held = 0
        self._wants_first = wants_first
        self._keeps = keeps
        self._failing = failing
        self._packing = packing
        self._spent: set[CID] = set()  # served with what was not read, and not to be served again as it is
        self._useful = rng.random() < 0.7
        self._shares = rng.choice([(0.6, 0.5), (0.6, 0.5), (1.0, 0.0), (0.0, 0.0)])
        self.circles = 0
        """How often the queue named a time that had passed although nothing was to be done."""
        self._sending: Message | None = None
        self._ways: tuple[deque[Message], deque[Answer | int]] = (deque(), deque())

    # -- what a session does

    def want(self) -> None:
        cids = self.rng.sample(CIDS, self.rng.randrange(1, 60))
        asks = [(cid, 1000) for cid in cids]
        blocks, answers = self._shares
        if self.rng.random() < blocks:
            self.queue.want_blocks(asks)
        elif not self.queue.want_haves(asks, dont_have=self.rng.random() < answers):
            return
        self.wanted.update(cids)

    def cancel(self) -> None:
        cids = [cid for cid in CIDS if cid in self.wanted and self.rng.random() < 0.3]
        self.wanted.difference_update(cids)
        self.queue.cancel(cids, self.now)

    # -- what the network does

    def send(self) -> None:
        """Begin a message, or learn what became of the one that was begun."""
        if self._sending is None:
            self._sending = self.queue.next_message(self.now)
        elif self.rng.random() < self._failing:
            self._sending = None
            self.queue.message_failed(self.now)
        else:
            self._ways[0].append(self._sending)
            self._sending = None
            self.queue.message_sent(self.now)

    def arrive(self) -> None:
        """The next message reaches the peer."""
        if not self._ways[0]:
            return
        message = Message.from_body(self._ways[0].popleft().to_body())
        for cancels in (False, True) if self._wants_first else (True, False):
            for entry in message.wantlist():
                if entry.cancel and cancels:
                    self.held.pop(entry.cid, None)
                    self._spent.discard(entry.cid)
                elif not entry.cancel and not cancels:
                    self.held[entry.cid] = entry.want_type
            self.most_held = max(self.most_held, len(self.held))

    def answer(self) -> None:
        """The peer says something about what it has on its list, or about what it had."""
        rng = self.rng
        said: Answer = ([], [], [])
        ready = [cid for cid in self.held if cid not in self._spent]
        if len(ready) > 1 and self._packing and rng.random() < self._packing:
            self._pack(ready)
            return
        for cid in ready:
            chance = rng.random()
            if chance < 0.1 and self._useful:
                said[0].append(cid)
                if not self._keeps:
                    del self.held[cid]
            elif chance < 0.15 and self.held[cid] != BLOCK:
                said[1].append(cid)
            elif chance < 0.25:
                said[2].append(cid)
        self._ways[1].append(said)

    def _pack(self, cids: list[CID]) -> None:
        if self._keeps:
            self._spent.update(cids)
        else:
            for cid in cids:
                del self.held[cid]
        self._ways[1].append(self.rng.randrange(MAX_FRAME, 10 * MAX_FRAME))

    def hear(self) -> None:
        """The next answer reaches the queue."""
        if not self._ways[1]:
            return
        answer = self._ways[1].popleft()
        if isinstance(answer, int):
            self.queue.answer_too_large(answer)
            return
        blocks, haves, dont_haves = answer
        self.queue.received(blocks, haves, dont_haves, self.now)
        self.wanted.difference_update(blocks)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        due = self.queue.next_deadline()
        if due is not None and due <= self.now:
            self.queue.on_deadline(self.now)
            due = self.queue.next_deadline()
            if due is not None and due <= self.now and not self.queue.has_message(self.now):
                self.circles += 1

    # -- a whole run

    def step(self) -> None:
        kinds = (self.want, self.cancel, self.send, self.arrive, self.answer, self.hear)
        self.rng.choices(kinds, (3, 2, 8, 6, 3, 3))[0]()
        if self.rng.random() < 0.3:
            self.pass_time(self.rng.choice([0.001, 0.01, 0.2, 3.0, self.until_due()]))

    def settle(self, *, answering: bool = False) -> None:
        """Nothing new is wanted; what is under way arrives. Two minutes pass, or an hour of answers."""
        self._failing = self._packing = 0.0
        end = self.now + (3600.0 if answering else 120.0)
        while self.now < end and not (answering and self._is_served()):
            for _ in range(4):
                self.send()
                self.arrive()
            if answering:
                self._useful = True
                self.answer()
            self.hear()
            self.pass_time(self.until_due())

    def until_due(self) -> float:
        """Seconds until the queue wants to be called; a second at most."""
        due = self.queue.next_deadline()
        return 1.0 if due is None else min(max(due - self.now, 0.001), 1.0)

    def _is_served(self) -> bool:
        """Whether all that the queue is after has come."""
        return not (self.wanted & set(self.queue.cids()) or any(self._ways))
