"""Peers that come, go and come back."""

from __future__ import annotations

from bitswap.cid import CID
from bitswap.conform.check import BOXO, INTRODUCTION, Checks
from bitswap.conform.peer import Peer
from bitswap.conform.talk import HAVE_WANT, Talk, unknown_cids
from bitswap.conform.verdict import Lost, NotSpoken, Result, Silent, differs, passed
from bitswap.network.libp2p.identity import PeerIdentity

CHECKS = Checks()


@CHECKS.add("reconnect", "a peer that went without a word is served when it is back", f"libp2p; {BOXO}")
def reconnect(peer: Peer) -> Result:
    identity = PeerIdentity.generate()
    for _ in range(5):
        talk = peer.talk(identity=identity)
        try:
            talk.want(unknown_cids(100), HAVE_WANT, dont_have=False)
            talk.barrier()
        finally:
            talk.drop()
    with peer.talk(identity=identity) as talk:
        talk.barrier()
    return passed("five times gone, five times back and answered")


@CHECKS.add(
    "two-connections",
    "a second connection of the same peer does not end its service",
    f"libp2p; {BOXO}",
)
def two_connections(peer: Peer) -> Result:
    identity = PeerIdentity.generate()
    with peer.talk(identity=identity) as first:
        first.barrier()
        second = peer.talk(identity=identity)
        try:
            cids = unknown_cids(1)
            second.want(cids, HAVE_WANT)
            answered = _on_either(peer, first, second, cids)
            first.note((cid, True) for cid in cids)
        finally:
            second.leave()
        try:
            first.barrier()
        except (Lost, Silent, NotSpoken) as error:
            return differs(f"the first connection was given up for the second: {error}")
    if answered:
        return passed("answered on either, and on the first when the second was closed")
    return differs("no answer to what was asked on the second connection")


def _on_either(peer: Peer, first: Talk, second: Talk, cids: list[CID]) -> bool:
    """Whether an answer comes on one of two connections, which are read in turn."""
    return any(talk.await_answers(cids, peer.patience / 20) for _ in range(20) for talk in (second, first))


@CHECKS.add("many-strangers", "ten peers at once are all answered", INTRODUCTION)
def many_strangers(peer: Peer) -> Result:
    talks = [peer.talk() for _ in range(10)]
    try:
        cids = unknown_cids(20)
        for talk in talks:
            talk.want(cids, HAVE_WANT)
        for talk in talks:
            if not talk.await_answers(cids):
                raise Silent(f"{len(talk.answered(cids))} of 20 answers to one of ten peers")
    finally:
        for talk in talks:
            talk.leave()
    return passed("ten connections, 20 answers on each")
