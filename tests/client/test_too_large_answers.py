"""A peer whose answers are too large to be read: it is told to forget, and asked for less at a time."""

from __future__ import annotations

import pytest

from bitswap.cid import CID
from bitswap.message import MAX_FRAME, FrameReader, FrameTooLarge, WantType
from bitswap.messagequeue import MessageQueue
from bitswap.messagequeue.places import Places
from bitswap.options import KIB, MIB, ClientOptions
from bitswap.testutils import cids_of, make_blocks
from tests.client.messages import asks_for, cancels_of, wants_of

BLOCK, HAVE = int(WantType.BLOCK), int(WantType.HAVE)
OPTIONS = ClientOptions()
CIDS = cids_of(make_blocks(64))
WHOLE = 64 * 256 * KIB
FITS = MAX_FRAME * 7 // 8 // (256 * KIB)


@pytest.fixture
def asked() -> MessageQueue:
    """Asked for 64 blocks of 256 KiB, in a message that was sent."""
    queue = MessageQueue("p", OPTIONS)
    queue.want_blocks(asks_for(CIDS))
    assert len(wants_of(queue.next_message(0.0))) == 64
    queue.message_sent(0.0)
    return queue


def told(queue: MessageQueue, now: float) -> tuple[list[CID], set[CID]]:
    """Wants and cancels of the next message, which is sent."""
    message = queue.next_message(now)
    queue.message_sent(now)
    return list(wants_of(message)), cancels_of(message)


@pytest.mark.parametrize("implementation", ["py", "c"])
def test_the_error_says_how_much_there_was(implementation: str) -> None:
    from bitswap._core import implementations

    if implementation not in implementations():
        pytest.skip("the compiled core was not built")
    reader: FrameReader = implementations()[implementation].FrameReader()
    with pytest.raises(FrameTooLarge, match="exceeds the limit") as caught:
        reader.feed(bytes([0x81, 0x80, 0x80, 0x02]))
    assert (caught.value.length, caught.value.limit) == (MAX_FRAME + 1, MAX_FRAME)


def test_it_is_told_to_forget_before_it_is_asked_again(asked: MessageQueue) -> None:
    asked.answer_too_large(WHOLE)
    assert not asked.blocks_asked
    assert told(asked, 1.0) == ([], set(CIDS))
    wants, cancels = told(asked, 1.0)
    assert (wants, cancels) == (CIDS[:FITS], set())
    assert asked.outstanding == FITS


def test_the_rest_follows_as_answers_come(asked: MessageQueue) -> None:
    asked.answer_too_large(WHOLE)
    came: list[CID] = []
    for turn in range(20):
        message = asked.next_message(float(turn))
        if message is None:
            break
        asked.message_sent(float(turn))
        wants = list(wants_of(message))
        assert len(wants) <= FITS
        if wants:
            asked.received(wants, [], [], float(turn))
            asked.places.filled(len(wants), len(wants) * 256 * KIB)
            came += wants
    assert came == CIDS


def test_what_nobody_wants_any_more_or_what_came_is_not_asked_again(asked: MessageQueue) -> None:
    asked.answer_too_large(WHOLE)
    asked.cancel(CIDS[:10], 1.0)
    asked.received(CIDS[10:20], [], [], 1.0)
    _, cancels = told(asked, 1.0)
    assert cancels >= {*CIDS[:10], *CIDS[20:]}
    wants, _ = told(asked, 1.0)
    assert wants == CIDS[20 : 20 + FITS]


def test_what_is_wanted_meanwhile_waits_for_the_cancel_too(asked: MessageQueue) -> None:
    asked.answer_too_large(WHOLE)
    asked.want_blocks(asks_for(CIDS[:5]))
    asked.want_haves(asks_for(CIDS[5:10]), dont_have=True)
    assert told(asked, 1.0) == ([], set(CIDS))
    assert told(asked, 1.0)[0] == CIDS[:FITS]
    assert all(asked.state(cid) == "about to be asked" for cid in CIDS[FITS:])


