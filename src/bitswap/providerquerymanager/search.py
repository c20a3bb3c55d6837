"""What somebody who searches for providers holds, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

from bitswap.cid import CID
from bitswap.errors import Cause, Reason
from bitswap.network.interface import Peer

_SHOWN = 3  # peers that a sentence names


class Ended(Enum):
    """Why a search is over."""

    ENOUGH = "as many providers are connected as were asked for"
    COMPLETE = "every provider that was found has been tried"
    TIMED_OUT = "time ran out"
    LEFT = "it was given up"
    REFUSED = "it was not begun"
    CLOSED = "the node was closed"


class SearchFailure(Enum):
    """Why a search connected nobody."""

    NO_PROVIDERS = "no providers were found"
    DIALS_FAILED = "no provider could be reached"
    TIMED_OUT = "the search for providers timed out"
    ROUTING_FAILED = "the routers failed"
    REFUSED = "the search for providers was refused"
    CLOSED = "the node was closed"


@dataclass(frozen=True)
class Outcome:
    """How a search for the providers of `cid` ended, and what came of it."""

    cid: CID
    ended: Ended
    connected: tuple[Peer, ...] = ()
    """Whom this search was told of, in order."""
    found: int = 0
    """Peers that routers named; ignored ones do not count."""
    failed: Mapping[Peer, Reason] = field(default_factory=dict)
    """Who could not be reached, and why."""
    error: str | None = None
    """What routers failed with, or why the search was refused."""

    @property
    def failure(self) -> SearchFailure | None:
        """Why nobody was connected; None if somebody was, or if whoever searched gave it up."""
        if self.connected or self.ended in (Ended.ENOUGH, Ended.LEFT):
            return None
        if self.ended in (Ended.TIMED_OUT, Ended.REFUSED, Ended.CLOSED):
            return SearchFailure[self.ended.name]
        if self.failed:
            return SearchFailure.DIALS_FAILED
        return SearchFailure.ROUTING_FAILED if self.error else SearchFailure.NO_PROVIDERS

    @property
    def reason(self) -> Reason | None:
        """The same for whoever waits for the block; None where there is no failure."""
        failure = self.failure
        if failure is None:
            return None
        if self.failed:
            return Reason(str(self), Cause.DIAL_FAILED)
        silent = failure in (SearchFailure.ROUTING_FAILED, SearchFailure.TIMED_OUT)
        return Reason(str(self), Cause.ROUTING_FAILED if silent else Cause.NO_PROVIDERS)

    def __str__(self) -> str:
        failure = self.failure
        if failure is None:
            return f"{len(self.connected)} of {self.found} providers are connected"
        said = [f"{peer}: {why}" for peer, why in islice(self.failed.items(), _SHOWN)]
        if len(self.failed) > _SHOWN:
            said.append(f"and {len(self.failed) - _SHOWN} more")
        if self.error and failure is not SearchFailure.DIALS_FAILED:
            said.insert(0, self.error)
        return f"{failure.value}: {'; '.join(said)}" if said else failure.value


class Progress(NamedTuple):
    """How far a search has come that is under way."""

    queued: bool
    """Whether the routers have not been asked yet, because others are before it."""
    asking: bool
    """Whether they may name more."""
    found: int
    connected: tuple[Peer, ...]
    waiting: tuple[Peer, ...]
    """Who is going to be dialled."""
    dialling: Mapping[Peer, str]
    """At which address who is being dialled, or "" where routers are asked for one."""
    failed: Mapping[Peer, Reason]


class Search:
    """A wait for providers; `owner` is whatever the one who waits wants to find it by.

    What has come is kept until it is taken, at most `limit` peers, so nobody waits for a slow reader.
    """

    __slots__ = ("_ready", "_told", "cid", "key", "limit", "outcome", "owner")

    def __init__(self, cid: CID, key: bytes, limit: int, owner: Any) -> None:
        self.cid = cid
        self.key = key
        """What is the same for searches that share a query."""
        self.limit = limit
        self.owner = owner
        self.outcome: Outcome | None = None
        """None until the search is over; then nothing more comes than what is ready."""
        self._told: dict[Peer, None] = {}
        self._ready: list[Peer] = []

    def take(self) -> list[Peer]:
        """The connected providers that have come since the last call, each once in a search."""
        ready, self._ready = self._ready, []
        return ready

    # -- for the manager

    @property
    def told(self) -> tuple[Peer, ...]:
        return tuple(self._told)

    @property
    def satisfied(self) -> bool:
        return len(self._told) >= self.limit

    def tell(self, peer: Peer) -> None:
        """`peer`, of whom this was not told before, is connected."""
        if not self.satisfied:
            self._told[peer] = None
            self._ready.append(peer)
