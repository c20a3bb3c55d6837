"""What peers say reaches the sessions that it concerns, and is forgotten with the last of them."""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.notifications import Subscription
from bitswap.presence import BlockPresence
from tests.client.harness import Harness

OTHERS = tuple(f"p{index:02}" for index in range(20))
"""So many that no session asks all of them at once."""


def heard(sub: Subscription, peer: str) -> bool:
    """Whether the session has heard that a peer has something: such a peer becomes a member."""
    return peer in sub.session.peers


@pytest.mark.usefixtures("implementation")
class TestInterest:
    def test_nobody_wants_anything(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness(*OTHERS)
        sub = run.want([])
        received = run.answer("p00", blocks[:1], haves=cids[1:2], dont_haves=cids[2:3])
        assert (received.wanted, received.unwanted) == ([], blocks[:1])
        assert run.machine.woken() == []
        assert not heard(sub, "p00")
        assert run.sent() == {}

    def test_each_session_hears_of_its_own_wants(self, cids: list[CID]) -> None:
        a, b, x, y = cids[:4]
        run = Harness(*OTHERS)
        first, second = run.want([a, b]), run.want([x, b])
        run.answer("p00", haves=[a])
        run.answer("p01", haves=[b])
        run.answer("p02", haves=[x])
        run.answer("p03", haves=[y])
        assert [heard(first, peer) for peer in OTHERS[:4]] == [True, True, False, False]
        assert [heard(second, peer) for peer in OTHERS[:4]] == [False, True, True, False]

    @pytest.mark.parametrize("kind", ["blocks", "haves", "dont_haves"])
    @pytest.mark.parametrize("beside", [False, True])
    def test_whatever_the_kind_of_answer_one_session_hears_it(
        self, blocks: list[Block], cids: list[CID], kind: str, beside: bool
    ) -> None:
        """`beside`: in the same message with others, that nobody wants."""
        run = Harness(*OTHERS)
        first = run.want(cids[:2])
        other = run.want(cids[5:6])
        run.sent()
        run.machine.woken()
        count = 3 if beside else 1
        run.answer(
            "p00",
            blocks[:count] if kind == "blocks" else (),
            cids[:count] if kind == "haves" else (),
            cids[:count] if kind == "dont_haves" else (),
        )
        assert heard(first, "p00") == (kind != "dont_haves")
        assert not heard(other, "p00")
        assert run.machine.woken() == ([first] if kind == "blocks" else [])
        assert run.machine.reasons(cids[0]).get("p00") == {
            "blocks": None,
            "haves": "answered HAVE, but has not sent the block",
            "dont_haves": "answered DONT_HAVE",
        }.get(kind)

    def test_a_session_that_ends_hears_no_more(self, blocks: list[Block], cids: list[CID]) -> None:
        a, b, x = cids[:3]
        run = Harness("p00")
        first, second = run.want([a, b]), run.want([x, b])
        run.sent()
        run.machine.close_session(first.session, run.now)
        assert run.sent()["p00"].cancels == {a}
        assert set(run.machine.wantlist()) == {b, x}
        run.answer("p00", blocks[:3])
        assert run.take(first) == []
        assert run.take(second) == blocks[1:3]

    def test_what_one_session_wants_no_more_others_may_want(self, cids: list[CID]) -> None:
        a, b, x = cids[:3]
        run = Harness("p00")
        first, second = run.want([a, b]), run.want([x, b])
        run.sent()
        assert run.machine.cancel(first, [a], run.now) == [a]
        assert run.sent()["p00"].cancels == {a}
        assert run.machine.cancel(first, [a, b], run.now) == [b]
        assert run.sent() == {}
        run.answer("p00", haves=[b])
        assert set(run.machine.wantlist()) == {b, x}
        assert second.outstanding == 2

    @pytest.mark.parametrize(
        ("wants", "wanted"),
        [([], []), ([[0, 1]], [0, 1]), ([[1], [1, 2]], [1, 2]), ([[1, 2]], [1, 2]), ([[2]], [2])],
    )
    def test_blocks_are_told_apart_by_whether_anybody_wants_them(
        self, blocks: list[Block], cids: list[CID], wants: list[list[int]], wanted: list[int]
    ) -> None:
        run = Harness("p00")
        subs = [run.want([cids[place] for place in places]) for places in wants]
        received = run.answer("p00", blocks[:3])
        assert received.wanted == [blocks[place] for place in wanted]
        assert received.unwanted == [block for place, block in enumerate(blocks[:3]) if place not in wanted]
        assert [run.take(sub) for sub in subs] == [[blocks[place] for place in places] for places in wants]
        assert run.machine.unwanted("p00") == 3 - len(wanted)


@pytest.mark.usefixtures("implementation")
class TestThreeSessions:
    """The first and the third want a block."""

    def three(self, cids: list[CID]) -> tuple[Harness, list[Subscription]]:
        run = Harness("a", "b")
        subs = [run.want(cids[:1]), run.want(cids[1:2]), run.want(cids[:1])]
        run.sent()
        run.machine.woken()
        return run, subs

    def test_who_is_interested_hears_and_the_others_are_cancelled_once(
        self, blocks: list[Block], cids: list[CID]
    ) -> None:
        run, subs = self.three(cids)
        run.answer("b", haves=cids[:1])
        run.answer("b", dont_haves=cids[:1])
        run.answer("b", blocks[:1])
        assert set(run.machine.woken()) == {subs[0], subs[2]}
        assert [run.take(sub) for sub in subs] == [blocks[:1], [], blocks[:1]]
        run.wait(10.0)
        cancelled = [cid for sent in run.sent().values() for cid in sent.cancels]
        # `a` was asked, and `b` is told in time: once each.
        assert sorted(cancelled) == sorted([cids[0]] * len(cancelled))
        assert 1 <= len(cancelled) <= 2

    def test_after_the_end_of_everything_nobody_hears(self, blocks: list[Block], cids: list[CID]) -> None:
        run, subs = self.three(cids)
        run.machine.close_all(run.now)
        run.machine.woken()
        assert run.answer("a", blocks[:1]).wanted == []
        assert run.machine.woken() == []
        assert [run.take(sub) for sub in subs] == [[], [], []]

    def test_after_the_end_of_one_the_others_hear(self, blocks: list[Block], cids: list[CID]) -> None:
        run, subs = self.three(cids)
        run.machine.close_session(subs[0].session, run.now)
        run.answer("a", blocks[:1])
        assert [run.take(sub) for sub in subs] == [[], [], blocks[:1]]

    def test_what_was_said_is_forgotten_with_the_last_who_wanted_it(self, cids: list[CID]) -> None:
        run, subs = self.three(cids)
        run.answer("a", dont_haves=cids[:1])
        assert run.machine.reasons(cids[0])["a"] == "answered DONT_HAVE"
        run.machine.close_all(run.now)
        assert run.machine.reasons(cids[0]) == {}
        assert any(cids[0] in sent.cancels for sent in run.sent().values())
        # Somebody who wants it now asks anew, whoever denied it.
        run.want(cids[:1], peers=["a"], broadcast=False)
        run.wait(1.0)
        assert run.sent()["a"].blocks == cids[:1]
        assert [sub.closed for sub in subs] == [True] * 3


def said(presence: BlockPresence, cid: CID) -> dict[str, bool]:
    """Who has a block and who lacks it."""
    return {peer: bool(has) for peer, has in presence.of(cid).items()}


class TestPresence:
    """Who has what, of blocks that somebody wants. The last word counts; in boxo a HAVE stays for ever."""

    def test_everything_is_forgotten_in_time(self, cids: list[CID]) -> None:
        presence = BlockPresence()
        a, b = cids[:2]
        presence.received("p", [a], [b])
        presence.received("p", [b], [])
        assert (said(presence, a), said(presence, b)) == ({"p": True}, {"p": True})
        presence.received("p", [], [a])
        assert said(presence, a) == {"p": False}
        presence.forget([a])
        assert (said(presence, a), said(presence, b)) == ({}, {"p": True})
        presence.received("p", [a], [])
        presence.forget_peer("p")
        assert (said(presence, a), said(presence, b), len(presence)) == ({}, {}, 0)

    def test_two_peers_and_three_blocks(self, cids: list[CID]) -> None:
        presence = BlockPresence()
        a, b, c = cids[:3]
        presence.received("p", [a, b], [b, c])
        presence.received("q", [b, c], [a])
        assert said(presence, a) == {"p": True, "q": False}
        assert said(presence, b) == {"p": True, "q": True}
        assert said(presence, c) == {"p": False, "q": True}
        presence.forget([b, c])
        assert len(presence) == 1
        assert said(presence, a) == {"p": True, "q": False}

    @pytest.mark.parametrize("known", range(3**3))
    def test_a_want_is_given_up_only_when_every_peer_that_may_be_asked_denies_it(
        self, cids: list[CID], known: int
    ) -> None:
        """Of three peers each has said no, yes or nothing."""
        said = [(None, False, True)[known // 3**place % 3] for place in range(3)]
        run = Harness("a", "b", "c")
        sub = run.want(cids[:1], peers=["a", "b", "c"], broadcast=False)
        asked: set[str] = set()
        for peer, has in zip("abc", said, strict=True):
            asked |= told_to_answer(run, cids[0])
            if has is not None:
                run.answer(peer, haves=cids[:1] if has else [], dont_haves=[] if has else cids[:1])
        asked |= told_to_answer(run, cids[0])
        assert (sub.missing == cids[:1]) == all(has is False for has in said)
        if not sub.missing:
            assert asked & {peer for peer, has in zip("abc", said, strict=True) if has is not False}


def told_to_answer(run: Harness, cid: CID) -> set[str]:
    """Who was asked for a block, or whether it has it, since the last call."""
    return {peer for peer, sent in run.sent().items() if cid in sent.told}