def test_a_message_under_way_is_taken_back_as_well(asked: MessageQueue) -> None:
    more = cids_of(make_blocks(10, seed="more"))
    asked.want_blocks(asks_for(more))
    assert list(wants_of(asked.next_message(0.5))) == more
    asked.answer_too_large(WHOLE)
    asked.message_sent(1.0)
    assert told(asked, 1.0) == ([], {*CIDS, *more})
    assert len(told(asked, 1.0)[0]) < FITS + 10


@pytest.mark.parametrize("cancels_fail", [False, True])
def test_nothing_is_lost_where_sending_fails(asked: MessageQueue, cancels_fail: bool) -> None:
    """Of the message under way, or of the one with the cancels."""
    more = cids_of(make_blocks(10, seed="more"))
    if not cancels_fail:
        asked.want_blocks(asks_for(more))
        asked.next_message(0.5)
    asked.answer_too_large(WHOLE)
    if cancels_fail:
        asked.next_message(0.5)
    asked.message_failed(1.0)
    expected = {*CIDS} if cancels_fail else {*CIDS, *more}
    assert expected == set(asked.cids())
    wants, cancels = told(asked, 2.0)
    assert cancels == set(CIDS) - set(wants)
    asked_for = set(wants)
    for turn in range(3, 40):
        asked.received(list(asked.blocks_asked), [], [], float(turn))
        if asked.has_message(float(turn)):
            asked_for |= set(told(asked, float(turn))[0])
    assert asked_for == expected


def test_a_peer_without_have_is_asked_for_blocks_again() -> None:
    queue = MessageQueue("p", OPTIONS)
    queue.want_haves(asks_for(CIDS), dont_have=True)
    told(queue, 0.0)
    queue.answer_too_large(WHOLE)
    queue.set_have_support(False)
    told(queue, 1.0)
    assert set(wants_of(queue.next_message(1.0)).values()) == {(BLOCK, True)}


def test_one_block_alone_is_left_to_its_time() -> None:
    """There is nothing less to ask for."""
    queue = MessageQueue("p", OPTIONS)
    queue.want_blocks(asks_for(CIDS[:1]))
    told(queue, 0.0)
    queue.answer_too_large(2 * MAX_FRAME)
    assert not queue.has_message(1.0)
    assert list(queue.blocks_asked) == CIDS[:1]
    assert queue.on_deadline(OPTIONS.dont_have_timeout) == CIDS[:1]


class TestPlaces:
    def test_everybody_begins_alike(self) -> None:
        places = Places(OPTIONS)
        assert (places.count, places.refill) == (OPTIONS.max_outstanding_wants, OPTIONS.refill_wants)
        places.filled(1, 2 * MIB)
        assert not places.lowered

    def test_as_many_as_fit(self) -> None:
        places = Places(OPTIONS)
        assert places.overfull(64, WHOLE)
        assert (places.count, places.refill) == (FITS, FITS // 2)

    def test_each_time_fewer_and_one_at_last(self) -> None:
        """Also where what there was gives no reason, as when others were still to come."""
        places = Places(OPTIONS)
        counts = []
        while places.overfull(places.count, MAX_FRAME + 1):
            counts.append(places.count)
        assert counts == sorted(counts, reverse=True)
        assert len(set(counts)) == len(counts)
        assert (places.count, places.refill) == (1, 1)

    def test_more_again_where_blocks_are_small(self) -> None:
        places = Places(OPTIONS)
        places.overfull(64, WHOLE)
        for _ in range(100):
            places.filled(10, 10 * KIB)
        assert (places.count, places.refill) == (OPTIONS.max_outstanding_wants, OPTIONS.refill_wants)
        assert not places.lowered

    def test_a_length_that_is_a_lie_costs_the_liar_alone(self) -> None:
        places = Places(OPTIONS)
        places.overfull(64, 2**62)
        assert places.count == 1
        places.filled(1, 0)
        assert places.count >= 1
