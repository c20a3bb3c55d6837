"""One peer's queue: what a message holds, what stays behind, what comes back (boxo `messagequeue`)."""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.message import WantType
from bitswap.messagequeue import MessageQueue
from bitswap.options import ClientOptions
from bitswap.testutils import cids_of, make_blocks
from tests.client.messages import asks_for, cancels_of, wants_of

BLOCK, HAVE = int(WantType.BLOCK), int(WantType.HAVE)
OPTIONS = ClientOptions()


@pytest.fixture
def queue() -> MessageQueue:
    return MessageQueue("p", OPTIONS)


def test_nothing_to_say(queue: MessageQueue) -> None:
    assert not queue.has_message(0.0)
    assert queue.next_message(0.0) is None
    assert queue.next_deadline() is None


def test_one_message_at_a_time_and_merging(queue: MessageQueue, cids: list[CID]) -> None:
    queue.want_blocks(asks_for(cids[:2]))
    queue.want_haves(asks_for(cids[2:4]), dont_have=True)
    assert wants_of(queue.next_message(0.0)) == {
        cids[0]: (BLOCK, True),
        cids[1]: (BLOCK, True),
        cids[2]: (HAVE, True),
        cids[3]: (HAVE, True),
    }
    queue.want_blocks(asks_for(cids[4:6]))
    queue.want_haves(asks_for(cids[6:7]), dont_have=False)
    assert queue.next_message(0.0) is None
    queue.message_sent(0.1)
    assert wants_of(queue.next_message(0.1)) == {
        cids[4]: (BLOCK, True),
        cids[5]: (BLOCK, True),
        cids[6]: (HAVE, False),
    }


def test_priorities_are_those_given(queue: MessageQueue, cids: list[CID]) -> None:
    queue.want_blocks([(cids[0], 7), (cids[1], 5)])
    message = queue.next_message(0.0)
    assert message is not None
    assert [(entry.cid, entry.priority) for entry in message.wantlist()] == [(cids[0], 7), (cids[1], 5)]


def test_what_is_asked_already_is_not_asked_again(queue: MessageQueue, cids: list[CID]) -> None:
    queue.want_blocks(asks_for(cids[:1]))
    queue.next_message(0.0)
    queue.message_sent(0.0)
    queue.want_blocks(asks_for(cids[:1]))
    queue.want_haves(asks_for(cids[:1]), dont_have=True)
    assert not queue.has_message(0.0)


def test_a_want_have_becomes_a_want_block(queue: MessageQueue, cids: list[CID]) -> None:
    queue.want_haves(asks_for(cids[:2]), dont_have=True)
    queue.want_blocks(asks_for(cids[:1]))
    assert wants_of(queue.next_message(0.0)) == {cids[0]: (BLOCK, True), cids[1]: (HAVE, True)}
    queue.message_sent(0.0)
    queue.want_blocks(asks_for(cids[1:2]))
    assert wants_of(queue.next_message(0.0)) == {cids[1]: (BLOCK, True)}
    assert queue.outstanding == 2


