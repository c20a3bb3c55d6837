"""Why a peer has not sent a block, in words for whoever waits for it."""

from __future__ import annotations

from collections.abc import Mapping

from bitswap.network.interface import Peer
from bitswap.peermanager import PeerManager
from bitswap.session.want import Want
from bitswap.sessionpeermanager import SessionPeerManager

DONT_HAVE = "answered DONT_HAVE"
NOT_CONNECTED = "not connected"


def reasons(
    want: Want, members: SessionPeerManager, said: Mapping[Peer, bool], network: PeerManager
) -> dict[Peer, str]:
    """For each peer that counts for the session; `said` holds who has the block and who lacks it."""
    peers = dict.fromkeys([*(members.named or ()), *said, *(want.tried or ()), *members.lost])
    if want.asked is not None:
        peers[want.asked.peer] = None
    return {peer: _reason(want, peer, members, said.get(peer), network) for peer in peers}


def _reason(
    want: Want, peer: Peer, members: SessionPeerManager, has: bool | None, network: PeerManager
) -> str:
    if peer in members.lost:
        return members.lost[peer]
    if peer not in network:
        return NOT_CONNECTED
    if want.tried and peer in want.tried:
        return want.tried[peer]
    if has is False:
        return DONT_HAVE
    if has:
        return "answered HAVE, but has not sent the block"
    if want.asked is not None and want.asked.peer == peer:
        return "asked for the block, has not answered"
    return "has not answered"
