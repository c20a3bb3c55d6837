"""Queues of connected peers, and who was asked for what (boxo `peermanager`)."""

from __future__ import annotations

import pytest

from bitswap.cid import CID
from bitswap.deadlines import Deadlines
from bitswap.options import ClientOptions
from bitswap.peermanager import Outgoing, PeerManager
from tests.client.messages import asks_for, cancels_of, wants_of


@pytest.fixture
def deadlines() -> Deadlines[object]:
    return Deadlines()


@pytest.fixture
def peers(deadlines: Deadlines[object]) -> PeerManager:
    return PeerManager(ClientOptions(), deadlines)


def sent(peers: PeerManager, now: float = 0.0) -> dict[str, Outgoing]:
    """Everything there is to send, as sent."""
    outgoing = {out.peer: out for out in peers.outgoing(now)}
    for out in outgoing.values():
        peers.message_sent(out.queue, now)
    return outgoing


def test_adding_and_removing_peers(peers: PeerManager) -> None:
    assert [peers.connected(name) for name in ("a", "b", "c", "a")] == [True, True, True, False]
    assert peers.peers() == ["a", "b", "c"]
    assert peers.disconnected("b") is not None
    assert peers.disconnected("b") is None
    assert "b" not in peers
    assert "a" in peers
    assert len(peers) == 2


def test_nobody_to_ask(peers: PeerManager, cids: list[CID]) -> None:
    assert peers.want_blocks("a", asks_for(cids)) is False
    assert peers.want_haves("a", asks_for(cids), dont_have=True) is False
    assert peers.outgoing(0.0) == []
    assert peers.wantlist() == []


def test_two_sessions_ask_once(peers: PeerManager, cids: list[CID]) -> None:
    peers.connected("a")
    assert peers.want_blocks("a", asks_for(cids[:2]))
    assert list(wants_of(sent(peers)["a"].message)) == cids[:2]
    peers.want_blocks("a", asks_for(cids[1:3]))
    assert list(wants_of(sent(peers)["a"].message)) == cids[2:3]
    assert sent(peers) == {}
    assert peers.wantlist() == cids[:3]


def test_cancels_go_to_everybody_who_was_asked(peers: PeerManager, cids: list[CID]) -> None:
    for name in ("a", "b", "c"):
        peers.connected(name)
    peers.want_blocks("a", asks_for(cids[:2]))
    peers.want_haves("b", asks_for(cids[:1]), dont_have=True)
    sent(peers)
    peers.cancel(cids, 0.0)
    # Where a block may come at once, where at most a HAVE can a little later.
    assert {peer: cancels_of(out.message) for peer, out in sent(peers).items()} == {"a": set(cids[:2])}
    for name in ("a", "b"):
        queue = peers.queue(name)
        assert queue is not None
        peers.touch(queue)
    later = sent(peers, ClientOptions().cancel_delay)
    assert {peer: cancels_of(out.message) for peer, out in later.items()} == {"b": set(cids[:1])}
    assert peers.wantlist() == []


def test_the_deliverer_needs_no_cancel_at_once(peers: PeerManager, cids: list[CID]) -> None:
    for name in ("a", "b"):
        peers.connected(name)
        peers.want_blocks(name, asks_for(cids[:1]))
    peers.want_blocks("a", asks_for(cids[1:2]))
    sent(peers)
    peers.received("a", cids[:2], [], [], 0.1)
    # Only what others may send as well can come twice.
    assert peers.settled(cids[:2], "a", 0.1) == cids[:1]
    outgoing = sent(peers, 0.1)
    assert list(outgoing) == ["b"]
    assert cancels_of(outgoing["b"].message) == {cids[0]}


def test_a_block_of_our_own_leaves_every_queue(peers: PeerManager, cids: list[CID]) -> None:
    peers.connected("a")
    peers.connected("b")
    peers.want_blocks("a", asks_for(cids[:1]))
    sent(peers)
    peers.want_blocks("b", asks_for(cids[:1]))
    assert peers.settled(cids[:1], None, 0.0) == cids[:1]
    outgoing = sent(peers)
    assert list(outgoing) == ["a"]
    assert cancels_of(outgoing["a"].message) == {cids[0]}


def test_a_disconnected_peer_is_forgotten(
    peers: PeerManager, deadlines: Deadlines[object], cids: list[CID]
) -> None:
    peers.connected("a")
    peers.connected("b")
    peers.want_blocks("a", asks_for(cids[:2]))
    peers.want_blocks("b", asks_for(cids[1:3]))
    old = sent(peers)["a"].queue
    assert peers.asked_of(cids[1]) == {"a": "asked for the block", "b": "asked for the block"}
    peers.disconnected("a")
    assert peers.wantlist() == cids[1:3]
    assert peers.asked_of(cids[1]) == {"b": "asked for the block"}
    # The end of a send of before must not count for the new connection.
    peers.connected("a")
    peers.want_blocks("a", asks_for(cids[3:4]))
    assert "a" in {out.peer for out in peers.outgoing(0.0)}
    assert peers.message_failed(old, 0.0) is False
    peers.message_sent(old, 0.0)
    peers.want_blocks("a", asks_for(cids[4:5]))
    assert peers.outgoing(0.0) == []
    assert deadlines.next() is not None


def test_queues_name_their_deadlines(
    peers: PeerManager, deadlines: Deadlines[object], cids: list[CID]
) -> None:
    peers.connected("a")
    peers.want_blocks("a", asks_for(cids[:1]))
    queue = sent(peers, 2.0)["a"].queue
    assert deadlines.next() == 2.0 + ClientOptions().dont_have_timeout
    assert deadlines.due(7.0) == [queue]
