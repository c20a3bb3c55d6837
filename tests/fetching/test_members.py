"""Members of a session: which of them is asked for a block, when others are, and who stops being one.

boxo asks one member for the block and all others whether they have it; here the others are asked only where
that can help, since each of them would send a small block as its answer.
"""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.notifications import Subscription
from bitswap.testutils import cids_of, make_blocks
from tests.client.harness import Harness, Sent

pytestmark = pytest.mark.usefixtures("implementation")

OTHERS = tuple(f"p{index:02}" for index in range(20))
"""So many that a session does not ask all of them at once."""


def asked(run: Harness) -> dict[str, tuple[list[object], list[object]]]:
    """Who was told to send blocks, and who was asked for HAVEs, since the last call."""
    return {peer: (list(s.blocks), list(s.haves)) for peer, s in run.sent().items() if s.blocks or s.haves}


def is_asked(run: Harness, peer: str, cid: CID, *, within: float) -> bool:
    """Whether a peer is asked for the block before `within` seconds have passed."""
    end = run.now + within
    while run.now < end:
        sent = run.sent().get(peer)
        if sent is not None and cid in sent.blocks:
            return True
        run.wait(0.1)
    return False


class TestTwoMembers:
    """Of A and B, and twenty others, A says first that it has both of two blocks."""

    @pytest.fixture
    def blocks(self) -> list[Block]:
        return make_blocks(3)

    @pytest.fixture
    def run(self, implementation: str) -> Harness:
        return Harness("A", "B", *OTHERS)

    @pytest.fixture
    def sub(self, run: Harness, blocks: list[Block]) -> Subscription:
        sub = run.want(cids_of(blocks))
        assert not any(want for want, _ in asked(run).values())
        return sub

    def test_a_have_brings_the_want_for_the_block(
        self, run: Harness, blocks: list[Block], sub: Subscription
    ) -> None:
        run.answer("A", haves=cids_of(blocks))
        assert asked(run) == {"A": (cids_of(blocks), [])}

    def test_a_second_have_brings_no_second_want(
        self, run: Harness, blocks: list[Block], sub: Subscription
    ) -> None:
        run.answer("A", haves=cids_of(blocks))
        run.sent()
        run.answer("B", haves=cids_of(blocks))
        assert asked(run) == {}

    @pytest.mark.parametrize("before", [False, True])
    def test_what_one_lacks_is_asked_of_the_other(
        self, run: Harness, blocks: list[Block], sub: Subscription, before: bool
    ) -> None:
        first, second, third = cids_of(blocks)
        run.answer("A", haves=cids_of(blocks))
        if before:
            run.answer("B", haves=[first, second])
        run.sent()
        run.answer("A", [blocks[0]], dont_haves=[second])
        if not before:
            run.answer("B", haves=[first, second])
        run.wait(0.05)
        sent = run.sent()
        assert sent["B"].blocks == [second]
        assert not any(first in others.blocks or third in others.blocks for others in sent.values())

    def test_a_cancel_takes_back_only_what_is_cancelled(
        self, run: Harness, blocks: list[Block], sub: Subscription
    ) -> None:
        run.answer("A", haves=cids_of(blocks))
        run.sent()
        run.machine.cancel(sub, cids_of(blocks)[:2], run.now)
        assert run.sent()["A"].cancels == set(cids_of(blocks)[:2])
        assert run.machine.wantlist() == [blocks[2].cid]

    def test_whoever_has_or_sends_something_joins(
        self, run: Harness, blocks: list[Block], sub: Subscription
    ) -> None:
        run.answer("A", haves=[blocks[0].cid])
        run.answer("B", [blocks[1]])
        run.answer("p01", dont_haves=[blocks[2].cid])
        assert ["A" in sub.session.peers, "B" in sub.session.peers] == [True, True]
        assert "p01" not in sub.session.peers
        assert len(sub.session.peers) == 2

    def test_only_blocks_that_were_asked_for_make_a_peer_useful(
        self, run: Harness, blocks: list[Block], sub: Subscription
    ) -> None:
        """boxo protects the connection of whoever sends a wanted block first; here the next search begins
        with it."""
        (unknown,) = make_blocks(1, seed="unknown")
        run.answer("A", haves=[blocks[0].cid])
        run.sent()
        run.answer("A", [blocks[0]])
        run.answer("p18", [blocks[0]])
        run.answer("p19", [unknown])
        run.sent()
        run.want(cids_of(make_blocks(1, seed="next")))
        out = run.sent()
        assert "A" in out
        assert not {"p18", "p19"} & out.keys()

    def test_all_that_one_was_asked_for_goes_to_the_other_when_it_leaves(
        self, run: Harness, blocks: list[Block], sub: Subscription
    ) -> None:
        run.answer("A", haves=cids_of(blocks))
        run.answer("B", haves=[blocks[0].cid])
        run.sent()
        run.disconnect("A")
        sent = run.sent()
        assert set(sent["B"].blocks) == set(cids_of(blocks))


