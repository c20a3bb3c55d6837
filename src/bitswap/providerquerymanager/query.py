"""One block whose providers are looked for, for everybody who searches for it."""

from __future__ import annotations

from enum import Enum, auto

from bitswap.cid import CID
from bitswap.errors import Reason
from bitswap.network.interface import Peer
from bitswap.providerquerymanager.search import Ended, Outcome, Search
from bitswap.routing.interface import Provider


class Phase(Enum):
    """What has become of the question to the routers."""

    QUEUED = auto()
    ASKING = auto()
    ASKED = auto()


class Query:
    """The state of one query; what is to be done about it is the manager's business."""

    __slots__ = (
        "candidates",
        "cid",
        "connected",
        "deadline",
        "dialling",
        "error",
        "failed",
        "key",
        "named",
        "number",
        "phase",
        "records",
        "searches",
    )

    def __init__(self, cid: CID, key: bytes, number: int, deadline: float) -> None:
        self.cid = cid
        self.key = key
        self.number = number
        self.deadline = deadline
        """When it is over: at first the end of its time in the queue, then of its time at work."""
        self.phase = Phase.QUEUED
        self.searches: dict[Search, None] = {}
        self.records = 0
        """Providers looked at, repetitions included."""
        self.named: dict[Peer, None] = {}
        """Every peer that was named and is not ignored. Each is in at most one of the four below."""
        self.candidates: dict[Peer, tuple[str, ...]] = {}
        self.dialling: dict[Peer, None] = {}
        self.connected: dict[Peer, None] = {}
        self.failed: dict[Peer, Reason] = {}
        self.error: str | None = None

    @property
    def room(self) -> int:
        """How many providers more are of use, if all dials under way succeed."""
        needed = max((search.limit for search in self.searches), default=0)
        return needed - len(self.connected) - len(self.dialling)

    @property
    def done(self) -> bool:
        """Whether nothing more can come of it."""
        return self.phase is Phase.ASKED and not self.candidates and not self.dialling

    def add(self, provider: Provider, addresses: tuple[str, ...], most: int) -> None:
        """Somebody who is neither connected nor being dialled is to be dialled, at `most` addresses."""
        peer = provider.peer
        known = self.candidates.get(peer, ())
        self.failed.pop(peer, None)
        self.candidates[peer] = tuple(dict.fromkeys((*known, *addresses)))[:most]

    def connect(self, peer: Peer) -> None:
        """`peer` is connected: everybody who waits is told."""
        self.candidates.pop(peer, None)
        self.dialling.pop(peer, None)
        self.failed.pop(peer, None)
        self.connected[peer] = None
        for search in self.searches:
            search.tell(peer)

    def fail(self, peer: Peer, reason: Reason) -> None:
        self.candidates.pop(peer, None)
        self.dialling.pop(peer, None)
        if peer not in self.connected:
            self.failed[peer] = reason

    def outcome(self, search: Search, ended: Ended) -> Outcome:
        return Outcome(search.cid, ended, search.told, len(self.named), dict(self.failed), self.error)
