"""The peer under test, as checks see it: connections to it, what it has, what it was seen to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bitswap.cid import CID
from bitswap.conform.ear import DONT_HAVE
from bitswap.conform.line import Line, Target
from bitswap.conform.talk import Talk, unknown_cid
from bitswap.conform.verdict import Lost, NotSpoken, Silent
from bitswap.message.protocols import BITSWAP_1_2_0, PROTOCOLS
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.options import KIB

_AT_ONCE = 256
"""Wants that any peer takes in one message."""
SMALL = 1024
"""Bytes of a block that boxo sends where a HAVE was asked for."""


@dataclass
class Log:
    """What all connections of a run brought, for the checks that look back."""

    messages: int = 0
    answers: int = 0
    wants: int = 0
    """Entries that the peer sent to us."""
    bad: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    """Blocks and presences that nobody asked for."""
    unasked_dont_haves: list[str] = field(default_factory=list)

    def add(self, talk: Talk) -> None:
        """Take in what a connection brought."""
        arrivals = talk.arrivals
        self.messages += len(arrivals.messages)
        self.answers += len(arrivals.answers)
        self.wants += arrivals.wants
        self.bad += arrivals.bad
        for cid in arrivals.answers:
            words = arrivals.of(cid)
            if cid not in talk.asked:
                self.unasked.append(f"{', '.join(words)} about {cid}")
            elif DONT_HAVE in words and cid not in talk.asked_dont_have:
                self.unasked_dont_haves.append(str(cid))


class Peer:
    """Dials on request; every connection has the deadline of the check that runs."""

    def __init__(self, target: Target, cids: Sequence[CID] = (), timeout: float = 10.0) -> None:
        self.target = target
        self.patience = timeout / 10
        """Seconds to wait for what may never come, before something else tells more."""
        self.cids = list(dict.fromkeys(cids))
        """What the user says that the peer has."""
        self.deadline = 0.0
        self.log = Log()
        self.says_dont_have = True
        """Whether it answers DONT_HAVE at all, which most checks need to know when a message was handled."""
        self._held: dict[CID, bytes] | None = None

    def line(self, *, identity: PeerIdentity | None = None, protocols: Sequence[str] = PROTOCOLS) -> Line:
        """A bare connection. Raises Unreachable."""
        return Line(self.target, self.deadline, identity=identity, protocols=protocols)

    def talk(
        self,
        *,
        identity: PeerIdentity | None = None,
        protocols: Sequence[str] = PROTOCOLS,
        protocol: str = BITSWAP_1_2_0,
    ) -> Talk:
        """A connection as a new peer, or as `identity`. Raises Unreachable."""
        return Talk(self.line(identity=identity, protocols=protocols), self.log.add, protocol)

    def probe(self, seconds: float) -> None:
        """Learn whether it says DONT_HAVE. Raises Unreachable."""
        with self.talk() as talk:
            cid = unknown_cid()
            try:
                talk.want([cid], 1)
                talk.await_answers([cid], seconds)
            except (Lost, NotSpoken, Silent):
                pass
            self.says_dont_have = DONT_HAVE in talk.of(cid)

    def held(self) -> dict[CID, bytes]:
        """The blocks of `cids` that it sent when it was first asked for all of them."""
        if self._held is None:
            with self.talk() as talk:
                self._held = {}
                for at in range(0, len(self.cids), _AT_ONCE):
                    some = self.cids[at : at + _AT_ONCE]
                    talk.want(some)
                    talk.await_answers(some)
                    talk.cancel(some)
                self._held = {
                    cid: talk.arrivals.blocks[cid] for cid in self.cids if cid in talk.arrivals.blocks
                }
        return self._held

    def small(self) -> list[CID]:
        """Held blocks of 1 to 1,024 bytes."""
        return [cid for cid, data in self.held().items() if 0 < len(data) <= SMALL]

    def large(self, least: int = SMALL + 1) -> list[CID]:
        """Held blocks of at least so many bytes."""
        return [cid for cid, data in self.held().items() if len(data) >= least]

    def still_serves(self) -> None:
        """A stranger's connection is answered. Raises Unreachable, Lost, Silent."""
        with self.talk() as talk:
            talk.barrier()


ENOUGH_BLOCKS, ENOUGH_BYTES = 24, 256 * KIB
"""Held blocks, and the least bytes of each: a message with one is more than the first window of a stream, and
all are more than a peer has under way to one that returns no credit."""
