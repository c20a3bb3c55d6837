"""An engine with a store and a clock, driven by hand."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.clock import VirtualClock
from bitswap.decision.engine import Engine
from bitswap.decision.interface import Envelope
from bitswap.message import Message, WantType
from bitswap.options import ServerOptions

ALPHABET = string.ascii_lowercase
VOWELS = "aeiou"
CONSONANTS = "".join(letter for letter in ALPHABET if letter not in VOWELS)

Names = Iterable[str]


def block(name: str, size: int | None = None) -> Block:
    """A block whose content is its name, or that repeated to `size` bytes."""
    data = name.encode()
    if size is not None:
        data = (data * (size // max(len(data), 1) + 1))[:size]
    return Block.of(data)


def cid(name: str) -> CID:
    return block(name).cid


@dataclass
class Answer:
    """A message as names; lists are sorted, because their order means nothing."""

    peer: str
    blocks: str = ""
    haves: str = ""
    dont_haves: str = ""
    pending_bytes: int = 0


class Node:
    """Blocks are named by letters or digits; those of `ALPHABET` are in the store unless told otherwise."""

    implementation: str | None = None
    """Of the engine; a fixture sets it."""

    def __init__(
        self,
        options: ServerOptions | None = None,
        *,
        stored: Names = ALPHABET,
        salt: int = 7,
        envelopes_per_peer: int = 1,
        implementation: str | None = None,
    ) -> None:
        self.clock = VirtualClock(1000.0)
        self.engine = Engine(
            "me",
            options,
            salt,
            envelopes_per_peer=envelopes_per_peer,
            implementation=implementation or self.implementation,
        )
        self.names: dict[CID, str] = {}
        self.store: dict[CID, Block] = {}
        self.add(block(name) for name in stored)
        for name in string.printable[:62]:
            self.names.setdefault(cid(name), name)

    @property
    def now(self) -> float:
        return self.clock.now()

    def add(self, blocks: Iterable[Block]) -> None:
        for item in blocks:
            self.store[item.cid] = item
            self.names.setdefault(item.cid, item.data[:1].decode())

    def arrive(self, blocks: Iterable[Block]) -> None:
        """Store blocks and tell the engine."""
        blocks = list(blocks)
        self.add(blocks)
        self.engine.notify_new_blocks({item.cid: len(item.data) for item in blocks}, self.now)

    def size(self, wanted: CID) -> int | None:
        return len(self.store[wanted].data) if wanted in self.store else None

    def receive(self, peer: str, message: Message, sizes: Mapping[CID, int] | None = None) -> None:
        """`sizes`: what is found instead of what is stored."""
        size = self.size if sizes is None else sizes.get
        lookup = self.engine.lookup(message)
        self.engine.message_received(peer, lookup, [size(c) for c in lookup.cids], self.now)

    def want(
        self,
        peer: str,
        blocks: Names = "",
        haves: Names = "",
        *,
        cancels: Names = "",
        ask: bool = False,
        priority: int = 1,
        full: bool = False,
    ) -> None:
        """One message; `ask` = DONT_HAVE is wanted. Within each kind priorities fall from left to right."""
        message = Message(full)
        blocks, haves = list(blocks), list(haves)
        top = priority + len(blocks) + len(haves) - 1
        for name, kind in [(n, WantType.BLOCK) for n in blocks] + [(n, WantType.HAVE) for n in haves]:
            message.add_entry(cid(name), top, kind, ask)
            top -= 1
        for name in cancels:
            message.cancel(cid(name))
        self.receive(peer, message)

    def take(self) -> tuple[Envelope, Message] | None:
        """The next envelope that has something in it, filled."""
        while (envelope := self.engine.next_envelope(self.now)) is not None:
            message = self.fill(envelope)
            if message is not None:
                return envelope, message
        return None

    def fill(self, envelope: Envelope) -> Message | None:
        """Fill an envelope from the store."""
        return self.engine.fill(envelope, [self.store.get(c) for c in envelope.cids])

    def begin(self) -> tuple[Envelope, Answer] | None:
        """Take the next envelope and do not say how its send went."""
        taken = self.take()
        return (taken[0], self.read(*taken)) if taken is not None else None

    def next(self) -> Answer | None:
        """Take the next envelope and send it."""
        begun = self.begin()
        if begun is None:
            return None
        self.engine.envelope_sent(begun[0], self.now)
        return begun[1]

    def drain(self) -> list[Answer]:
        answers = []
        while (answer := self.next()) is not None:
            answers.append(answer)
        return answers

    def read(self, envelope: Envelope, message: Message) -> Answer:
        def name(cids: Iterable[CID]) -> str:
            return "".join(sorted(self.names[c] for c in cids))

        return Answer(
            envelope.peer,
            name(item.cid for item in message.blocks()),
            name(message.haves()),
            name(message.dont_haves()),
            message.pending_bytes,
        )

    def wantlist(self, peer: str) -> str:
        return "".join(sorted(self.names[c] for c in self.engine.wantlist_for_peer(peer)))


def one(answers: list[Answer]) -> Answer:
    assert len(answers) == 1, answers
    return answers[0]
