"""What the machine of the fetching half says of a block, at every moment of its way; in virtual time."""

from __future__ import annotations

import json

import pytest

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.errors import Cause
from bitswap.explanation import Explanation, PeerView, State, Step
from bitswap.testutils import cids_of, make_blocks
from tests.client.harness import Harness


def told(run: Harness, cid: CID) -> Explanation:
    return run.machine.explain(cid, run.now)


def view(run: Harness, cid: CID, peer: str) -> PeerView:
    return told(run, cid).peers[peer]


def due(run: Harness, cid: CID, what: str) -> float:
    """In how many seconds the next step with these words comes."""
    steps = [step for step in told(run, cid).next if what in step.what and step.due is not None]
    assert steps, told(run, cid)
    return steps[0].due or 0.0


class TestNotWanted:
    def test_an_unknown_cid(self, cids: list[CID]) -> None:
        run = Harness("a")
        run.want(cids[:1])
        explained = told(run, cids[1])
        assert (explained.state, explained.waits) == (State.NOT_WANTED, ())
        assert (explained.wanted, explained.asked, explained.reasons, explained.next) == (False, {}, {}, ())
        assert str(explained) == f"{cids[1]}: nobody waits for it"

    def test_a_finished_one(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a")
        sub = run.want(cids[:2])
        run.sent()
        run.answer("a", blocks[:1])
        assert told(run, cids[0]).state is State.READY
        assert told(run, cids[1]).state is State.ASKED
        run.take(sub)
        assert told(run, cids[0]).state is State.NOT_WANTED

    def test_a_cancelled_one(self, cids: list[CID]) -> None:
        run = Harness("a")
        sub = run.want(cids[:2])
        run.sent()
        run.machine.cancel(sub, cids[:1], run.now)
        assert told(run, cids[0]).state is State.NOT_WANTED
        run.machine.close(sub, run.now)
        assert told(run, cids[1]).state is State.NOT_WANTED


class TestNobody:
    def test_is_connected(self, cids: list[CID]) -> None:
        run = Harness()
        run.want(cids[:1])
        run.wait(7.5)
        explained = told(run, cids[0])
        assert explained.state is State.NO_PEERS
        assert explained.reasons == {}
        assert explained.next == (Step("it is asked for when a peer connects"),)
        assert str(explained) == (
            f"{cids[0]}: there is no peer to ask\n  next: it is asked for when a peer connects"
        )
        run.connect("a")
        assert told(run, cids[0]).state is State.ASKED

    def test_that_the_session_may_ask(self, cids: list[CID]) -> None:
        run = Harness("a", "b")
        sub = run.want(cids[:1], peers=["a"], broadcast=False)
        run.sent()
        run.disconnect("a", "reset by peer")
        explained = told(run, cids[0])
        assert explained.state is State.GIVEN_UP
        assert explained.reasons == {"a": "connection lost: reset by peer"}
        assert explained.reasons["a"].cause is Cause.CONNECTION_LOST
        assert sub.missing == cids[:1]


class TestOneSilentPeer:
    def test_before_and_after_its_patience(self, cids: list[CID]) -> None:
        run = Harness("a")
        run.want(cids[:1])
        (about,) = told(run, cids[0]).next
        assert about == Step("a is told with the next message")
        assert view(run, cids[0], "a").asked_ago is None
        run.sent()
        run.now = 2.0
        seen = view(run, cids[0], "a")
        assert (seen.asked, seen.asked_ago, seen.answer) == ("block", 2.0, None)
        assert seen.reason == "asked for the block 2.0 s ago, has not answered"
        assert seen.reason.cause is Cause.UNANSWERED
        assert due(run, cids[0], "counts as lacking it") == run.options.dont_have_timeout - 2.0
        assert due(run, cids[0], "told once more") == run.options.resend_after - 2.0
        run.wait(3.5)
        explained = told(run, cids[0])
        assert explained.state is State.RESTING
        assert explained.reasons == {"a": "no answer in 5 s, asked 5.5 s ago"}
        assert explained.reasons["a"].cause is Cause.TIMED_OUT
        assert explained.reasons["a"].when == 0.0
        assert due(run, cids[0], "all are asked again") == pytest.approx(0.5)
        run.wait(1.0)
        assert told(run, cids[0]).state is State.ASKED
        assert "in vain: 2 rounds" in str(told(run, cids[0]))

    def test_an_answer_to_another_want_counts(self, blocks: list[Block], cids: list[CID]) -> None:
        run = Harness("a")
        run.want(cids[:2])
        run.sent()
        run.now = 3.0
        run.answer("a", blocks[:1])
        assert due(run, cids[1], "counts as lacking it") == 6.0  # twice what the answer took
        run.wait(5.9)
        assert told(run, cids[1]).state is State.ASKED
        run.wait(0.2)
        assert told(run, cids[1]).state is State.RESTING

    def test_steps_come_when_they_were_said_to(self, cids: list[CID]) -> None:
        """Nothing changes before the time of the first step, and something has after it."""
        run = Harness("a", "b", "c", "d", "e")
        run.want(cids[:1])
        seen = []
        for _ in range(8):
            run.wait(0.0)
            before = told(run, cids[0])
            step = before.next[0]
            assert step.due is not None
            run.wait(step.due - 0.001)
            same = told(run, cids[0])
            assert (same.state, same.next[0].what) == (before.state, step.what)
            run.wait(0.002)
            after = told(run, cids[0])
            assert (after.state, after.next[0]) != (before.state, step)
            seen.append(after.state)
        assert State.SEARCHED in seen
        assert State.RESTING in seen

    def test_sending_fails(self, cids: list[CID]) -> None:
        run = Harness("a")
        run.want(cids[:1])
        (out,) = run.machine.outgoing(run.now)
        run.machine.message_failed(out.queue, ConnectionError("broken pipe"), run.now)
        (step,) = told(run, cids[0]).next
        assert step == Step("a is told in another attempt, because sending failed", run.options.send_backoff)
        for _ in range(2):
            run.now += 1.0
            run.machine.on_deadline(run.now)
            (out,) = run.machine.outgoing(run.now)
            run.machine.message_failed(out.queue, ConnectionError("broken pipe"), run.now)
        reason = told(run, cids[0]).reasons["a"]
        assert (reason, reason.cause) == ("sending failed: broken pipe", Cause.SEND_FAILED)


class TestAnswers:
    def test_have_and_then_silence(self, cids: list[CID]) -> None:
        run = Harness(*"abcdef")
        run.want(cids[:1])
        run.sent()
        run.now = 0.1
        assert told(run, cids[0]).state is State.SEARCHED
        assert view(run, cids[0], "a").asked == "have"
        assert view(run, cids[0], "f").reason == "not asked: others are asked first"
        assert due(run, cids[0], "more peers are asked") == pytest.approx(0.4)
        run.answer("a", haves=cids[:1])
        run.sent()
        run.now = 0.6
        seen = view(run, cids[0], "a")
        assert (seen.asked, seen.answer) == ("block", "HAVE")
        assert seen.asked_ago == seen.answered_ago == pytest.approx(0.5)
        assert seen.reason == "answered HAVE; asked for the block 0.5 s ago, has not answered"
        assert seen.reason.cause is Cause.WITHHELD
        assert view(run, cids[0], "f").reason == "not asked: a may still answer"
        assert view(run, cids[0], "f").reason.cause is Cause.NOT_ASKED
        assert list(told(run, cids[0]).asked) == ["a", "b", "c"]
        run.wait(1.0)
        seen = view(run, cids[0], "a")
        assert (seen.answer, seen.reason.cause) == ("HAVE", Cause.TIMED_OUT)
        assert str(seen) == "a: answered HAVE 1.5 s ago; no answer in 1 s, asked 1.5 s ago"
        assert told(run, cids[0]).state is State.SEARCHED

    def test_all_dont_have(self, cids: list[CID]) -> None:
        run = Harness("a", "b")
        run.want(cids[:1])
        run.sent()
        run.now = 0.2
        run.answer("a", dont_haves=cids[:1])
        run.wait(0.2)
        assert told(run, cids[0]).state is State.ASKED
        run.answer("b", dont_haves=cids[:1])
        run.now = 1.0
        explained = told(run, cids[0])
        assert explained.state is State.RESTING
        assert explained.reasons == {"a": "answered DONT_HAVE", "b": "answered DONT_HAVE"}
        assert {reason.cause for reason in explained.reasons.values()} == {Cause.DONT_HAVE}
        assert [peer.answered_ago for peer in explained.peers.values()] == pytest.approx([0.8, 0.6])
        assert due(run, cids[0], "all are asked again") == pytest.approx(0.4)
        assert str(explained).splitlines()[1:3] == [
            "  a: answered DONT_HAVE 0.8 s ago",
            "  b: answered DONT_HAVE 0.6 s ago",
        ]

    def test_dont_have_of_some_while_others_are_held(self, cids: list[CID]) -> None:
        """Whoever lacks one may lack the next, so that a denied want waits a moment for company."""
        run = Harness("a", "b")
        run.want(cids[:8])
        out = run.sent()
        run.now = 0.1
        first = out["a"].blocks
        run.answer("a", [block for block in make_blocks(10) if block.cid == first[0]])
        run.now = 0.2
        run.answer("a", dont_haves=first[1:2])
        explained = told(run, first[1])
        assert explained.waits[0].words == "whoever was asked lacks it"
        assert 0 < due(run, first[1], "others are asked") <= 0.05
        run.wait(0.06)
        assert told(run, first[1]).asked.keys() == {"a", "b"}


class TestHeldBack:
    def test_behind_a_thousand_outstanding(self) -> None:
        run = Harness("a", window_bytes=1 << 30)
        blocks = make_blocks(1500)
        many = cids_of(blocks)
        run.want(many)
        run.sent()
        explained = told(run, many[-1])
        assert explained.state is State.NO_ROOM
        (wait,) = explained.waits
        assert wait.ahead == 499
        assert wait.words.startswith("1000 blocks are outstanding at 1 peer, as many as they may have now")
        assert explained.peers["a"].outstanding == 1000
        assert explained.reasons["a"] == "not asked: 1000 blocks outstanding of 1000 that it may have now"
        assert told(run, many[0]).state is State.ASKED
        run.now = 0.1
        run.answer("a", blocks[:500])
        run.sent()
        assert told(run, many[-1]).state is State.ASKED

    def test_by_the_window_of_the_request(self) -> None:
        run = Harness("a", window_blocks=64)
        blocks = make_blocks(100)
        many = cids_of(blocks)
        sub = run.want(many)
        run.sent()
        explained = told(run, many[70])
        assert explained.state is State.QUEUED
        (wait,) = explained.waits
        assert (wait.ahead, wait.peers) == (6, ())
        assert (
            wait.words == "64 blocks are asked for and 0 wait to be taken, of 64 together; 6 come before it"
        )
        run.answer("a", blocks[:32])
        assert "32 wait to be taken" in told(run, many[70]).waits[0].words
        run.take(sub)
        assert told(run, many[70]).state is State.ASKED

    def test_by_a_message_under_way(self, cids: list[CID]) -> None:
        run = Harness("a")
        sub = run.want(cids[:1])
        (out,) = run.machine.outgoing(run.now)
        run.machine.want(sub, cids[1:2], run.now)
        assert told(run, cids[1]).next == (Step("a is told once the message before it has left"),)
        run.machine.message_sent(out.queue, run.now)
        assert told(run, cids[1]).next == (Step("a is told with the next message"),)

    def test_by_what_a_new_session_looks_for_first(self) -> None:
        run = Harness(*[f"p{number:02}" for number in range(20)])
        many = cids_of(make_blocks(100))
        run.want(many)
        run.sent()
        explained = told(run, many[-1])
        assert explained.state is State.NO_ROOM
        first = run.options.discovery_wants
        assert explained.waits[0].words == f"{first} others are looked for first; {99 - first} come before it"
        assert explained.next == (Step("it is asked for when somebody has one of those"),)

    def test_by_wants_of_other_sessions_at_a_full_peer(self) -> None:
        run = Harness("a", max_outstanding_wants=10, refill_wants=5)
        many = cids_of(make_blocks(20))
        run.want(many[:10])
        run.want(many[10:])
        run.sent()
        assert told(run, many[-1]).next[0] == Step(
            "a is told once it has answered others: it has as many wants as it may"
        )


class TestConfinedSessions:
    def test_name_who_is_not_there_and_who_is_not_asked(self, cids: list[CID]) -> None:
        run = Harness("a", "b")
        run.want(cids[:1], peers=["a", "x"], broadcast=False)
        run.sent()
        explained = told(run, cids[0])
        assert explained.reasons["x"] == "not connected"
        assert explained.reasons["x"].cause is Cause.NOT_CONNECTED
        assert not explained.peers["x"].connected
        assert explained.reasons["b"] == "not asked: the session asks nobody but the peers it was given"
        assert explained.peers["b"].connected
        assert list(explained.asked) == ["a"]

    def test_each_session_is_asked_for_itself(self, cids: list[CID]) -> None:
        run = Harness("a", "b")
        first = run.want(cids[:1], peers=["a"], broadcast=False)
        second = run.want(cids[:1], peers=["b"], broadcast=False)
        run.sent()
        run.answer("a", dont_haves=cids[:1])
        explained = told(run, cids[0])
        assert [wait.state for wait in explained.waits] == [State.GIVEN_UP, State.ASKED]
        assert explained.state is State.ASKED
        numbers = [sub.session.number for sub in (first, second)]
        assert [wait.session for wait in explained.waits] == numbers
        assert f"  session {numbers[0]}: it was given up" in str(explained)
        of_first = run.machine.explain(cids[0], run.now, first.session)
        assert of_first.state is State.GIVEN_UP
        of_nobody = run.machine.explain(cids[1], run.now, second.session)
        assert of_nobody.state is State.NOT_WANTED
        assert run.machine.owners() == [None, None]


class TestText:
    def test_many_peers_are_counted(self, cids: list[CID]) -> None:
        run = Harness(*[f"p{number:03}" for number in range(200)])
        run.want(cids[:1])
        run.sent()
        run.answer("p007", dont_haves=cids[:1])
        explained = told(run, cids[0])
        assert len(explained.peers) == 200
        lines = str(explained).splitlines()
        assert len(lines) < 15
        assert "  and 192 more: was not asked" in lines

    def test_a_record_is_json(self, cids: list[CID]) -> None:
        run = Harness("a", "b")
        run.want(cids[:1], peers=["a"], broadcast=False)
        run.sent()
        run.now = 1.5
        record = json.loads(json.dumps(told(run, cids[0]).record()))
        assert (record["cid"], record["state"]) == (str(cids[0]), "asked")
        (wait,) = record["waits"]
        assert wait["peers"][0] == {
            "peer": "a",
            "reason": "asked for the block 1.5 s ago, has not answered",
            "cause": "unanswered",
            "connected": True,
            "member": True,
            "asked": "block",
            "asked_ago": 1.5,
            "answer": None,
            "answered_ago": None,
            "outstanding": 1,
        }
        assert wait["next"][0] == {"what": "a counts as lacking it", "due": 3.5}

    def test_asking_changes_nothing(self, blocks: list[Block], cids: list[CID]) -> None:
        """The same things happen at the same times, whether somebody asks all the time or not."""
        histories = []
        for asks in (False, True):
            run = Harness(*"abcde")
            sub = run.want(cids)
            history = []
            for second in range(40):
                for peer, sent in sorted(run.sent().items()):
                    history.append((second, peer, str(sent)))
                if second % 7 == 3:
                    run.answer("bcd"[second % 3], haves=cids[second % 10 :][:2], dont_haves=cids[:2])
                if asks:
                    for cid in cids:
                        assert str(told(run, cid))
                run.wait(0.5)
            run.answer("a", blocks)
            history.append((99, "all", str(len(run.take(sub)))))
            histories.append(history)
        assert histories[0] == histories[1]
