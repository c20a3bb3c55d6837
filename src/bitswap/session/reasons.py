"""Why a peer has not sent a block, in words for whoever waits for it and as a cause for programs."""

from __future__ import annotations

from collections.abc import Mapping

from bitswap.errors import Cause, Reason, as_reason
from bitswap.explanation import seconds
from bitswap.messagequeue.standing import standing
from bitswap.network.interface import Peer
from bitswap.peermanager import PeerManager
from bitswap.session.want import Want
from bitswap.sessionpeermanager import SessionPeerManager

DONT_HAVE = Reason("answered DONT_HAVE", Cause.DONT_HAVE)
NOT_CONNECTED = Reason("not connected", Cause.NOT_CONNECTED)
WITHHELD = Reason("answered HAVE, but has not sent the block", Cause.WITHHELD)
ASKED = Reason("asked for the block, has not answered", Cause.UNANSWERED)
UNANSWERED = Reason("has not answered", Cause.UNANSWERED)


def reasons(
    want: Want,
    members: SessionPeerManager,
    said: Mapping[Peer, int],
    network: PeerManager,
    now: float | None = None,
) -> dict[Peer, Reason]:
    """For each peer that counts for the session; `said` holds who has the block and who lacks it.

    With `now`, everybody counts who was asked for it, for whatever session, and is said when.
    """
    peers = dict.fromkeys([*(members.named or ()), *said, *(want.tried or ()), *members.lost])
    if want.asked is not None:
        peers[want.asked.peer] = None
    if now is not None:
        peers.update(dict.fromkeys(network.asked_of(want.cid)))
    return {peer: _reason(want, peer, members, said.get(peer), network, now) for peer in peers}


def _reason(
    want: Want,
    peer: Peer,
    members: SessionPeerManager,
    has: int | None,
    network: PeerManager,
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
    return _waited_for(want, peer, has is not None, network, now)


def _given_up(reason: Reason, now: float | None) -> Reason:
    if reason.cause is not Cause.TIMED_OUT or reason.when is None or now is None:
        return reason
    return Reason(f"{reason}, asked {seconds(now - reason.when)} ago", reason.cause, reason.when)


def _waited_for(want: Want, peer: Peer, has: bool, network: PeerManager, now: float | None) -> Reason:
    """For a peer that has said nothing, or HAVE."""
    queue = network.queue(peer)
    at = None if queue is None or now is None else standing(queue, want.cid, now)
    if at is None or now is None:
        if has:
            return WITHHELD
        asked = want.asked is not None and want.asked.peer == peer
        return ASKED if asked else UNANSWERED
    what = "for the block" if at.for_block else "whether it has the block"
    if at.sent is None:
        return Reason(f"about to be asked {what}", Cause.NOT_ASKED)
    words = f"asked {what} {seconds(now - at.sent)} ago, has not answered"
    if has:
        return Reason(f"answered HAVE; {words}", Cause.WITHHELD, at.sent)
    return Reason(words, Cause.UNANSWERED, at.sent)
