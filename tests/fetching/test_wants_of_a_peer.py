"""The queue of one peer: what goes out once, what takes its place, what comes again (`messagequeue`)."""

from __future__ import annotations

import pytest

from bitswap.cid import CID
from bitswap.message import Message, WantType
from bitswap.messagequeue import MessageQueue
from bitswap.options import ClientOptions
from bitswap.testutils import cids_of, make_blocks
from tests.client.messages import asks_for, cancels_of, wants_of

pytestmark = pytest.mark.usefixtures("implementation")

BLOCK, HAVE = int(WantType.BLOCK), int(WantType.HAVE)
OPTIONS = ClientOptions()


@pytest.fixture
def queue() -> MessageQueue:
    return MessageQueue("p", OPTIONS)


def send(queue: MessageQueue, now: float = 0.0) -> Message | None:
    """The next message, as sent."""
    message = queue.next_message(now)
    if message is not None:
        queue.message_sent(now)
    return message


class TestOnce:
    def test_a_broadcast_is_one_message(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_haves(asks_for(cids), dont_have=False)
        message = send(queue)
        assert wants_of(message) == dict.fromkeys(cids, (HAVE, False))
        assert cancels_of(message) == set()
        assert message is not None
        assert not message.full
        assert send(queue) is None

    @pytest.mark.parametrize(("first", "second"), [((0, 10), (0, 10)), ((0, 8), (3, 10))])
    def test_what_is_wanted_twice_before_it_is_sent(
        self, queue: MessageQueue, first: tuple[int, int], second: tuple[int, int]
    ) -> None:
        blocks, haves = cids_of(make_blocks(10)), cids_of(make_blocks(10, seed="haves"))
        for start, stop in (first, second):
            queue.want_blocks(asks_for(blocks[start:stop]))
            queue.want_haves(asks_for(haves[start:stop]), dont_have=True)
        wants = wants_of(send(queue))
        assert wants == dict.fromkeys(blocks, (BLOCK, True)) | dict.fromkeys(haves, (HAVE, True))
        assert send(queue) is None

    def test_priorities_are_those_of_the_session_and_a_repetition_changes_none(
        self, queue: MessageQueue, cids: list[CID]
    ) -> None:
        """boxo counts down within the queue; here a session does, so that sessions at one peer take turns."""
        queue.want_blocks([(cids[0], 50), (cids[1], 49)])
        queue.want_haves([(cids[2], 48)], dont_have=True)
        queue.want_haves([(cids[0], 3), (cids[2], 2)], dont_have=True)
        queue.want_blocks([(cids[3], 47)])
        message = send(queue)
        assert message is not None
        assert [(entry.cid, entry.priority) for entry in message.wantlist()] == [
            (cids[0], 50),
            (cids[1], 49),
            (cids[2], 48),
            (cids[3], 47),
        ]


class TestCancels:
    def test_of_each_kind_before_and_after_sending(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:2]))
        queue.want_haves(asks_for(cids[2:4]), dont_have=True)
        queue.cancel([cids[0], cids[2]], 0.0)
        message = send(queue)
        assert wants_of(message) == {cids[1]: (BLOCK, True), cids[3]: (HAVE, True)}
        assert cancels_of(message) == set()
        queue.cancel([cids[1], cids[3]], 1.0)
        message = send(queue, 1.0)
        assert wants_of(message) == {}
        assert cancels_of(message) == {cids[1], cids[3]}
        assert queue.outstanding == 0
        assert send(queue, 100.0) is None

    def test_a_want_takes_the_place_of_its_cancel(self, queue: MessageQueue, cids: list[CID]) -> None:
        """Also when it is of the other kind than before."""
        queue.want_blocks(asks_for(cids[:1]))
        queue.want_haves(asks_for(cids[1:3]), dont_have=True)
        send(queue)
        queue.cancel(cids[:3], 0.0)
        queue.want_blocks(asks_for(cids[1:2]))
        message = send(queue, 0.0)
        assert wants_of(message) == {cids[1]: (BLOCK, True)}
        assert cancels_of(message) == {cids[0], cids[2]}
        assert queue.outstanding == 1

    def test_what_is_under_way_is_cancelled_by_the_next_message(
        self, queue: MessageQueue, cids: list[CID]
    ) -> None:
        queue.want_blocks(asks_for(cids[:2]))
        first = queue.next_message(0.0)
        assert list(wants_of(first)) == cids[:2]
        queue.cancel(cids[:1], 0.0)
        assert queue.next_message(0.0) is None
        queue.message_sent(0.5)
        assert cancels_of(send(queue, 0.5)) == {cids[0]}

    def test_cancelled_and_wanted_while_it_is_under_way(self, queue: MessageQueue, cids: list[CID]) -> None:
        """It must be in the next message as a want and not as a cancel, in which the cancel would win."""
        queue.want_blocks(asks_for(cids[:1]))
        queue.next_message(0.0)
        queue.cancel(cids[:1], 0.0)
        queue.want_blocks(asks_for(cids[:1]))
        queue.cancel(cids[:1], 0.0)
        queue.want_haves(asks_for(cids[:1]), dont_have=True)
        queue.message_sent(0.5)
        message = send(queue, 0.5)
        assert list(wants_of(message)) == cids[:1]
        assert cancels_of(message) == set()

    def test_what_is_owed_stays_owed_when_a_new_want_is_taken_back_unsent(
        self, queue: MessageQueue, cids: list[CID]
    ) -> None:
        """Some servers keep what they have served until they are told."""
        queue.want_blocks(asks_for(cids[:1]))
        send(queue)
        queue.received(cids[:1], [], [], 0.5)
        queue.want_blocks(asks_for(cids[:1]))
        queue.cancel(cids[:1], 0.5)
        assert cancels_of(send(queue, 10.0)) == {cids[0]}

    def test_at_a_full_peer_cancels_make_room_before_new_wants_come(self) -> None:
        """To boxo the wants of a message come first: 1,000 with 1,000 cancels would be 2,000 there."""
        queue = MessageQueue("p", ClientOptions(max_outstanding_wants=100, refill_wants=10))
        cids = cids_of(make_blocks(200))
        queue.want_blocks(asks_for(cids[:100]))
        send(queue)
        queue.cancel(cids[:100], 0.0)
        queue.want_blocks(asks_for(cids[100:]))
        held = set(cids[:100])
        while (message := send(queue, 1.0)) is not None:
            held |= wants_of(message).keys()
            assert len(held) <= 100
            held -= cancels_of(message)
        assert held == set(cids[100:])


