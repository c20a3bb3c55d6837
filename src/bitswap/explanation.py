"""Where a block stays: who was asked for it, what they said, what it waits for and what happens next.

Times are seconds before (`…_ago`) or after (`due`) the moment of the question. `str` of an Explanation is for
people, `record` for JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from bitswap.cid import CID
from bitswap.errors import Cause, Reason
from bitswap.network.interface import Peer

SHOWN_PEERS = 8
"""Peers that the text has a line for; the others are counted."""
_LONG_ID, _SHORT_ID = 16, 7  # characters


_NOT_ASKED = (Cause.NOT_ASKED, Cause.NOT_CONNECTED, Cause.DIAL_FAILED)


class State(Enum):
    """How far a block has come; further down is nearer."""

    NOT_WANTED = "nobody waits for it"
    GIVEN_UP = "it was given up: nobody who may be asked has it"
    NO_PEERS = "there is no peer to ask"
    QUEUED = "it is not asked for yet: the window of its request is full"
    NO_ROOM = "it is not asked for yet: whoever could be asked has enough to do"
    RESTING = "whoever was asked lacks it or is silent"
    SOUGHT = "routers are asked who has it, and whom they name is dialled"
    SEARCHED = "peers are asked whether they have it"
    ASKED = "a peer is asked for it"
    READY = "it has come, and waits to be taken"
    STORED = "it is in the store"


@dataclass(frozen=True)
class PeerView:
    """One peer and the block."""

    peer: Peer
    reason: Reason
    """Why it has not sent the block, or was not asked for it: words, and a `cause` for programs."""
    connected: bool
    member: bool = False
    """Whether the session counts on it."""
    asked: str | None = None
    """"block" or "have", where the answer is still waited for."""
    asked_ago: float | None = None
    """None where the question has not been sent yet, or is not waited for any more."""
    answer: str | None = None
    """"HAVE" or "DONT_HAVE": the last one, since all were asked again."""
    answered_ago: float | None = None
    outstanding: int = 0
    """Wants of this node that it is taken to hold."""

    @property
    def words(self) -> str:
        """The reason, and when the peer answered."""
        answered = "" if self.answered_ago is None else f" {seconds(self.answered_ago)} ago"
        if self.reason.cause is Cause.DONT_HAVE:
            return f"{self.reason}{answered}"
        if self.answer == "HAVE" and self.reason.cause is not Cause.WITHHELD:
            return f"answered HAVE{answered}; {self.reason}"
        return str(self.reason)

    def __str__(self) -> str:
        return f"{self.peer}: {self.words}"

    def record(self) -> dict[str, Any]:
        reason = {"reason": str(self.reason), "cause": self.reason.cause.name.lower()}
        ago = {name: _rounded(getattr(self, name)) for name in ("asked_ago", "answered_ago")}
        return {**vars(self), **reason, **ago}


@dataclass(frozen=True)
class Step:
    """What happens next, unless the block comes first."""

    what: str
    due: float | None = None
    """In how many seconds; None: once something has happened that no clock tells."""

    def __str__(self) -> str:
        return self.what if self.due is None else f"in {seconds(self.due)} {self.what}"


@dataclass(frozen=True)
class Sought:
    """A search for providers: whom routers named, and who of them was reached."""

    over: bool
    found: int = 0
    """Peers that were named so far."""
    connected: tuple[Peer, ...] = ()
    waiting: tuple[Peer, ...] = ()
    """Those that are still to be dialled."""
    dialling: Mapping[Peer, str] = field(default_factory=dict)
    """Those that are being dialled, and where."""
    failed: Mapping[Peer, Reason] = field(default_factory=dict)
    asking: bool = False
    """Whether routers may name more."""
    ended_ago: float | None = None
    error: str | None = None
    """What routers failed with, or why the search was cut short or not begun."""
    refused: bool = False
    """Whether it was not begun."""

    def __str__(self) -> str:
        if self.refused:
            return f"not searched for at routers: {self.error}"
        begin = "searched for at routers"
        if self.ended_ago is not None:
            begin += f" {seconds(self.ended_ago)} ago"
        elif self.asking:
            begin += " now"
        if self.error is not None:
            begin += f" ({self.error})"
        if not self.found:
            return f"{begin}: nobody was named{'' if self.over else ' yet'}"
        parts = {
            "connected": len(self.connected),
            "being dialled": len(self.dialling),
            "to be dialled": len(self.waiting),
            "not reached": len(self.failed),
        }
        said = [f"{count} {what}" for what, count in parts.items() if count]
        return f"{begin}: {self.found} named, {', '.join(said)}"

    def record(self) -> dict[str, Any]:
        failed = {peer: str(reason) for peer, reason in self.failed.items()}
        ago = _rounded(self.ended_ago)
        return {**vars(self), "dialling": dict(self.dialling), "failed": failed, "ended_ago": ago}


@dataclass(frozen=True)
class Wait:
    """One session that waits for the block."""

    session: int
    """A number by which sessions of one node are told apart."""
    state: State
    words: str = ""
    """What the state is about, in numbers."""
    ahead: int = 0
    """Blocks that come before it, where it waits for its turn."""
    rounds: int = 0
    """How often everybody was asked in vain."""
    peers: tuple[PeerView, ...] = ()
    """Those that were asked or have said something first, then the connected ones that were not asked."""
    next: tuple[Step, ...] = ()
    sought: Sought | None = None
    """The search for providers that is under way, or the last one."""

    def lines(self) -> Iterator[str]:
        """The text of `Explanation`, without its first line."""
        if self.words:
            yield self.words
        for peer in self.peers[:SHOWN_PEERS]:
            yield f"{peer.peer}: {self._shortened(peer.words)}"
        causes = Counter(peer.reason.cause for peer in self.peers[SHOWN_PEERS:])
        for cause, count in causes.items():
            yield f"and {count} more: {cause.value}"
        if self.sought is not None:
            yield self._shortened(str(self.sought))
        if self.rounds and self.state is not State.NO_PEERS:
            yield f"everybody was asked before, in vain: {self.rounds + 1} rounds"
        if self.next:
            yield self._shortened("next: " + "; ".join(map(str, self.next)))

    def _shortened(self, line: str) -> str:
        """Peers that have a line of their own are named by the ends of their ids."""
        for view in self.peers[:SHOWN_PEERS]:
            if len(view.peer) > _LONG_ID:
                line = line.replace(view.peer, f"…{view.peer[-_SHORT_ID:]}")
        return line

    def record(self) -> dict[str, Any]:
        return {
            **vars(self),
            "state": self.state.name.lower(),
            "peers": [peer.record() for peer in self.peers],
            "next": [{"what": step.what, "due": _rounded(step.due)} for step in self.next],
            "sought": None if self.sought is None else self.sought.record(),
        }


@dataclass(frozen=True)
class Explanation:
    """What is known of a block, now."""

    cid: CID
    state: State
    """The furthest of all that wait for it."""
    waits: tuple[Wait, ...] = ()

    @classmethod
    def of(cls, cid: CID, waits: tuple[Wait, ...]) -> Explanation:
        """The explanation that sessions give together; NOT_WANTED without any."""
        states = list(State)
        furthest = max((wait.state for wait in waits), key=states.index, default=State.NOT_WANTED)
        return cls(cid, furthest, waits)

    @property
    def wanted(self) -> bool:
        """Whether anybody waits for it."""
        return bool(self.waits)

    @property
    def peers(self) -> Mapping[Peer, PeerView]:
        """Everybody who counts, each as the first session sees it that waits for the block."""
        return {view.peer: view for wait in reversed(self.waits) for view in wait.peers}

    @property
    def asked(self) -> Mapping[Peer, PeerView]:
        """Those that were asked, whatever they have said."""
        return {peer: view for peer, view in self.peers.items() if view.reason.cause not in _NOT_ASKED}

    @property
    def reasons(self) -> Mapping[Peer, Reason]:
        """Why each peer has not sent it; those that were not asked included."""
        return {peer: view.reason for peer, view in self.peers.items()}

    @property
    def next(self) -> tuple[Step, ...]:
        """What happens next in any session, soonest first."""
        steps = dict.fromkeys(step for wait in self.waits for step in wait.next)
        return tuple(sorted(steps, key=_when))

    def stored(self) -> Explanation:
        """The same of a block that has been found in the store."""
        return replace(self, state=State.STORED)

    def __str__(self) -> str:
        lines = [f"{self.cid}: {self.state.value}"]
        for wait in self.waits:
            if len(self.waits) > 1:
                lines.append(f"  session {wait.session}: {wait.state.value}")
            indent = "    " if len(self.waits) > 1 else "  "
            lines += [indent + line for line in wait.lines()]
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """The same as plain lists, dictionaries, numbers and texts."""
        return {
            "cid": str(self.cid),
            "state": self.state.name.lower(),
            "waits": [wait.record() for wait in self.waits],
        }


def _when(step: Step) -> float:
    return float("inf") if step.due is None else step.due


def _rounded(count: float | None) -> float | None:
    return None if count is None else round(count, 3)


def seconds(count: float) -> str:
    """A time for people."""
    return f"{max(count, 0.0):.{1 if count < 100 else 0}f} s"
