"""Who was asked for what, over all sessions: once each, counted once, withdrawn everywhere."""

from __future__ import annotations

import pytest

from bitswap.cid import CID
from bitswap.deadlines import Deadlines
from bitswap.message import WantType
from bitswap.options import ClientOptions
from bitswap.peermanager import PeerManager
from bitswap.testutils import cids_of, make_blocks
from tests.client.harness import Harness
from tests.client.messages import asks_for, cancels_of, wants_of

pytestmark = pytest.mark.usefixtures("implementation")

BLOCK, HAVE = int(WantType.BLOCK), int(WantType.HAVE)
LATER = 100.0
"""When nothing waits for company any more."""


@pytest.fixture
def peers() -> PeerManager:
    manager = PeerManager(ClientOptions(), Deadlines())
    manager.connected("a")
    manager.connected("b")
    return manager


def told(peers: PeerManager, now: float = LATER) -> dict[str, tuple[set[CID], set[CID], set[CID]]]:
    """Blocks, HAVEs and cancels that each peer is told of, as sent."""
    for name in peers.peers():
        queue = peers.queue(name)
        assert queue is not None
        peers.touch(queue)
    found: dict[str, tuple[set[CID], set[CID], set[CID]]] = {}
    for out in peers.outgoing(now):
        wants = wants_of(out.message)
        blocks = {cid for cid, (kind, _) in wants.items() if kind == BLOCK}
        found[out.peer] = blocks, wants.keys() - blocks, cancels_of(out.message)
        peers.message_sent(out.queue, now)
    return found


def counts(peers: PeerManager) -> tuple[int, int]:
    """CIDs that somebody was asked for, and those whose block somebody was asked for."""
    return len(peers.wantlist()), peers.blocks_asked()


class TestWants:
    def test_only_what_is_new_is_told(self, peers: PeerManager, cids: list[CID]) -> None:
        a, b, c, d = cids[:4]
        peers.want_blocks("a", asks_for([a]))
        peers.want_haves("a", asks_for([c]), dont_have=True)
        assert told(peers) == {"a": ({a}, {c}, set())}
        peers.want_blocks("a", asks_for([a, b]))
        peers.want_haves("a", asks_for([c, d]), dont_have=True)
        assert told(peers) == {"a": ({b}, {d}, set())}

    def test_a_question_may_become_a_want_and_not_the_reverse(
        self, peers: PeerManager, cids: list[CID]
    ) -> None:
        a, b, c, d = cids[:4]
        peers.want_blocks("a", asks_for([a, b]))
        peers.want_haves("a", asks_for([c, d]), dont_have=True)
        told(peers)
        peers.want_blocks("a", asks_for([c]))
        peers.want_haves("a", asks_for([a]), dont_have=True)
        assert told(peers) == {"a": ({c}, set(), set())}
        # Another peer is another matter.
        peers.want_blocks("b", asks_for([a, d]))
        peers.want_haves("b", asks_for([b, c]), dont_have=True)
        assert told(peers) == {"b": ({a, d}, {b, c}, set())}

    def test_a_broadcast_leaves_out_what_a_peer_was_asked_for(
        self, peers: PeerManager, cids: list[CID]
    ) -> None:
        peers.want_haves("a", asks_for(cids[:2]), dont_have=False)
        peers.want_haves("b", asks_for(cids[:2]), dont_have=False)
        assert told(peers) == {name: (set(), set(cids[:2]), set()) for name in "ab"}
        peers.want_haves("a", asks_for(cids[:4]), dont_have=False)
        assert told(peers, 2 * LATER) == {"a": (set(), set(cids[2:4]), set())}
        peers.want_blocks("a", asks_for(cids[4:6]))
        peers.want_haves("a", asks_for(cids[4:8]), dont_have=False)
        assert told(peers, 3 * LATER) == {"a": (set(cids[4:6]), set(cids[6:8]), set())}


class TestCancels:
    def test_each_peer_is_told_of_what_it_was_asked_for(self, peers: PeerManager, cids: list[CID]) -> None:
        a, b, c = cids[:3]
        peers.want_blocks("a", asks_for([a, b]))
        peers.want_haves("a", asks_for([c]), dont_have=True)
        told(peers)
        peers.cancel([a, c], LATER)
        assert told(peers, 2 * LATER) == {"a": (set(), set(), {a, c})}
        peers.cancel(cids[:4], 2 * LATER)
        assert told(peers, 3 * LATER) == {"a": (set(), set(), {b})}
        assert counts(peers) == (0, 0)

    def test_of_two_peers_with_wants_in_common(self, peers: PeerManager, cids: list[CID]) -> None:
        """The one has two wants of each kind, the other three; one of each kind they share."""
        blocks, haves = {"a": cids[:2], "b": cids[1:4]}, {"a": cids[4:6], "b": cids[5:8]}
        for name in "ab":
            peers.want_blocks(name, asks_for(blocks[name]))
            peers.want_haves(name, asks_for(haves[name]), dont_have=True)
        told(peers)
        peers.cancel([cids[0], cids[4]], LATER)
        assert told(peers, 2 * LATER) == {"a": (set(), set(), {cids[0], cids[4]})}
        peers.cancel(cids[:8], 2 * LATER)
        assert told(peers, 3 * LATER) == {
            "a": (set(), set(), {cids[1], cids[5]}),
            "b": (set(), set(), {*blocks["b"], *haves["b"]}),
        }
        assert counts(peers) == (0, 0)


