"""One peer's queue where things go wrong: silence, sends that fail, a peer that knows no HAVE."""

from __future__ import annotations

import pytest

from bitswap.cid import CID
from bitswap.message import WantType
from bitswap.messagequeue import MessageQueue
from bitswap.options import ClientOptions
from tests.client.messages import asks_for, cancels_of, wants_of

BLOCK, HAVE = int(WantType.BLOCK), int(WantType.HAVE)
OPTIONS = ClientOptions()


@pytest.fixture
def queue() -> MessageQueue:
    return MessageQueue("p", OPTIONS)


class TestSilence:
    def test_counts_as_dont_have(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:2]))
        queue.want_haves(asks_for(cids[2:3]), dont_have=True)
        queue.next_message(1.0)
        queue.message_sent(1.0)
        due = 1.0 + OPTIONS.dont_have_timeout
        assert queue.next_deadline() == due
        assert queue.on_deadline(due - 0.01) == []
        assert queue.on_deadline(due) == cids[:2]
        assert queue.on_deadline(due) == []

    def test_starts_anew_with_every_answer(self, queue: MessageQueue, cids: list[CID]) -> None:
        """A peer that is busy with the others has not forgotten this one."""
        queue.want_blocks(asks_for(cids[:3]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.received(cids[:1], [], [], 3.0)
        # 3 s of latency make 6 s of patience, counted from the answer.
        assert queue.on_deadline(8.9) == []
        assert queue.on_deadline(9.0) == cids[1:3]

    def test_follows_the_latency_within_bounds(self, queue: MessageQueue) -> None:
        assert queue.times.timeout == OPTIONS.dont_have_timeout
        queue.times.answered(0.001)
        assert queue.times.timeout == OPTIONS.min_dont_have_timeout
        queue.times.answered(2.999)
        assert queue.times.timeout == pytest.approx(3.0)
        for _ in range(9):
            queue.times.answered(20.0)
        assert queue.times.timeout == OPTIONS.max_dont_have_timeout

    def test_can_be_switched_off(self, cids: list[CID]) -> None:
        queue = MessageQueue("p", ClientOptions(simulate_dont_haves=False))
        queue.want_blocks(asks_for(cids[:1]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        assert queue.next_deadline() == OPTIONS.resend_after
        assert queue.on_deadline(29.0) == []

    def test_unanswered_wants_are_sent_again(self, cids: list[CID]) -> None:
        queue = MessageQueue("p", ClientOptions(simulate_dont_haves=False))
        queue.want_blocks(asks_for(cids[:1]))
        queue.want_haves(asks_for(cids[1:2]), dont_have=False)
        queue.next_message(0.0)
        queue.message_sent(0.0)
        for round_ in (1, 2):
            now = round_ * OPTIONS.resend_after
            assert queue.next_deadline() == now
            queue.on_deadline(now)
            assert set(wants_of(queue.next_message(now))) == set(cids[:2])
            queue.message_sent(now)
            assert queue.outstanding == 2


class TestFailedSends:
    def test_keep_their_wants_and_cancels(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:3]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.cancel(cids[2:3], 0.0)
        queue.want_blocks(asks_for(cids[3:5]))
        queue.next_message(1.0)
        queue.want_blocks(asks_for(cids[5:6]))
        queue.cancel(cids[4:5], 1.0)
        assert queue.message_failed(1.0) is False
        assert not queue.has_message(1.0)
        due = queue.next_deadline()
        assert due == 1.0 + OPTIONS.send_backoff
        queue.on_deadline(due)
        message = queue.next_message(due)
        assert list(wants_of(message)) == [cids[3], cids[5]]
        assert cids[2] in cancels_of(message)

    def test_back_off_and_are_told(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:1]))
        now, pauses, told = 0.0, [], []
        for _ in range(9):
            assert queue.next_message(now) is not None
            told.append(queue.message_failed(now))
            due = queue.next_deadline()
            assert due is not None
            pauses.append(round(due - now, 3))
            now = due
            queue.on_deadline(now)
        assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
        assert told == [False, False, True] * 3

    def test_answers_before_the_failure_count(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:2]))
        queue.next_message(0.0)
        queue.received(cids[:1], [], [], 0.1)
        queue.message_failed(0.2)
        queue.on_deadline(10.0)
        assert list(wants_of(queue.next_message(10.0))) == cids[1:2]

    def test_a_failure_of_nothing_is_ignored(self, queue: MessageQueue) -> None:
        assert queue.message_failed(0.0) is False
        assert queue.next_deadline() is None


class TestWithoutHave:
    def test_is_asked_for_blocks_only(self, cids: list[CID]) -> None:
        queue = MessageQueue("p", OPTIONS, supports_have=False)
        queue.want_blocks(asks_for(cids[:1]))
        queue.want_haves(asks_for(cids[1:2]), dont_have=True)
        queue.want_haves(asks_for(cids[2:3]), dont_have=False)
        assert wants_of(queue.next_message(0.0)) == {cids[0]: (BLOCK, True), cids[2]: (BLOCK, False)}

    def test_silence_means_no_soon(self, cids: list[CID]) -> None:
        """It cannot say DONT_HAVE."""
        queue = MessageQueue("p", OPTIONS, supports_have=False)
        for _ in range(4):
            queue.times.answered(0.01)
        assert queue.times.timeout == OPTIONS.min_silence
        queue.times.tells_lacks(True)
        queue.times.answered(0.01)
        assert queue.times.timeout == OPTIONS.min_dont_have_timeout

    def test_found_out_later(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_haves(asks_for(cids[:1]), dont_have=False)
        queue.want_blocks(asks_for(cids[1:2]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.want_haves(asks_for(cids[2:3]), dont_have=True)
        queue.want_haves(asks_for(cids[3:4]), dont_have=False)
        queue.want_blocks(asks_for(cids[4:5]))
        queue.set_have_support(False)
        assert wants_of(queue.next_message(1.0)) == {cids[3]: (BLOCK, False), cids[4]: (BLOCK, True)}
        queue.message_sent(1.0)
        # It took the want-have for a want of the block, so its silence counts.
        assert set(queue.on_deadline(5.0)) == set(cids[:2])
        queue.set_have_support(True)
        queue.want_haves(asks_for(cids[5:6]), dont_have=False)
        assert wants_of(queue.next_message(6.0)) == {cids[5]: (BLOCK, False)}
