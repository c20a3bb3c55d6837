"""Which wants a session looks for, and which of its members it asks, by what is known of them.

boxo draws the member at random, weighted by who delivered first; here the one that is expected to deliver
first is asked, so that a run repeats (`tests/client/test_splitter`).
"""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.options import ClientOptions
from bitswap.sessionpeermanager import SessionPeerManager
from bitswap.testutils import cids_of, make_blocks
from tests.client.harness import Harness

OTHERS = tuple(f"p{index:02}" for index in range(20))
"""So many that a session does not ask all of them at once."""


def looked_for(run: Harness) -> list[CID]:
    """What was asked about since the last call, in the order of its first question."""
    return list(dict.fromkeys(cid for sent in run.sent().values() for cid in (*sent.blocks, *sent.haves)))


@pytest.mark.usefixtures("implementation")
class TestWhatIsLookedFor:
    def test_a_session_without_wants_does_nothing(self) -> None:
        run = Harness(*OTHERS)
        sub = run.want([])
        assert run.sent() == {}
        assert run.machine.next_deadline() is None
        assert run.machine.wantlist() == []
        assert (sub.outstanding, len(sub.session.wants)) == (0, 0)

    def test_a_few_at_a_time_and_the_next_when_there_is_room(self) -> None:
        run = Harness(*OTHERS, discovery_wants=5)
        blocks = make_blocks(10)
        (foreign,) = make_blocks(1, seed="foreign")
        cids = cids_of(blocks)
        sub = run.want(cids)
        assert sorted(looked_for(run)) == sorted(cids[:5])
        # Two of them turn up here, and one that is not wanted.
        run.machine.blocks_added([*blocks[:2], foreign], run.now)
        assert sorted(looked_for(run)) == sorted(cids[5:7])
        run.machine.blocks_added([blocks[0], blocks[5]], run.now)
        assert looked_for(run) == cids[7:8]
        run.machine.cancel(sub, cids[8:9], run.now)
        assert looked_for(run) == []
        run.machine.blocks_added([blocks[6]], run.now)
        assert looked_for(run) == cids[9:]
        assert run.machine.wantlist() == [cids[2], cids[3], cids[4], cids[7], cids[9]]

    def test_who_asked_first_is_looked_for_first_again_and_again(self) -> None:
        run = Harness("p", discovery_wants=4)
        blocks = make_blocks(64)
        cids = cids_of(blocks)
        run.want(cids)
        assert looked_for(run) == cids
        for _ in range(4):
            run.answer("p", dont_haves=cids)
            begun = run.now
            while not (again := looked_for(run)):
                run.wait(0.5)
                assert run.now - begun < 60
            assert again == cids

    def test_the_rest_stays_in_order_when_most_has_come(self) -> None:
        run = Harness("p")
        blocks = make_blocks(64)
        cids = cids_of(blocks)
        run.want(cids)
        run.sent()
        run.answer("p", blocks[10:43])
        rest = cids[:10] + cids[43:]
        assert run.machine.wantlist() == rest
        run.answer("p", dont_haves=rest)
        run.wait(2 * run.options.retry_delay)
        assert looked_for(run) == rest


