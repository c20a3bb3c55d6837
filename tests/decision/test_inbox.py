"""What waits to be handled: order, bounds, pauses."""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.decision.inbox import Inboxes, Work
from bitswap.decision.ratelimit import RateLimit
from bitswap.message import Message, WantType


def take(boxes: Inboxes) -> Work:
    work = boxes.take()
    assert work is not None
    return work


def test_messages_of_one_peer_are_taken_one_after_the_other() -> None:
    boxes = Inboxes(8, 1000)
    first, second = Message(), Message()
    boxes.message("A", first, 10)
    boxes.message("A", second, 10)
    assert take(boxes).message is first
    # Not before the first is handled, even if somebody else asks for work.
    assert boxes.take() is None
    boxes.message("A", Message(), 10)
    assert not boxes
    boxes.finished("A")
    assert take(boxes).message is second


def test_peers_take_turns() -> None:
    boxes = Inboxes(8, 1000)
    for peer in "AAAB":
        boxes.message(peer, Message(), 1)
    order = []
    while boxes:
        work = take(boxes)
        order.append(work.peer)
        boxes.finished(work.peer)
    assert order == ["A", "B", "A", "A"]


def test_a_disconnection_drops_what_waits_and_is_handled_before_what_follows() -> None:
    boxes = Inboxes(8, 1000)
    boxes.connected("A")
    boxes.message("A", Message(), 10)
    boxes.credit("A", 1, 5)
    boxes.disconnected("A")
    boxes.connected("A")
    last = Message()
    boxes.message("A", last, 10)
    assert take(boxes) == Work("A", True, True, 0, 0, last)
    assert boxes.waiting_bytes == 0
    boxes.finished("A")
    assert not boxes


def test_a_disconnection_in_the_middle_of_a_message_is_handled_after_it() -> None:
    boxes = Inboxes(8, 1000)
    boxes.message("A", Message(), 10)
    take(boxes)
    boxes.disconnected("A")
    assert boxes.take() is None
    boxes.finished("A")
    assert take(boxes) == Work("A", True, False, 0, 0, None)
    boxes.finished("A")
    assert boxes._boxes == {}


def test_flapping_does_not_pile_up() -> None:
    boxes = Inboxes(8, 1000)
    for _ in range(1000):
        boxes.connected("A")
        boxes.message("A", Message(), 10)
        boxes.disconnected("A")
    assert take(boxes) == Work("A", True, False, 0, 0, None)
    boxes.finished("A")
    assert not boxes
    assert boxes._boxes == {}


def test_credit_is_summed_up_and_only_for_those_who_are_here() -> None:
    boxes = Inboxes(8, 1000)
    assert not boxes.credit("A", 1, 5)
    boxes.connected("A")
    for _ in range(3):
        assert boxes.credit("A", 2, 5)
    assert take(boxes) == Work("A", False, True, 6, 15, None)
    boxes.disconnected("A")
    assert not boxes.credit("A", 1, 5)


def test_a_peer_with_too_many_messages_is_paused_until_half_are_handled() -> None:
    boxes = Inboxes(4, 1000)
    assert [boxes.message("A", Message(), 1) for _ in range(5)] == [False, False, False, True, True]
    assert not boxes.message("B", Message(), 1)
    assert boxes.is_paused("A")
    resumed = []
    while boxes:
        work = take(boxes)
        resumed.append((work.peer, boxes.finished(work.peer)))
    assert resumed == [("A", []), ("B", []), ("A", []), ("A", ["A"]), ("A", []), ("A", [])]
    assert not boxes.is_paused("A")


def test_who_sends_while_too_much_waits_is_paused_until_half_is_handled() -> None:
    boxes = Inboxes(100, 100)
    assert not boxes.message("A", Message(), 60)
    assert boxes.message("B", Message(), 60)
    assert boxes.message("C", Message(), 1)
    resumed = []
    while boxes:
        work = take(boxes)
        resumed.append((work.peer, sorted(boxes.finished(work.peer))))
    assert resumed == [("A", []), ("B", ["B", "C"]), ("C", [])]
    assert boxes.waiting_bytes == 0


def test_who_is_paused_is_told_when_all_is_forgotten() -> None:
    boxes = Inboxes(1, 1000)
    boxes.message("A", Message(), 1)
    boxes.connected("B")
    assert boxes.clear() == ["A"]
    assert boxes.clear() == []
    assert not boxes
    assert boxes.waiting_bytes == 0