class TestCancels:
    def test_before_it_was_sent_leaves_no_trace(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:2]))
        queue.cancel(cids[:1], 0.0)
        message = queue.next_message(0.0)
        assert list(wants_of(message)) == cids[1:2]
        assert cancels_of(message) == set()
        queue.message_sent(0.0)
        assert not queue.has_message(1e6)

    def test_at_once_where_an_answer_may_come(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:2]))
        queue.want_haves(asks_for(cids[2:3]), dont_have=False)
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.cancel([cids[0], cids[2]], 0.0)
        assert cancels_of(queue.next_message(0.0)) == {cids[0], cids[2]}
        queue.message_sent(0.0)
        assert queue.outstanding == 1
        assert not queue.has_message(1.0)

    def test_come_before_wants(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:1]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.cancel(cids[:1], 0.0)
        queue.want_blocks(asks_for(cids[1:2]))
        message = queue.next_message(0.0)
        assert message is not None
        assert [(entry.cid, entry.cancel) for entry in message.wantlist()] == [
            (cids[0], True),
            (cids[1], False),
        ]

    def test_a_new_want_takes_an_unsent_cancel_back(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:2]))
        queue.next_message(0.0)
        queue.cancel(cids[:2], 0.0)
        queue.want_blocks(asks_for(cids[:1]))
        queue.message_sent(0.0)
        message = queue.next_message(0.0)
        assert list(wants_of(message)) == cids[:1]
        assert cancels_of(message) == {cids[1]}

    def test_of_what_arrived_wait_for_company(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:2]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.received(cids[:2], [], [], 1.0)
        assert not queue.has_message(1.0)
        queue.want_blocks(asks_for(cids[2:3]))
        message = queue.next_message(1.0)
        assert cancels_of(message) == set(cids[:2])
        assert list(wants_of(message)) == cids[2:3]

    def test_of_what_arrived_go_alone_in_the_end(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:1]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.received(cids[:1], [], [], 1.0)
        due = queue.next_deadline()
        assert due == 1.0 + OPTIONS.cancel_delay
        assert cancels_of(queue.next_message(due)) == {cids[0]}
        queue.message_sent(due)
        assert queue.next_deadline() is None
        assert not queue.has_message(1e9)

    def test_many_of_what_arrived_are_worth_a_message(self) -> None:
        queue = MessageQueue("p", ClientOptions(max_delayed_cancels=4))
        cids = cids_of(make_blocks(4))
        queue.want_blocks(asks_for(cids))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.received(cids[:3], [], [], 0.0)
        assert not queue.has_message(0.0)
        queue.received(cids[3:], [], [], 0.0)
        assert cancels_of(queue.next_message(0.0)) == set(cids)

    def test_of_want_haves_wait_as_well(self, queue: MessageQueue, cids: list[CID]) -> None:
        """At most a HAVE, or a small block, can still come."""
        queue.want_haves(asks_for(cids[:1]), dont_have=True)
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.cancel(cids[:1], 0.5)
        assert queue.outstanding == 1
        assert queue.next_message(0.5) is None
        assert queue.next_deadline() == 0.5 + OPTIONS.cancel_delay
        assert cancels_of(queue.next_message(0.5 + OPTIONS.cancel_delay)) == {cids[0]}
        assert queue.outstanding == 0

    def test_but_not_long_at_a_peer_that_is_just_sending(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:1]))
        queue.want_haves(asks_for(cids[1:2]), dont_have=False)
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.received(cids[:1], [], [], 0.1)
        queue.cancel(cids[1:2], 0.2)
        assert queue.next_deadline() == 0.2 + OPTIONS.withdraw_delay

    def test_a_new_want_takes_a_waiting_cancel_back(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_haves(asks_for(cids[:1]), dont_have=True)
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.cancel(cids[:1], 0.1)
        queue.want_blocks(asks_for(cids[:1]))
        message = queue.next_message(0.2)
        assert (wants_of(message), cancels_of(message)) == ({cids[0]: (BLOCK, True)}, set())
        assert queue.outstanding == 1

    def test_of_what_the_peer_lacked_go_soon(self, queue: MessageQueue, cids: list[CID]) -> None:
        """The peer would send the block as soon as it gets it."""
        queue.want_blocks(asks_for(cids[:1]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.received([], [], cids[:1], 1.0)
        assert queue.outstanding == 1
        queue.cancel(cids[:1], 2.0)
        assert queue.next_deadline() == 2.0 + OPTIONS.withdraw_delay
        assert cancels_of(queue.next_message(2.0 + OPTIONS.withdraw_delay)) == {cids[0]}


class TestFullPeer:
    def filled(self, haves: bool = False) -> tuple[MessageQueue, list[Block]]:
        queue = MessageQueue("p", ClientOptions(max_outstanding_wants=20, refill_wants=5))
        blocks = make_blocks(40)
        if haves:
            queue.want_haves(asks_for(cids_of(blocks)), dont_have=False)
        else:
            queue.want_blocks(asks_for(cids_of(blocks)))
        assert len(wants_of(queue.next_message(0.0))) == 20
        queue.message_sent(0.0)
        return queue, blocks

    def test_gets_no_more_than_it_can_keep(self) -> None:
        queue, blocks = self.filled()
        assert queue.outstanding == 20
        assert not queue.has_message(0.0)
        queue.received(cids_of(blocks[:4]), [], [], 0.1)
        assert not queue.has_message(0.1)
        queue.received(cids_of(blocks[4:5]), [], [], 0.2)
        message = queue.next_message(0.2)
        assert list(wants_of(message)) == cids_of(blocks[20:25])
        assert cancels_of(message) == set(cids_of(blocks[:5]))
        assert queue.outstanding == 20

    def test_the_last_wants_need_no_company(self) -> None:
        queue, blocks = self.filled()
        queue.cancel(cids_of(blocks[21:]), 0.0)
        queue.received(cids_of(blocks[:1]), [], [], 0.1)
        assert list(wants_of(queue.next_message(0.1))) == cids_of(blocks[20:21])

    def test_what_it_lacks_makes_room_first(self) -> None:
        """boxo reads the wants of a message before its cancels, so those need a message of their own."""
        queue, blocks = self.filled()
        queue.received([], [], cids_of(blocks[:20]), 0.1)
        message = queue.next_message(0.1)
        assert wants_of(message) == {}
        assert cancels_of(message) == set(cids_of(blocks[:20]))
        queue.message_sent(0.1)
        assert list(wants_of(queue.next_message(0.1))) == cids_of(blocks[20:])

    def test_an_upgrade_takes_no_further_place(self) -> None:
        queue, blocks = self.filled(haves=True)
        queue.received([], cids_of(blocks[:20]), [], 0.1)
        queue.cancel(cids_of(blocks[20:]), 0.1)
        queue.want_blocks(asks_for(cids_of(blocks[:20])))
        assert list(wants_of(queue.next_message(0.1))) == cids_of(blocks[:20])
        assert queue.outstanding == 20

    def test_unanswered_want_haves_take_turns(self) -> None:
        queue, blocks = self.filled(haves=True)
        seen = set(cids_of(blocks[:20]))
        now = 0.0
        for _ in range(6):
            due = queue.next_deadline()
            assert due is not None
            assert due > now
            now = due
            queue.on_deadline(now)
            while (message := queue.next_message(now)) is not None:
                seen |= set(wants_of(message))
                queue.message_sent(now)
                assert queue.outstanding <= 20
        assert seen == set(cids_of(blocks))


class TestBroadcasts:
    """Want-haves that need no answer."""

    def test_are_merged_where_nothing_ever_came_from(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_haves(asks_for(cids[:1]), dont_have=False)
        assert list(wants_of(queue.next_message(0.0))) == cids[:1]
        queue.message_sent(0.0)
        queue.want_haves(asks_for(cids[1:2]), dont_have=False)
        assert queue.next_message(0.1) is None
        queue.want_haves(asks_for(cids[2:3]), dont_have=False)
        assert queue.next_deadline() == OPTIONS.broadcast_spacing
        assert list(wants_of(queue.next_message(OPTIONS.broadcast_spacing))) == cids[1:3]

    def test_leave_with_whatever_goes_anyway(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_haves(asks_for(cids[:1]), dont_have=False)
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.want_haves(asks_for(cids[1:2]), dont_have=False)
        queue.want_haves(asks_for(cids[2:3]), dont_have=True)
        assert list(wants_of(queue.next_message(0.1))) == cids[1:3]

    def test_go_at_once_to_a_peer_that_was_useful(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:1]))
        queue.want_haves(asks_for(cids[1:2]), dont_have=False)
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.received(cids[:1], [], [], 0.1)
        queue.want_haves(asks_for(cids[2:3]), dont_have=False)
        assert cids[2] in wants_of(queue.next_message(0.2))

    def test_found_meanwhile_are_never_sent(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_haves(asks_for(cids[:1]), dont_have=False)
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.want_haves(asks_for(cids[1:2]), dont_have=False)
        queue.cancel(cids[1:2], 0.1)
        assert queue.next_message(2.0) is None


class TestAnswers:
    def test_dont_have_keeps_the_place_until_it_is_needed(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:2]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.received([], [], cids[:2], 0.1)
        assert queue.outstanding == 2
        queue.want_blocks(asks_for(cids[:1]))
        assert wants_of(queue.next_message(0.1))[cids[0]] == (BLOCK, True)
        assert queue.outstanding == 2

    def test_what_the_peer_lacks_it_is_not_to_send_later(self, queue: MessageQueue, cids: list[CID]) -> None:
        """It says that it has it now: another one may have sent it meanwhile. No message of its own."""
        queue.want_blocks(asks_for(cids[:2]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.received([], [], cids[:2], 0.1)
        assert queue.next_message(0.1) is None
        queue.cancel(cids[1:2], 0.1)
        queue.want_blocks(asks_for(cids[2:3]))
        wants = wants_of(queue.next_message(0.2))
        assert wants == {cids[0]: (HAVE, False), cids[2]: (BLOCK, True)}
        queue.message_sent(0.2)
        assert queue.next_message(0.2) is None
        assert queue.outstanding == 2

    def test_nor_is_an_old_peer_told_what_it_does_not_understand(self, cids: list[CID]) -> None:
        queue = MessageQueue("a", ClientOptions(), supports_have=False)
        queue.want_blocks(asks_for(cids[:1]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.received([], [], cids[:1], 0.1)
        queue.want_blocks(asks_for(cids[1:2]))
        assert list(wants_of(queue.next_message(0.1))) == cids[1:2]

    def test_a_block_answers_a_want_have(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_haves(asks_for(cids[:1]), dont_have=False)
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.received(cids[:1], [], [], 0.5)
        assert queue.outstanding == 0
        assert queue.times.latency == 0.5

    def test_a_late_block_is_still_good(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:1]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        assert queue.on_deadline(5.0) == cids[:1]
        assert queue.outstanding == 1
        queue.received(cids[:1], [], [], 6.0)
        assert queue.outstanding == 0

    def test_unasked_blocks_change_nothing(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.received(cids[:2], cids[2:3], cids[3:4], 1.0)
        assert not queue.has_message(1e9)
        assert queue.outstanding == 0
        assert queue.times.latency is None

    def test_latency_is_that_of_the_oldest_want(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:1]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.want_blocks(asks_for(cids[1:2]))
        queue.next_message(1.0)
        queue.message_sent(1.0)
        queue.received(cids[:2], [], [], 2.0)
        assert queue.times.latency == 2.0
        queue.received(cids[:2], [], [], 3.0)
        assert queue.times.latency == 2.0

    def test_outliers_do_not_count(self, queue: MessageQueue, cids: list[CID]) -> None:
        queue.want_blocks(asks_for(cids[:1]))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        queue.received(cids[:1], [], [], OPTIONS.resend_after)
        assert queue.times.latency is None


def test_messages_are_bounded_in_size() -> None:
    """The size is that of the wire: what does not fit comes next, in order."""
    queue = MessageQueue("p", ClientOptions(max_message_bytes=1000))
    cids = cids_of(make_blocks(100))
    queue.want_blocks(asks_for(cids))
    seen: list[CID] = []
    while (message := queue.next_message(0.0)) is not None:
        assert len(message.to_body()) <= 1000
        seen += wants_of(message)
        queue.message_sent(0.0)
    assert seen == cids


def test_every_want_is_in_the_account(queue: MessageQueue, cids: list[CID]) -> None:
    queue.want_blocks(asks_for(cids[:4]))
    queue.next_message(0.0)
    queue.message_sent(0.0)
    queue.want_haves(asks_for(cids[4:5]), dont_have=True)
    queue.received(cids[:1], [], cids[1:2], 0.1)
    assert set(queue.cids()) == set(cids[1:5])
    states = [queue.state(cid) for cid in cids[:6]]
    assert states == [None, "asked before", *["asked for the block"] * 2, "about to be asked", None]
