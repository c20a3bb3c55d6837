"""One peer of the model: its wants, what it is owed, what is under way to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bitswap.cid import CID
from bitswap.decision.task import BLOCK_OVERHEAD, MESSAGE_OVERHEAD, PRESENCE_OVERHEAD, presence_size
from bitswap.options import MAX_FRAME, ServerOptions

BLOCK = 0
ROOM = MAX_FRAME - MESSAGE_OVERHEAD


@dataclass(eq=False)
class Want:
    cid: CID
    priority: int
    kind: int
    asked: bool
    available: bool
    age: int = 0
    excused: bool = False
    """It is not owed although it is available: its answer was on its way when it was asked for again, or the
    block has vanished."""

    @property
    def rank(self) -> tuple[int, bool, int]:
        """The smallest is given up first."""
        return self.priority, self.available, -self.age


@dataclass(eq=False)
class Answer:
    cid: CID
    priority: int
    size: int | None
    block: bool
    asked: bool
    counted: bool = True
    """False: as a block it weighs nothing, because only its presence was asked for."""
    age: int = 0
    booked: int = 0
    """Bytes that were counted when it was taken."""

    @property
    def is_block(self) -> bool:
        return self.block and self.size is not None

    @property
    def work(self) -> int:
        if self.is_block and self.size is not None:
            return self.size if self.counted else 0
        return presence_size(self.cid)

    @property
    def wire(self) -> int:
        return len(self.cid) + ((self.size or 0) + BLOCK_OVERHEAD if self.is_block else PRESENCE_OVERHEAD)

    def is_news(self, others: Iterable[Answer]) -> bool:
        """Whether it says more than those under way."""
        more = self.block and not any(other.block for other in others)
        return more or (self.size is not None and all(other.size is None for other in others))

    def take_in(self, other: Answer) -> None:
        if other.size is not None and self.size is None:
            self.size, self.counted = other.size, other.counted
        self.block = self.block or other.block
        self.priority = max(self.priority, other.priority)

    def answers(self, want: Want) -> bool:
        return self.size is not None and (self.block or want.kind != BLOCK)


@dataclass(eq=False)
class Peer:
    """From its first message until it disconnects."""

    name: str
    target: int
    cap: int
    wants: dict[CID, Want] = field(default_factory=dict)
    queued: dict[CID, Answer] = field(default_factory=dict)
    under_way: list[Answer] = field(default_factory=list)
    withdrawn: set[CID] = field(default_factory=set)
    repeated: set[CID] = field(default_factory=set)
    ages: int = 0
    failures: int = 0
    retry_at: float | None = None
    served: tuple[float, int] | None = None
    """When, and the number of that service among all; None = not since it last had all it asked for."""
    returned: int = 0
    """Wants and answers that were put back, for which there need not have been room."""

    def answers(self, cid: CID) -> list[Answer]:
        """Those under way."""
        return [answer for answer in self.under_way if answer.cid == cid]

    def work_under_way(self) -> int:
        return sum(answer.booked for answer in self.under_way)

    def rest(self) -> None:
        if not self.queued and not self.under_way:
            self.served = None

    def take(self, target: int, options: ServerOptions) -> list[Answer]:
        """The next answers, in order, until they weigh `target` bytes, or are many in a large message."""
        taken: list[Answer] = []
        weight, room = 0, ROOM
        while self.queued and weight < target and (not self.cap or self.work_under_way() < self.cap):
            if weight >= options.target_message_size and len(taken) >= options.max_message_answers:
                break
            answer = max(self.queued.values(), key=lambda other: (other.priority, -other.age))
            room -= answer.wire
            if room < 0 and taken:
                break
            del self.queued[answer.cid]
            if self.answers(answer.cid):
                self.unmark(answer.cid)
            answer.booked = answer.work
            weight += answer.booked
            self.under_way.append(answer)
            taken.append(answer)
        return taken

    def put_back(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            self.returned += 1
            queued = self.queued.setdefault(answer.cid, answer)
            if queued is not answer:
                queued.take_in(answer)
            self.expect(answer.cid)

    def end(self, answers: Iterable[Answer]) -> None:
        """These are no longer under way."""
        for answer in answers:
            self.under_way.remove(answer)
            if not self.answers(answer.cid):
                self.unmark(answer.cid)

    def unmark(self, cid: CID) -> None:
        self.withdrawn.discard(cid)
        self.repeated.discard(cid)

    def withdraw(self, cid: CID) -> None:
        if self.answers(cid):
            self.withdrawn.add(cid)

    def excuse(self, cid: CID) -> None:
        """The want for it, if there is one, is not owed an answer."""
        if cid in self.wants:
            self.wants[cid].excused = True

    def expect(self, cid: CID) -> None:
        """It is, if what is queued answers it."""
        want, queued = self.wants.get(cid), self.queued.get(cid)
        if want is not None and queued is not None and queued.answers(want):
            want.excused = False


@dataclass(eq=False)
class Envelope:
    peer: Peer
    answers: list[Answer]
    taken_at: float
    filled: bool = False
    ended: bool = False
    answered: list[Want] = field(default_factory=list)
    blocks: int = 0
    block_bytes: int = 0
    pending: int = 0
    more: bool = False
    cids: list[CID] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cids = [answer.cid for answer in self.answers if answer.is_block]
        self.pending = sum(answer.work for answer in self.peer.queued.values())
        self.more = bool(self.peer.queued)

    def shown(self) -> tuple[object, ...]:
        pending = min(self.pending, 2**31 - 1)
        return self.peer.name, self.cids, pending, self.blocks, self.block_bytes, self.ended