class TestCounts:
    """A CID counts once however many peers were asked for it."""

    def overlapping(self, peers: PeerManager, cids: list[CID]) -> None:
        """Both are asked for the same four, but each for the blocks of other two."""
        for name, blocks, haves in (("a", cids[:2], cids[2:4]), ("b", cids[2:4], cids[:2])):
            peers.want_blocks(name, asks_for(blocks))
            peers.want_haves(name, asks_for(haves), dont_have=True)
        told(peers)
        assert counts(peers) == (4, 4)

    def test_with_a_cancel(self, peers: PeerManager, cids: list[CID]) -> None:
        self.overlapping(peers, cids)
        peers.cancel([cids[0], cids[2]], LATER)
        assert counts(peers) == (2, 2)

    def test_with_a_peer_that_leaves(self, peers: PeerManager, cids: list[CID]) -> None:
        self.overlapping(peers, cids)
        peers.disconnected("a")
        assert counts(peers) == (4, 2)
        peers.disconnected("b")
        assert counts(peers) == (0, 0)

    def test_as_wants_come_and_go(self, peers: PeerManager, cids: list[CID]) -> None:
        seen = []

        def look() -> None:
            told(peers)
            seen.append(counts(peers))

        peers.want_blocks("a", asks_for(cids[:2]))
        peers.want_haves("a", asks_for(cids[2:4]), dont_have=True)
        look()
        peers.want_blocks("a", asks_for([cids[1], cids[4], cids[5]]))
        look()
        for name in "ab":
            peers.want_haves(name, asks_for([cids[0], cids[6], cids[7]]), dont_have=False)
        look()
        peers.cancel([cids[0], cids[9]], LATER)
        look()
        peers.disconnected("a")
        look()
        peers.cancel([cids[6]], LATER)
        look()
        peers.disconnected("b")
        look()
        # What a broadcast asks stays with whoever is there to hear it.
        assert seen == [(4, 2), (6, 4), (8, 4), (7, 3), (2, 0), (1, 0), (0, 0)]


class TestSessionsAndPeers:
    """Every session hears of every connection; boxo tells those that know the peer already."""

    def test_who_comes_is_asked_and_who_goes_is_not(self) -> None:
        run = Harness()
        (cid,) = cids_of(make_blocks(1))
        sub = run.want([cid])
        run.connect("a", "b")
        assert {peer for peer, sent in run.sent().items() if cid in sent.told} >= {"a"}
        run.disconnect("a")
        assert "a" not in sub.session.peers
        assert list(run.sent()) == ["b"]
        run.machine.close_session(sub.session, run.now)
        run.sent()
        run.connect("a", "c")
        assert run.sent() == {}

    def test_a_newcomer_is_asked_for_all_that_is_looked_for(self) -> None:
        run = Harness()
        cids = cids_of(make_blocks(4))
        run.want(cids[:2])
        run.want(cids[2:])
        assert run.sent() == {}
        run.connect("a")
        assert set(run.sent()["a"].blocks) == set(cids)

    def test_among_many_a_newcomer_hears_old_and_new_questions(self) -> None:
        run = Harness(*(f"p{index}" for index in range(40)))
        cids = cids_of(make_blocks(2))
        sub = run.want(cids[:1])
        run.wait(2.0)
        run.sent()
        run.connect("x")
        run.wait(1.0)
        assert run.sent()["x"].haves == cids[:1]
        run.machine.want(sub, cids[1:], run.now)
        run.wait(3.0)
        assert run.sent()["x"].haves == cids[1:]

    def test_coming_or_going_twice_is_once(self) -> None:
        run = Harness("a", "a")
        cids = cids_of(make_blocks(2))
        sub = run.want(cids[:1])
        assert list(run.sent()) == ["a"]
        run.connect("a")
        run.wait(0.5)
        assert run.sent() == {}
        assert run.machine.outstanding("a") == 1
        run.disconnect("a")
        run.disconnect("a", "once more")
        run.disconnect("stranger")
        assert run.machine.peers() == []
        assert run.machine.reasons(cids[0]) == {"a": "connection lost: reset"}
        assert sub.outstanding == 1

    def test_who_leaves_before_anything_was_sent_is_sent_nothing(self) -> None:
        run = Harness("a", "b")
        cids = cids_of(make_blocks(4))
        run.want(cids, peers=["a"])
        run.disconnect("a")
        assert list(run.sent()) == ["b"]
        run.disconnect("b")
        run.connect("a")
        assert list(run.sent()) == ["a"]

    def test_a_peer_that_returns_is_asked_for_everything_again(self) -> None:
        run = Harness("a")
        cids = cids_of(make_blocks(3))
        run.want(cids)
        assert run.sent()["a"].blocks == cids
        run.disconnect("a")
        run.connect("a")
        assert run.sent()["a"].blocks == cids
        assert run.machine.outstanding("a") == 3
