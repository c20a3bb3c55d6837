"""Why a peer has not sent a block, in words for whoever waits for it and as a cause for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from bitswap.cid import CID
from bitswap.errors import Cause, Reason, as_reason
from bitswap.explanation import seconds
from bitswap.messagequeue.standing import Standing, standing
from bitswap.network.interface import Peer
from bitswap.peermanager import PeerManager
from bitswap.session.want import Want
from bitswap.sessionpeermanager import SessionPeerManager

DONT_HAVE = Reason("answered DONT_HAVE", Cause.DONT_HAVE)
NOT_CONNECTED = Reason("not connected", Cause.NOT_CONNECTED)
WITHHELD = Reason("answered HAVE, but has not sent the block", Cause.WITHHELD)
ASKED = Reason("asked for the block, has not answered", Cause.UNANSWERED)
UNANSWERED = Reason("has not answered", Cause.UNANSWERED)


class Failure(NamedTuple):
    """A want that was given up: why, for each peer, and whether a connection was lost on the way."""

    cid: CID
    reasons: Mapping[Peer, str]
    lost: bool


At: TypeAlias = "Mapping[Peer, Standing | None]"
"""How a want stands at everybody who was asked for it; None where nothing more is done about it."""


def standings(want: Want, network: PeerManager, now: float) -> At:
    return {queue.peer: standing(queue, want.cid, now) for queue in network.asked(want.cid)}


def reasons(
    want: Want,
    members: SessionPeerManager,
    said: Mapping[Peer, int],
    network: PeerManager,
    now: float | None = None,
    at: At | None = None,
    unreached: Mapping[Peer, Reason] | None = None,
) -> dict[Peer, Reason]:
    """For each peer that counts for the session; `said` holds who has the block and who lacks it, `unreached`
    who is said to have it and could not be connected.

    With `now`, everybody counts who was asked for it, for whatever session, and is said when; `at` saves
    looking that up once more.
    """
    peers = dict.fromkeys([*(members.named or ()), *said, *(want.tried or ()), *members.lost])
    if want.asked is not None:
        peers[want.asked.peer] = None
    if now is None:
        at = {}
    elif at is None:
        at = standings(want, network, now)
    peers.update(dict.fromkeys(at))
    found = {peer: _reason(want, peer, members, said.get(peer), network, at.get(peer), now) for peer in peers}
    for peer, reason in (unreached or {}).items():
        if peer not in network and found.get(peer, NOT_CONNECTED) is NOT_CONNECTED:
            found[peer] = reason
    return found


def _reason(
    want: Want,
    peer: Peer,
    members: SessionPeerManager,
    has: int | None,
    network: PeerManager,
    at: Standing | None,
    now: float | None,
) -> Reason:
    lost = members.lost.get(peer)
    if lost is not None:
        return as_reason(lost, Cause.CONNECTION_LOST)
    if peer not in network:
        return NOT_CONNECTED
    tried = want.tried and want.tried.get(peer)
    if tried:
        return _given_up(as_reason(tried, Cause.TIMED_OUT), now)
    if has == 0:
        return DONT_HAVE
    if at is not None and now is not None:
        return _waited_for(at, has is not None, now)
    if has:
        return WITHHELD
    return ASKED if want.asked is not None and want.asked.peer == peer else UNANSWERED


def _given_up(reason: Reason, now: float | None) -> Reason:
    if reason.cause is not Cause.TIMED_OUT or reason.when is None or now is None:
        return reason
    return Reason(f"{reason}, asked {seconds(now - reason.when)} ago", reason.cause, reason.when)


def _waited_for(at: Standing, has: bool, now: float) -> Reason:
    """For a peer that has said nothing, or HAVE."""
    what = "for the block" if at.for_block else "whether it has the block"
    if at.sent is None:
        return Reason(f"about to be asked {what}", Cause.NOT_ASKED)
    words = f"asked {what} {seconds(now - at.sent)} ago, has not answered"
    if has:
        return Reason(f"answered HAVE; {words}", Cause.WITHHELD, at.sent)
    return Reason(words, Cause.UNANSWERED, at.sent)