class TestAgain:
    def test_what_nobody_answers_is_sent_again_with_what_is_new(self) -> None:
        """boxo looks every 15 s; here each want comes again 30 s after it was sent."""
        queue = MessageQueue("p", OPTIONS)
        cids = cids_of(make_blocks(30))
        queue.want_haves(asks_for(cids[:10]), dont_have=False)
        assert list(wants_of(send(queue))) == cids[:10]

        def again(now: float) -> Message | None:
            queue.on_deadline(now)
            return send(queue, now)

        assert again(29.0) is None
        assert list(wants_of(again(30.0))) == cids[:10]
        queue.want_haves(asks_for(cids[10:]), dont_have=False)
        assert list(wants_of(again(31.0))) == cids[10:]
        assert list(wants_of(again(60.0))) == cids[:10]
        assert list(wants_of(again(61.0))) == cids[10:]
        queue.cancel([cids[0], cids[1], cids[20]], 62.0)
        message = again(90.0)
        assert cancels_of(message) == {cids[0], cids[1], cids[20]}
        assert list(wants_of(message)) == cids[2:10]
        assert set(wants_of(again(91.0))) == set(cids[10:]) - {cids[20]}

    def test_what_was_answered_is_not(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_haves(asks_for(cids[:3]), dont_have=True)
        send(queue)
        queue.received([], cids[:1], cids[1:2], 1.0)
        queue.on_deadline(30.0)
        assert list(wants_of(send(queue, 30.0))) == cids[2:3]

    def test_at_a_peer_that_knows_no_have(self, cids: list[CID]) -> None:
        """Wants for blocks only; questions that ask for a no are not put to it."""
        queue = MessageQueue("p", OPTIONS, supports_have=False)
        queue.want_haves(asks_for(cids[:4]), dont_have=False)
        assert wants_of(send(queue)) == dict.fromkeys(cids[:4], (BLOCK, False))
        queue.want_blocks(asks_for(cids[4:6]))
        assert queue.want_haves(asks_for(cids[6:8]), dont_have=True) is False
        assert wants_of(send(queue)) == dict.fromkeys(cids[4:6], (BLOCK, True))


class TestTimer:
    def test_a_deadline_is_never_in_the_past(self, cids: list[CID]) -> None:
        """Else whoever drives the queue would turn in circles until something else happens."""
        queue = MessageQueue("p", ClientOptions(max_outstanding_wants=2, refill_wants=1))
        now = 0.0
        for cid, now in ((cids[0], 0.0), (cids[1], 4.5)):
            queue.want_haves([(cid, 1)], dont_have=False)
            assert list(wants_of(send(queue, now))) == [cid]
        queue.want_haves([(cids[2], 1)], dont_have=False)
        while now < 60.0:
            queue.on_deadline(now)
            while send(queue, now) is not None:
                pass
            due = queue.next_deadline()
            assert due is not None
            assert due > now
            now = due


class TestAnswers:
    def test_one_message_is_one_measure_of_the_time(self, queue: MessageQueue, cids: list[CID]) -> None:
        """That of the oldest want that it answers, whatever else it carries."""
        queue.want_blocks(asks_for(cids[:5]))
        send(queue, 0.0)
        queue.want_blocks(asks_for(cids[5:8]))
        send(queue, 2.0)
        queue.received([cids[0], cids[6], cids[9]], [], [], 2.02)
        assert queue.times.latency == pytest.approx(2.02)
        queue.received([cids[0], cids[6]], [], [], 3.0)
        assert queue.times.latency == pytest.approx(2.02)

    def test_an_answer_that_was_given_before_measures_nothing(
        self, queue: MessageQueue, cids: list[CID]
    ) -> None:
        queue.want_blocks(asks_for(cids[:2]))
        send(queue, 0.0)
        queue.received([], [], cids[:2], 2.0)
        assert queue.times.latency == pytest.approx(2.0)
        queue.received([], [], cids[:2], 3.0)
        assert queue.times.latency == pytest.approx(2.0)

    def test_a_late_answer_measures_its_whole_time(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:2]))
        send(queue, 0.0)
        assert queue.on_deadline(OPTIONS.dont_have_timeout) == cids[:2]
        queue.received(cids[:2], [], [], OPTIONS.dont_have_timeout + 1.0)
        assert queue.times.latency == pytest.approx(OPTIONS.dont_have_timeout + 1.0)

    def test_what_waited_too_long_measures_nothing(self, cids: list[CID]) -> None:
        queue = MessageQueue("p", ClientOptions(simulate_dont_haves=False))
        queue.want_blocks(asks_for(cids[:2]))
        send(queue, 0.0)
        queue.on_deadline(OPTIONS.resend_after)
        # They are about to be sent again; the newer one has been under way for a second.
        queue.want_blocks(asks_for(cids[2:3]))
        send(queue, OPTIONS.resend_after)
        queue.received(cids[:3], [], [], OPTIONS.resend_after + 1.0)
        assert queue.times.latency == pytest.approx(1.0)