def test_a_paused_peer_that_leaves_is_not_resumed() -> None:
    boxes = Inboxes(1, 1000)
    assert boxes.message("A", Message(), 1)
    boxes.disconnected("A")
    assert not boxes.is_paused("A")
    take(boxes)
    assert boxes.finished("A") == []


def test_a_peer_of_whom_nothing_waits_can_be_handled_at_once() -> None:
    boxes = Inboxes(8, 1000)
    assert not boxes.begin("A")
    boxes.connected("A")
    assert not boxes.begin("A")
    take(boxes)
    assert not boxes.begin("A")
    boxes.finished("A")
    assert boxes.begin("A")
    # What comes meanwhile waits until that is done.
    assert not boxes.begin("A")
    boxes.message("A", Message(), 1)
    assert not boxes
    boxes.finished("A")
    assert take(boxes).message is not None
    boxes.disconnected("A")
    boxes.finished("A")
    assert not boxes.begin("A")


def limited(peer: float | None = None, total: float | None = None) -> Inboxes:
    return Inboxes(4, 1 << 20, RateLimit(peer, total, 1.0, 1.0))


def of_wants(count: int) -> Message:
    message = Message()
    for number in range(count):
        message.add_entry(Block.of(b"%d" % number).cid, 1, WantType.BLOCK, True)
    return message


def handled(inboxes: Inboxes, now: float) -> list[str]:
    """Whose messages can be handled at that time."""
    peers = []
    while (work := inboxes.take(now)) is not None:
        if work.message is not None:
            peers.append(work.peer)
        inboxes.finished(work.peer)
    return peers


def test_messages_beyond_a_rate_wait_and_none_is_lost() -> None:
    inboxes = limited(peer=10.0)
    for _ in range(3):
        inboxes.message("A", of_wants(30), 1)
    inboxes.message("B", of_wants(1), 1)
    # A bucket of ten, and thirty taken from it: two seconds are owed.
    assert handled(inboxes, 0.0) == ["A", "B"]
    assert not inboxes
    assert inboxes.next_deadline() == pytest.approx(2.0, abs=1e-3)
    assert handled(inboxes, 1.9) == []
    assert handled(inboxes, 2.1) == ["A"]
    assert handled(inboxes, 10.0) == ["A"]
    assert (inboxes.waiting, inboxes.next_deadline(), inboxes.delayed) == (0, None, 2)


def test_under_one_rate_for_all_peers_take_turns() -> None:
    inboxes = limited(total=10.0)
    for _ in range(3):
        for peer in "ABC":
            inboxes.message(peer, of_wants(20), 1)
    order = [peer for now in range(0, 40, 2) for peer in handled(inboxes, now + 0.01)]
    assert sorted(order) == sorted("ABC" * 3)
    assert all(sorted(order[at : at + 3]) == list("ABC") for at in range(0, 9, 3))


def test_what_is_no_message_does_not_wait_for_a_rate() -> None:
    inboxes = limited(peer=1.0)
    inboxes.connected("A")
    inboxes.message("A", of_wants(100), 1)
    assert handled(inboxes, 0.0) == ["A"]
    inboxes.message("A", of_wants(1), 1)
    assert handled(inboxes, 1.0) == []
    inboxes.credit("A", 1, 10)
    work = inboxes.take(2.0)
    assert work is not None
    assert (work.blocks, work.message) == (1, None)
    inboxes.finished("A")
    inboxes.disconnected("A")
    work = inboxes.take(3.0)
    assert work is not None
    assert (work.left, work.message) == (True, None)
    inboxes.finished("A")
    assert inboxes.waiting == 0
    # It comes back, and still owes; then it is heard.
    inboxes.message("A", of_wants(1), 1)
    assert handled(inboxes, 4.0) == []
    assert handled(inboxes, 100.0) == ["A"]


def test_a_message_of_cancels_counts_as_one() -> None:
    inboxes = limited(peer=1.0)
    message = Message()
    for number in range(100):
        message.cancel(Block.of(b"%d" % number).cid)
    for _ in range(2):
        inboxes.message("A", message, 1)
    assert handled(inboxes, 0.0) == ["A"]
    assert handled(inboxes, 1.1) == ["A"]
