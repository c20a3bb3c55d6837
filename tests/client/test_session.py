"""Whom a session asks, and what it makes of the answers."""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.message import Message
from bitswap.testutils import cids_of, make_blocks
from tests.client.harness import Harness


class TestFewPeers:
    """With up to three connections everybody is asked straight for blocks."""

    def test_one_peer_one_round_trip(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a")
        sub = run.want(cids)
        out = run.sent()
        assert out["a"].blocks == cids
        assert out["a"].told == set(cids)
        run.answer("a", blocks)
        assert run.take(sub) == blocks
        assert sub.outstanding == 0

    def test_wants_are_dealt_out(self, cids: list[CID]) -> None:
        run = Harness("a", "b", "c")
        run.want(cids)
        out = run.sent()
        asked = [cid for sent in out.values() for cid in sent.blocks]
        assert sorted(asked) == sorted(cids)
        assert [len(out[peer].blocks) for peer in "abc"] == [4, 3, 3]
        assert not any(sent.haves for sent in out.values())

    def test_dont_have_moves_a_want_on_and_asks_the_others(self, cids: list[CID]) -> None:
        run = Harness("a", "b", "c")
        run.want(cids[:1])
        assert run.sent()["a"].blocks == cids[:1]
        run.answer("a", dont_haves=cids[:1])
        out = run.sent()
        assert out["b"].blocks == cids[:1]
        assert out["c"].haves == cids[:1]
        assert out["c"].told == set(cids[:1])
        run.answer("c", haves=cids[:1])
        assert run.sent() == {}
        run.answer("b", dont_haves=cids[:1])
        assert run.sent()["c"].blocks == cids[:1]

    def test_who_was_useful_is_asked_first(self, blocks: list[Block], cids: list[CID]) -> None:
        """A new session knows nobody, but the node does."""
        run = Harness("a", "b", "c")
        run.want(cids[:1])
        run.sent()
        run.answer("a", dont_haves=cids[:1])
        run.sent()
        run.answer("b", blocks[:1])
        run.sent()
        run.want(cids[1:2])
        assert run.sent()["b"].blocks == cids[1:2]

    def test_a_late_comer_is_asked_for_what_is_missing(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness()
        sub = run.want(cids)
        assert run.sent() == {}
        run.connect("a")
        assert run.sent()["a"].blocks == cids
        run.answer("a", blocks[:5], dont_haves=cids[5:])
        run.connect("b")
        assert run.sent()["b"].blocks == cids[5:]
        run.answer("b", blocks[5:])
        assert run.take(sub) == blocks


class TestDirect:
    """Where there is a block to ask of each of some connections, each is asked for another one."""

    def test_everybody_gets_a_part(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness(*"abcdef")
        sub = run.want(cids)
        out = run.sent()
        assert sorted(cid for sent in out.values() for cid in sent.blocks) == sorted(cids)
        assert set(out) == set("abcdef")
        assert not any(sent.haves for sent in out.values())
        for peer, sent in out.items():
            run.answer(peer, [block for block in blocks if block.cid in sent.blocks])
        assert set(run.take(sub)) == set(blocks)

    def test_not_with_fewer_blocks_than_peers(self, cids: list[CID]) -> None:
        run = Harness(*"abcdef")
        run.want(cids[:5])
        assert not any(sent.blocks for sent in run.sent().values())

    def test_not_once_somebody_has_most(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness(*"abcdef")
        sub = run.want(cids[:1])
        (first, *_) = run.sent()
        run.answer(first, blocks[:1])
        run.machine.want(sub, cids[1:], run.now)
        assert run.sent()[first].blocks == cids[1:]

    def test_blocks_with_one_peer_each_are_found_in_two_rounds(self) -> None:
        """Who lacks what it is asked for says so; then all are asked whether they have it, in one message."""
        peers = "abcdefghi"
        blocks = make_blocks(90)
        holder = {block.cid: peers[place % 7 + place % 3] for place, block in enumerate(blocks)}
        run = Harness(*peers)
        sub = run.want(cids_of(blocks))
        rounds = 0
        while sub.outstanding:
            rounds += 1
            for peer, sent in run.sent().items():
                asked = {*sent.blocks, *sent.haves}
                has = [block for block in blocks if holder[block.cid] == peer and block.cid in asked]
                run.answer(
                    peer,
                    [block for block in has if block.cid in sent.blocks],
                    haves=[block.cid for block in has if block.cid not in sent.blocks],
                    dont_haves=[cid for cid in asked if holder[cid] != peer],
                )
            assert rounds <= 3
            run.take(sub)
        assert run.machine.stat().dup_blocks_received == 0


def of(*blocks: Block) -> Message:
    message = Message()
    for block in blocks:
        message.add_block(block)
    return message


class TestMessagesAtOnce:
    def test_are_all_taken_in(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a")
        sub = run.want(cids[:3])
        run.sent()
        came = run.machine.messages_received("a", [of(block) for block in blocks[:4]], run.now)
        assert came.wanted == blocks[:3]
        assert came.unwanted == blocks[3:4]
        assert run.take(sub) == blocks[:3]
        assert run.machine.stat().messages_received == 4
        assert run.machine.stat().blocks_received == 4
        assert run.sent() == {}

    def test_may_bring_a_block_twice(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a")
        sub = run.want(cids[:2])
        run.sent()
        twice = [of(blocks[0]), of(blocks[1]), of(blocks[0])]
        came = run.machine.messages_received("a", twice, run.now)
        assert came.wanted == blocks[:2]
        assert len(came.duplicates) + len(came.unwanted) == 1
        assert run.take(sub) == blocks[:2]
        assert run.machine.stat().messages_received == 3
        assert run.machine.stat().blocks_received == 3


class TestSilence:
    def test_moves_on_to_others(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a", "b")
        sub = run.want(cids[:1])
        run.sent()
        run.wait(5.0)
        out = run.sent()
        assert out["b"].blocks == cids[:1]
        # The first may still answer.
        run.answer("a", blocks[:1])
        assert run.take(sub) == blocks[:1]
        assert run.sent()["b"].cancels == {cids[0]}
        run.answer("b", blocks[:1])
        assert sub.session.duplicates == 1

    def test_of_everybody_leads_to_another_round(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a")
        sub = run.want(cids[:1])
        run.sent()
        run.wait(5.0)
        assert run.sent() == {}
        run.wait(1.0)
        assert run.sent()["a"].blocks == cids[:1]
        run.wait(5.0)
        assert run.sent() == {}
        run.wait(2.0)
        assert run.sent()["a"].blocks == cids[:1]
        run.answer("a", blocks[:1])
        assert run.take(sub) == blocks[:1]

    def test_one_that_said_have_can_be_asked_again(self, cids: list[CID]) -> None:
        run = Harness(*"abcd")
        run.want(cids[:1])
        run.sent()
        run.answer("a", haves=cids[:1])
        assert run.sent()["a"].blocks == cids[:1]
        # The HAVE told a latency of nothing, so the patience is the shortest.
        run.wait(run.options.min_dont_have_timeout)
        assert "a" not in run.sent()
        # The others are asked meanwhile, twice.
        run.wait(2 * run.options.probe_patience + run.options.retry_delay)
        assert run.sent()["a"].blocks == cids[:1]


class TestRounds:
    def test_dont_haves_are_asked_again_with_growing_pauses(self, cids: list[CID]) -> None:
        run = Harness("a")
        run.want(cids[:1])
        run.sent()
        times = []
        for _ in range(9):
            run.answer("a", dont_haves=cids[:1])
            start = run.now
            while not (out := run.sent()):
                run.wait(0.5)
                assert run.now < start + 100
            assert out["a"].blocks == cids[:1]
            times.append(run.now - start)
        assert times == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60], abs=0.6)

    def test_no_timer_is_left_when_everything_came(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a", "b")
        sub = run.want(cids)
        run.sent()
        run.answer("a", blocks)
        run.machine.close(sub, run.now)
        for _ in range(5):
            run.sent()
            run.wait(100.0)
        assert run.sent() == {}
        assert run.machine.next_deadline() is None


class TestLostPeers:
    def test_their_wants_go_to_others_at_once(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a", "b")
        sub = run.want(cids)
        out = run.sent()
        run.disconnect("a")
        assert run.sent()["b"].blocks == out["a"].blocks
        run.answer("b", blocks)
        assert set(run.take(sub)) == set(blocks)

    def test_all_of_them(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a")
        sub = run.want(cids)
        run.sent()
        run.disconnect("a")
        assert run.sent() == {}
        run.wait(10.0)
        run.connect("a")
        assert run.sent()["a"].blocks == cids
        run.answer("a", blocks)
        assert run.take(sub) == blocks

    def test_answers_of_before_are_forgotten(self, cids: list[CID]) -> None:
        run = Harness("a")
        run.want(cids[:1])
        run.sent()
        run.answer("a", dont_haves=cids[:1])
        run.disconnect("a")
        run.connect("a")
        assert run.sent()["a"].blocks == cids[:1]


class TestConfined:
    """`peers=[…], broadcast=False`: only those, and an answer instead of waiting for ever."""

    def test_asks_nobody_else(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness(*"abc")
        sub = run.want(cids, peers=["b"], broadcast=False)
        out = run.sent()
        assert list(out) == ["b"]
        run.answer("b", blocks)
        assert run.take(sub) == blocks

    def test_dont_have_fails(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness(*"abc")
        sub = run.want(cids, peers=["a", "b"], broadcast=False)
        out = run.sent()
        run.answer("a", dont_haves=cids)
        assert not sub.missing
        run.answer("b", blocks[5:], dont_haves=cids[:5])
        assert sorted(sub.missing) == sorted(cids[:5])
        assert sub.reasons == {"a": "answered DONT_HAVE", "b": "answered DONT_HAVE"}
        assert set(run.take(sub)) == set(blocks[5:])
        assert sub.outstanding == 0
        assert out

    def test_not_connected_fails_at_once(self, cids: list[CID]) -> None:
        run = Harness("a")
        sub = run.want(cids, peers=["x", "y"], broadcast=False)
        assert sub.missing == cids
        assert sub.reasons == {"x": "not connected", "y": "not connected"}
        assert not sub.lost
        assert run.sent() == {}
        assert run.machine.wantlist() == []

    def test_a_lost_connection_fails_what_is_left(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a")
        sub = run.want(cids, peers=["a"], broadcast=False)
        run.sent()
        run.answer("a", blocks[:3])
        run.disconnect("a", "stream reset")
        assert sorted(sub.missing) == sorted(cids[3:])
        assert sub.reasons == {"a": "connection lost: stream reset"}
        assert sub.lost
        assert run.take(sub) == blocks[:3]

    def test_one_lost_of_two(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a", "b")
        sub = run.want(cids, peers=["a", "b"], broadcast=False)
        run.sent()
        run.disconnect("a")
        assert not sub.missing
        run.sent()
        run.answer("b", blocks[1:], dont_haves=cids[:1])
        assert sub.missing == cids[:1]
        assert sub.reasons == {"a": "connection lost: reset", "b": "answered DONT_HAVE"}

    def test_dont_have_and_then_lost(self, cids: list[CID]) -> None:
        run = Harness("a", "b")
        sub = run.want(cids[:1], peers=["a", "b"], broadcast=False)
        run.sent()
        run.answer("a", dont_haves=cids[:1])
        run.sent()
        run.disconnect("b")
        assert sub.missing == cids[:1]

    def test_a_silent_peer_is_given_up_in_the_end(self, cids: list[CID]) -> None:
        run = Harness("a")
        sub = run.want(cids[:1], peers=["a"], broadcast=False)
        asked = 0
        while not sub.missing:
            asked += bool(run.sent())
            run.wait(0.5)
            assert run.now < 60
        assert asked == run.options.silent_attempts
        assert sub.reasons == {"a": "no answer in 5 s"}

    def test_others_do_not_join_by_their_answers(self, cids: list[CID]) -> None:
        run = Harness("a", "b")
        confined = run.want(cids[:1], peers=["a"], broadcast=False)
        run.want(cids[:1], peers=["b"], broadcast=False)
        run.sent()
        run.answer("b", haves=cids[:1])
        assert "b" not in confined.session.peers
        run.answer("a", dont_haves=cids[:1])
        assert confined.missing == cids[:1]

    def test_a_block_of_anybody_will_do(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a", "b")
        confined = run.want(cids[:1], peers=["a"], broadcast=False)
        run.want(cids[:1], peers=["b"], broadcast=False)
        run.sent()
        run.answer("b", blocks[:1])
        assert run.take(confined) == blocks[:1]
        assert run.sent()["a"].cancels == {cids[0]}

    def test_named_peers_first_then_everybody(self, cids: list[CID]) -> None:
        run = Harness(*"abcdef")
        run.want(cids[:1], peers=["e"])
        assert list(run.sent()) == ["e"]
        run.answer("e", dont_haves=cids[:1])
        out = run.sent()
        assert set(out) == set("abcdf")
        assert out["a"].haves == cids[:1]


def test_sessions_at_one_peer_take_turns_by_priority(cids: list[CID]) -> None:
    """The first want of a new session is as urgent as the first of an old one was."""
    run = Harness("a")
    many = cids_of(make_blocks(100, seed="many"))
    run.want(many)
    run.want(cids[:1])
    (out,) = run.machine.outgoing(0.0)
    priority = {entry.cid: entry.priority for entry in out.message.wantlist()}
    assert priority[cids[0]] == priority[many[0]] > priority[many[1]] > priority[many[99]] > 0


def test_a_slow_peer_does_not_hold_what_a_fast_one_could_bring() -> None:
    run = Harness("fast", "slow", initial_window=10)
    blocks = {block.cid: block for block in make_blocks(500)}
    run.want(blocks)
    out = run.sent()
    assert [len(out[peer].blocks) for peer in ("fast", "slow")] == [10, 10]
    run.now = 0.1
    run.answer("fast", [blocks[cid] for cid in out["fast"].blocks])
    run.answer("slow", [blocks[cid] for cid in out["slow"].blocks[:1]])
    fast = run.sent()["fast"].blocks
    assert len(fast) > 80
    run.now = 2.0
    run.answer("slow", [blocks[cid] for cid in out["slow"].blocks[1:]])
    slow = run.sent()["slow"].blocks
    assert 0 < len(slow) <= run.options.min_window