class TestNobodyLeft:
    """What no member has is looked for outside, once."""

    def test_each_want_when_the_last_member_denies_it(self) -> None:
        run = Harness("A", *OTHERS)
        blocks = make_blocks(3)
        first, second, third = cids_of(blocks)
        run.want([first, second, third])
        run.answer("A", haves=[first, second, third])
        run.sent()
        run.answer("A", [blocks[0]], dont_haves=[second])
        outside = asked(run)
        assert outside
        assert all(haves == [second] for _, haves in outside.values())
        # Somebody who has neither is no reason to ask anybody again.
        newcomer = next(iter(outside))
        run.answer(newcomer, dont_haves=[second, third])
        assert not any(third in haves for _, haves in asked(run).values())
        run.answer("A", dont_haves=[third])
        outside = asked(run)
        assert outside
        assert all(haves == [third] for _, haves in outside.values())
        assert newcomer not in outside

    def test_when_the_member_that_was_waited_for_leaves(self) -> None:
        run = Harness("A", "B", *OTHERS)
        first, second = cids_of(make_blocks(2))
        run.want([first, second])
        run.answer("A", haves=[first])
        run.answer("B", haves=[second])
        run.sent()
        run.answer("A", dont_haves=[second])
        assert asked(run) == {}
        run.disconnect("B")
        run.wait(0.05)
        out = asked(run)
        assert all(not blocks for blocks, _ in out.values())
        assert {cid for _, haves in out.values() for cid in haves} == {second}
        assert out.keys() <= set(OTHERS)

    def test_all_that_is_left_when_everybody_leaves(self) -> None:
        run = Harness("A", "B", *OTHERS)
        blocks = make_blocks(3)
        run.want(cids_of(blocks))
        run.answer("A", haves=cids_of(blocks))
        run.answer("B", haves=cids_of(blocks))
        run.sent()
        run.answer("A", [blocks[0]])
        run.sent()
        run.disconnect("A")
        run.sent()
        run.disconnect("B")
        out = asked(run)
        assert {cid for _, haves in out.values() for cid in haves} == {blocks[1].cid, blocks[2].cid}


class TestThoseWhoHaveNothing:
    """A member that denies very much in a row leaves; boxo counts to 16, here times the members."""

    LIMIT = 4

    def members(self, *, alone: bool = False) -> tuple[Harness, Subscription, list[Block]]:
        run = Harness("A", "B", *OTHERS, dont_have_limit=self.LIMIT)
        blocks = make_blocks(60)
        sub = run.want(cids_of(blocks))
        for peer in "A" if alone else "AB":
            run.answer(peer, haves=cids_of(blocks[:1]))
        run.sent()
        return run, sub, blocks

    def test_leaves_after_too_many(self) -> None:
        run, sub, blocks = self.members()
        run.answer("A", dont_haves=cids_of(blocks[1 : 1 + 2 * self.LIMIT]))
        assert "A" in sub.session.peers
        run.answer("A", dont_haves=cids_of(blocks[40:41]))
        assert "A" not in sub.session.peers
        assert "B" in sub.session.peers

    def test_a_block_or_a_have_between_them_lets_the_count_begin_anew(self) -> None:
        for what in ("block", "have"):
            run, sub, blocks = self.members()
            for start in (1, 1 + 2 * self.LIMIT):
                run.answer("A", dont_haves=cids_of(blocks[start : start + 2 * self.LIMIT]))
                assert "A" in sub.session.peers
                if what == "have":
                    run.answer("A", haves=cids_of(blocks[50:51]))
                else:
                    run.answer("A", [blocks[50 + start]])
            run.answer("A", dont_haves=cids_of(blocks[30 : 30 + 2 * self.LIMIT]))
            assert "A" in sub.session.peers

    def test_a_have_brings_it_back(self) -> None:
        run, sub, blocks = self.members()
        run.answer("A", dont_haves=cids_of(blocks[1 : 2 + 2 * self.LIMIT]))
        assert "A" not in sub.session.peers
        run.answer("A", haves=cids_of(blocks[20:21]))
        assert "A" in sub.session.peers
        run.answer("A", blocks[20:21])
        run.answer("A", dont_haves=cids_of(blocks[21 : 21 + 2 * self.LIMIT]))
        assert "A" in sub.session.peers
        run.answer("A", dont_haves=cids_of(blocks[40:41]))
        assert "A" not in sub.session.peers

    def test_who_alone_has_a_block_stays(self) -> None:
        run, sub, blocks = self.members()
        run.answer("A", haves=cids_of(blocks[20:21]))
        run.answer("A", dont_haves=cids_of(blocks[1:20]) + cids_of(blocks[21 : 22 + 2 * self.LIMIT]))
        assert "A" in sub.session.peers
        assert blocks[20].cid not in run.sent().get("B", Sent()).blocks

    def test_the_last_member_stays(self) -> None:
        run, sub, blocks = self.members(alone=True)
        run.answer("A", dont_haves=cids_of(blocks[1:50]))
        assert "A" in sub.session.peers

    def test_what_it_said_it_has_is_asked_of_it_all_the_same(self) -> None:
        """boxo spares a member that has a wanted block. Here it may leave, but what it has is not lost."""
        run, _, blocks = self.members()
        first = blocks[0].cid
        run.answer("B", dont_haves=cids_of(blocks[1 : 2 + 2 * self.LIMIT]))
        run.sent()
        run.answer("A", dont_haves=[first])
        assert is_asked(run, "B", first, within=10.0)


class TestTwoSessions:
    """They share what peers have said."""

    def test_what_a_peer_told_another_session_is_not_lost_with_that_session(self) -> None:
        """B says HAVE while A is asked for the block; the session that heard it ends, and A lacks it."""
        run = Harness("A", "B", *OTHERS)
        (cid,) = cids_of(make_blocks(1))
        first = run.want([cid])
        run.answer("A", haves=[cid])
        run.answer("B", haves=[cid])
        assert run.sent()["A"].blocks == [cid]
        run.want([cid])
        run.machine.close_session(first.session, run.now)
        run.answer("A", dont_haves=[cid])
        assert is_asked(run, "B", cid, within=10.0)
