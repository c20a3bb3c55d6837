"""How a session finds peers that have something, and which of its members it asks."""

from __future__ import annotations

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.notifications import Subscription
from bitswap.testutils import cids_of, make_blocks
from tests.client.harness import Harness


class TestSearch:
    """With many connections few are asked at first, then more, then everybody."""

    PEERS = tuple(f"p{index:02}" for index in range(40))

    def test_one_block(self, cids: list[CID]) -> None:
        run = Harness(*self.PEERS)
        run.want(cids[:1])
        first = run.sent()
        # A small block would come from all of them at once.
        assert len(first) == run.options.probe_peers
        for peer, sent in first.items():
            assert sent.haves == cids[:1]
            assert sent.told == set(cids[:1])
            assert not sent.blocks
            run.answer(peer, dont_haves=cids[:1])
        second = run.sent()
        assert len(first.keys() | second.keys()) == run.options.search_peers
        assert not first.keys() & second.keys()
        for peer, sent in second.items():
            assert sent.told == set(cids[:1])
            run.answer(peer, dont_haves=cids[:1])
        third = run.sent()
        assert third.keys() == set(self.PEERS) - first.keys() - second.keys()
        assert not any(sent.told for sent in third.values())
        last = list(third)[-1]
        run.answer(last, haves=cids[:1])
        assert run.sent()[last].blocks == cids[:1]

    def test_many_blocks_are_looked_for_at_different_peers(self, cids: list[CID]) -> None:
        run = Harness(*self.PEERS)
        blocks = make_blocks(100)
        run.want(cids_of(blocks))
        out = run.sent()
        assert len(out) == run.options.search_peers
        asked = [cid for sent in out.values() for cid in sent.haves]
        assert sorted(asked) == sorted(cids_of(blocks[: run.options.discovery_wants]))

    def test_who_has_something_becomes_a_member(self) -> None:
        run = Harness(*self.PEERS)
        blocks = make_blocks(100)
        cids = cids_of(blocks)
        run.want(cids)
        out = run.sent()
        peer, other, third = list(out)[:3]
        run.answer(peer, haves=out[peer].haves)
        asked = run.sent()
        assert list(asked) == [peer]
        # What nobody is asked about yet: others are expected to join, so it does not get everything.
        fresh = cids[run.options.discovery_wants :]
        assert asked[peer].blocks[1:] == fresh[: len(asked[peer].blocks) - 1]
        assert run.options.min_window <= len(asked[peer].blocks) < 20
        # A small block is an answer too.
        has = [block for block in blocks if block.cid in out[other].haves]
        run.answer(other, has)
        more = run.sent()[other]
        assert more.blocks[0] == fresh[len(asked[peer].blocks) - 1]
        # Who lacks what it was asked about does not join, and the want goes to the members.
        run.answer(third, dont_haves=out[third].haves)
        assert third not in run.sent()

    def test_those_who_were_useful_come_first(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness(*self.PEERS)
        run.want(cids[:1])
        run.answer(list(run.sent())[1], blocks[:1])
        useful = "p30"
        run.want(cids[1:2])
        asked = run.sent()
        assert useful not in asked
        for peer in asked:
            run.answer(peer, dont_haves=cids[1:2])
        for peer in run.sent():
            run.answer(peer, dont_haves=cids[1:2])
        run.sent()
        run.answer(useful, blocks[1:2])
        run.sent()
        run.want(cids[2:3])
        assert useful in run.sent()

    def test_sessions_begin_with_different_peers(self, cids: list[CID]) -> None:
        run = Harness(*self.PEERS)
        run.want(cids[:1])
        first = run.sent().keys()
        run.want(cids[1:2])
        assert not first & run.sent().keys()

    def test_silence_widens_as_well(self, cids: list[CID]) -> None:
        run = Harness(*self.PEERS)
        run.want(cids[:1])
        asked = set(run.sent())
        for most in (run.options.search_peers, len(self.PEERS)):
            run.wait(run.options.probe_patience / 2)
            assert not run.sent()
            run.wait(run.options.probe_patience / 2)
            asked |= run.sent().keys()
            assert len(asked) == most

    def test_a_group_goes_on_together(self) -> None:
        """A peer gets one message for all that is looked for at the same time."""
        run = Harness(*self.PEERS)
        blocks = make_blocks(10)
        run.want(cids_of(blocks))
        first = run.sent()
        *most, last = first
        for peer in most:
            run.answer(peer, dont_haves=first[peer].haves)
        assert run.sent() == {}
        run.answer(last, dont_haves=first[last].haves)
        second = run.sent()
        assert len(second) == run.options.search_peers
        for peer, sent in second.items():
            told = first[peer].haves if peer in first else []
            assert set(sent.haves) == set(cids_of(blocks)) - set(told)

    def test_what_a_member_lacks_is_sought_outside(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness(*self.PEERS)
        sub = run.want(cids[:1])
        (member, *_) = run.sent()
        run.answer(member, blocks[:1])
        run.machine.want(sub, cids[1:], run.now)
        assert run.sent()[member].blocks == cids[1:]
        run.answer(member, blocks[1:8], dont_haves=cids[8:])
        out = run.sent()
        assert len(out.keys() - {member}) == run.options.search_peers
        for peer in out.keys() - {member}:
            assert out[peer].haves == cids[8:]
        other = next(peer for peer in out if peer != member)
        run.answer(other, haves=cids[8:])
        assert run.sent()[other].blocks == cids[8:]

    def test_a_late_comer_hears_what_everybody_was_asked(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness(*self.PEERS)
        sub = run.want(cids[:2])
        run.wait(2 * run.options.probe_patience)
        run.sent()
        run.connect("z")
        assert run.sent()["z"].haves == cids[:2]
        run.answer("z", haves=cids[:1])
        assert run.sent()["z"].blocks == cids[:1]
        run.answer("z", blocks[:1])
        assert run.take(sub) == blocks[:1]

    def test_a_new_round_asks_those_again_that_said_no(self, cids: list[CID]) -> None:
        run = Harness(*self.PEERS)
        run.want(cids[:1])
        denied = set()
        for _ in range(2):
            for peer in run.sent():
                run.answer(peer, dont_haves=cids[:1])
                denied.add(peer)
        assert run.sent()
        run.wait(run.options.probe_patience + run.options.retry_delay)
        again = run.sent()
        assert again
        # The others keep the question, and will answer it when they can.
        assert again.keys() <= denied


class TestMembers:
    """Who of the session is asked, by what its peers had so far."""

    @staticmethod
    def session(*members: str) -> tuple[Harness, Subscription]:
        """A session with these members, each of which has sent a block."""
        run = Harness(*members, *(f"x{index}" for index in range(20)))
        sub = run.want([])
        blocks = make_blocks(len(members), seed="first")
        run.machine.want(sub, cids_of(blocks), run.now)
        run.sent()
        for member, block in zip(members, blocks, strict=True):
            run.answer(member, [block])
        run.sent()
        return run, sub

    def test_nobody_else_is_asked_while_they_have_everything(self, cids: list[CID]) -> None:
        run, sub = self.session(*"abcd")
        run.machine.want(sub, cids[:1], run.now)
        (sent,) = run.sent().values()
        assert sent.blocks == cids[:1]

    def test_others_are_asked_as_well_once_they_lack_much(self, cids: list[CID]) -> None:
        run, sub = self.session(*"abcdef")
        absent = cids_of(make_blocks(60, seed="absent"))
        run.machine.want(sub, absent, run.now)
        for peer, sent in run.sent().items():
            run.answer(peer, dont_haves=sent.blocks)
        run.sent()
        run.machine.want(sub, cids[:1], run.now)
        out = run.sent()
        assert sorted(out[peer].blocks == cids[:1] for peer in out)[-2:] == [False, True]
        probed = [peer for peer in out if cids[0] in out[peer].haves]
        assert len(probed) == run.options.probe_peers

    def test_a_single_denial_asks_few_others(self, cids: list[CID]) -> None:
        """All of them may have it, and would send it if it is small."""
        run, sub = self.session(*"abcdefgh")
        run.machine.want(sub, cids[:1], run.now)
        (peer,) = run.sent()
        run.answer(peer, dont_haves=cids[:1])
        out = run.sent()
        assert sum(sent.blocks == cids[:1] for sent in out.values()) == 1
        assert sum(sent.haves == cids[:1] for sent in out.values()) == run.options.probe_peers - 1

    def test_answers_that_are_about_to_come_are_waited_for(self, cids: list[CID]) -> None:
        run, sub = self.session(*"abcd")
        run.machine.want(sub, cids[:1], run.now)
        (peer,) = run.sent()
        run.answer(peer, dont_haves=cids[:1])
        out = run.sent()
        asked = next(peer for peer in out if out[peer].blocks)
        one, other = (peer for peer in out if out[peer].haves)
        run.answer(asked, dont_haves=cids[:1])
        assert run.sent() == {}
        run.answer(one, dont_haves=cids[:1])
        assert run.sent() == {}
        run.answer(other, haves=cids[:1])
        assert run.sent()[other].blocks == cids[:1]

    def test_denials_that_come_together_are_dealt_with_together(self) -> None:
        run, sub = self.session(*"abcd")
        absent = cids_of(make_blocks(40, seed="absent"))
        run.machine.want(sub, absent, run.now)
        out = run.sent()
        run.now = 0.1
        for peer in "abc":
            run.answer(peer, dont_haves=out[peer].blocks)
            assert run.sent() == {}
        run.answer("d", dont_haves=out["d"].blocks)
        again = run.sent()
        assert again.keys() >= set("abcd")
        # They have had so little that they are only asked whether they have it.
        for peer in "abcd":
            assert again[peer].told == set(absent) - set(out[peer].blocks)
            assert not again[peer].blocks

    def test_but_not_for_long(self) -> None:
        run, sub = self.session(*"abcd")
        run.machine.want(sub, cids_of(make_blocks(40, seed="absent")), run.now)
        out = run.sent()
        run.now = 0.1
        run.answer("a", dont_haves=out["a"].blocks)
        assert run.sent() == {}
        run.wait(0.025)
        again = run.sent()
        for peer in "bcd":
            assert sorted({*again[peer].blocks, *again[peer].haves}) == sorted(out["a"].blocks)

    def test_a_newcomer_takes_over_what_one_peer_has_too_much_of(self) -> None:
        """Who is alone gets everything; its last wants are the newcomer's."""
        run = Harness("a")
        blocks = make_blocks(250)
        sub = run.want(cids_of(blocks))
        assert len(run.sent()["a"].blocks) == 250
        run.now = 1.0
        run.answer("a", blocks[:20])
        run.connect("b")
        out = run.sent()
        taken = out["b"].blocks
        assert len(taken) > 20
        assert set(taken) <= out["a"].cancels
        # What the first one is about to send stays with it.
        assert not set(cids_of(blocks[20:40])) & out["a"].cancels
        left = [block for block in blocks[20:] if block.cid not in out["a"].cancels]
        run.answer("a", left)
        run.answer("b", [block for block in blocks if block.cid in taken])
        while sub.outstanding:
            for peer, sent in run.sent().items():
                run.answer(peer, [block for block in blocks if block.cid in sent.blocks])
        assert run.machine.stat().dup_blocks_received == 0

    def test_a_silent_peer_gets_one_want_to_show_itself(self) -> None:
        run = Harness("a", "b", few_peers=2)
        blocks = make_blocks(300)
        run.want(cids_of(blocks))
        out = run.sent()
        run.now = 0.1
        run.answer("b", [block for block in blocks if block.cid in out["b"].blocks])
        asked = set(out["a"].blocks)
        for _ in range(40):
            run.wait(0.25)
            for peer, sent in run.sent().items():
                asked |= set(sent.blocks) if peer == "a" else set()
                run.answer("b", [block for block in blocks if block.cid in sent.blocks and peer == "b"])
        assert len(asked) <= len(out["a"].blocks) + 10

    def test_a_peer_with_nothing_leaves(self) -> None:
        run = Harness("a", "b", dont_have_limit=4)
        blocks = make_blocks(40)
        sub = run.want(cids_of(blocks))
        out = run.sent()
        run.answer("b", [block for block in blocks if block.cid in out["b"].blocks])
        run.answer("a", dont_haves=out["a"].blocks)
        assert "a" not in sub.session.peers
        assert set(run.sent()["b"].blocks) == set(out["a"].blocks)
