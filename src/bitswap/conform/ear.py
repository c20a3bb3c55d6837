"""A Bitswap stream as the suite sees it, ours or the peer's: what came on it, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from bitswap.cid import CID
from bitswap.errors import WireError
from bitswap.message import FrameReader, Message
from bitswap.network.libp2p.yamux_stream import StreamClosed, YamuxStream

HAVE, DONT_HAVE, BLOCK = "HAVE", "DONT_HAVE", "block"


class Fate(Enum):
    """How a stream stands, as far as the peer told."""

    OPEN = "open"
    ENDED = "ended"
    RESET = "reset"


@dataclass(frozen=True)
class Arrival:
    """One message of the peer."""

    number: int
    """Place in the order of all messages of the connection."""
    message: Message
    ear: Ear
    """The stream on which it came."""


@dataclass
class Arrivals:
    """All that a connection brought."""

    messages: list[Arrival] = field(default_factory=list)
    answers: dict[CID, list[tuple[str, int]]] = field(default_factory=dict)
    """CID to (HAVE, DONT_HAVE, block or "presence N", number of the message), in order."""
    blocks: dict[CID, bytes] = field(default_factory=dict)
    wants: int = 0
    """Entries that the peer sent to us."""
    bad: list[str] = field(default_factory=list)
    """What could not be decoded."""

    def add(self, message: Message, ear: Ear) -> None:
        number = len(self.messages)
        self.messages.append(Arrival(number, message, ear))
        self.wants += message.entry_count
        for block in message.blocks():
            self.blocks[block.cid] = block.data
            self.answers.setdefault(block.cid, []).append((BLOCK, number))
        for cid, kind in message.presences():
            word = {0: HAVE, 1: DONT_HAVE}.get(kind, f"presence {kind}")
            self.answers.setdefault(cid, []).append((word, number))

    def of(self, cid: CID) -> list[str]:
        """What was answered about `cid`, in order."""
        return [word for word, _ in self.answers.get(cid, [])]


class EarOwner(Protocol):
    """The connection."""

    arrivals: Arrivals
    holding: bool
    """No credit is returned while this is set, so that the peer can send no more than a window a stream."""

    def count(self, size: int) -> None:
        """So many bytes came."""


class Ear:
    """Handler of one stream of Bitswap."""

    def __init__(self, owner: EarOwner, stream: YamuxStream, protocol: str, *, inbound: bool) -> None:
        self.stream = stream
        self.protocol = protocol
        self.inbound = inbound
        self.fate = Fate.OPEN
        self.messages = 0
        self._owner = owner
        self._reader = FrameReader()
        self._due = 0

    def write(self, data: bytes) -> bool:
        """Queue bytes; False when the peer has closed the stream already."""
        try:
            self.stream.write(data)
        except StreamClosed:
            return False
        return True

    def release(self) -> None:
        """Return the credit that was held back."""
        due, self._due = self._due, 0
        if due and not self.stream.closed:
            self.stream.consume(due)

    # What the stream tells.

    def data_received(self, data: memoryview) -> None:
        self._due += len(data)
        self._owner.count(len(data))
        if not self._owner.holding:
            self.release()
        try:
            for body in self._reader.feed(data):
                self._owner.arrivals.add(Message.from_body(body), self)
                self.messages += 1
            if self._reader.error is not None:
                raise self._reader.error
        except WireError as error:
            self._spoilt(error)

    def end_received(self) -> None:
        self.fate = Fate.ENDED
        try:
            self._reader.eof()
        except WireError as error:
            self._spoilt(error)
        if self.inbound and not self.stream.closed:
            self.stream.end()

    def closed(self, error: BaseException | None) -> None:
        if self.fate is Fate.OPEN:
            self.fate = Fate.RESET

    def drained(self) -> None: ...

    def _spoilt(self, error: WireError) -> None:
        self._owner.arrivals.bad.append(f"{self.protocol}, stream {self.stream.id}: {error}")
        self.fate = Fate.RESET
        self.stream.reset()