class TestWhoIsAsked:
    """Members A and B of a session of two, confined so that nobody else is asked."""

    @pytest.fixture
    def run(self, implementation: str) -> Harness:
        return Harness(*OTHERS)

    def test_nobody_when_nobody_is_there(self, implementation: str, cids: list[CID]) -> None:
        run = Harness()
        run.want(cids)
        run.wait(100.0)
        assert run.sent() == {}

    def test_who_has_it_rather_than_who_may(self, run: Harness, cids: list[CID]) -> None:
        """A was asked without knowledge and B says that it has it: B is next, whatever A says."""
        run.connect("A", "B")
        sub = run.want(cids[:1], peers=["A", "B"], broadcast=False)
        assert run.sent()["A"].blocks == cids[:1]
        run.answer("B", haves=cids[:1])
        run.answer("A", dont_haves=cids[:1])
        assert run.sent()["B"].blocks == cids[:1]
        run.answer("A", dont_haves=cids[:1])
        assert run.sent() == {}
        assert sub.missing == []

    def test_who_may_once_the_one_that_had_it_lacks_it(self, run: Harness, cids: list[CID]) -> None:
        run.connect("A", "B")
        run.want(cids[:1], peers=["A", "B"], broadcast=False)
        run.sent()
        run.answer("A", haves=cids[:1])
        assert run.sent() == {}
        run.answer("A", dont_haves=cids[:1])
        assert run.sent()["B"].blocks == cids[:1]

    def test_the_answer_of_one_that_has_left_counts_for_nothing(self, run: Harness, cids: list[CID]) -> None:
        run.connect("A")
        sub = run.want(cids[:1], peers=["A", "B"], broadcast=False)
        assert run.sent()["A"].blocks == cids[:1]
        run.connect("B")
        run.disconnect("A")
        assert run.sent()["B"].blocks == cids[:1]
        run.answer("A", dont_haves=cids[:1])
        assert run.sent() == {}
        assert sub.missing == []
        run.answer("B", dont_haves=cids[:1])
        assert sub.missing == cids[:1]

    def test_of_several_that_have_it_the_one_that_will_deliver_first(self, run: Harness) -> None:
        run.connect("A", "B", "C")
        blocks = make_blocks(9)
        cids = cids_of(blocks)
        sub = run.want(cids, peers=["A", "B", "C"], broadcast=False)
        asked = {peer: sent.blocks for peer, sent in run.sent().items()}
        assert [len(asked[peer]) for peer in "ABC"] == [3, 3, 3]
        run.now = 1.0
        run.answer("B", [block for block in blocks if block.cid in asked["B"]])
        lacking = asked["A"][0]
        run.answer("B", haves=[lacking])
        run.answer("C", haves=[lacking])
        run.answer("A", dont_haves=[lacking])
        # A denial waits a moment for others, which would go the same way.
        run.wait(0.05)
        out = run.sent()
        assert out["B"].blocks == [lacking]
        assert "C" not in out
        assert sub.outstanding == 6


class TestMembers:
    """Who belongs to a session (`sessionpeermanager`)."""

    @pytest.fixture
    def members(self) -> SessionPeerManager:
        return SessionPeerManager(ClientOptions(), None)

    def test_adding_twice_is_adding_once(self, members: SessionPeerManager) -> None:
        first = members.add("A")
        assert members.add("A") is first
        assert members.add("B") is not first
        assert [peer.peer for peer in members.candidates()] == ["A", "B"]

    def test_removing(self, members: SessionPeerManager) -> None:
        assert members.remove("A") is None
        first, second = members.add("A"), members.add("B")
        assert members.remove("A") is first
        assert members.remove("B") is second
        assert members.remove("A") is None

    def test_who_and_how_many(self, members: SessionPeerManager) -> None:
        counts = []
        for add, peer in ((None, ""), (True, "A"), (True, "B"), (False, "A"), (False, "B")):
            if add is not None:
                (members.add if add else members.remove)(peer)
            counts.append((len(members), "A" in members, "B" in members))
        assert counts == [
            (0, False, False),
            (1, True, False),
            (2, True, True),
            (1, False, True),
            (0, False, False),
        ]

    def test_one_that_left_is_remembered_for_the_statistics(self, members: SessionPeerManager) -> None:
        """boxo remembers that there ever was one, and then broadcasts no more; here such a session looks
        again, because its wants are with nobody."""
        members.add("A").delivered(2, 20, 1.0)
        members.remove("A", "connection lost: reset")
        assert len(members) == 0
        assert members.statistics()["A"].blocks == 2
        assert members.lost == {"A": "connection lost: reset"}

    def test_named_ones_are_those_that_were_given_once_each(self) -> None:
        members = SessionPeerManager(ClientOptions(), ["A", "B", "A"])
        assert members.named == ("A", "B")
        assert len(members) == 0


@pytest.mark.usefixtures("implementation")
def test_a_session_that_lost_all_its_members_asks_others_for_new_wants(
    blocks: list[Block], cids: list[CID]
) -> None:
    run = Harness("A", *OTHERS)
    sub = run.want(cids[:1])
    run.answer("A", blocks[:1])
    run.sent()
    run.disconnect("A")
    run.machine.want(sub, cids[1:2], run.now)
    out = run.sent()
    assert out
    assert all(sent.haves == cids[1:2] for sent in out.values() if sent.haves)
    run.answer("p19", haves=cids[1:2])
    assert run.sent()["p19"].blocks == cids[1:2]
