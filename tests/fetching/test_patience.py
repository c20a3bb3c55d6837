"""How long a peer may be silent: boxo's table of simulated DONT_HAVEs, with one timer for the whole peer.

boxo gives each want its own time and pings to learn the latency; here a peer is silent only when all of it
is, each answer begins the time anew, and the latency is that of its answers.
"""

from __future__ import annotations

import pytest

from bitswap.cid import CID
from bitswap.messagequeue import MessageQueue
from bitswap.options import ClientOptions
from bitswap.testutils import cids_of, make_blocks
from tests.client.harness import Harness
from tests.client.messages import asks_for

pytestmark = pytest.mark.usefixtures("implementation")


def new_queue(*, at_first: float = 0.045, least: float = 0.01, most: float = 7.0) -> MessageQueue:
    """With a patience of `at_first` seconds before a latency is known."""
    options = ClientOptions(
        dont_have_timeout=at_first,
        min_dont_have_timeout=least,
        max_dont_have_timeout=most,
    )
    return MessageQueue("p", options)


def ask(queue: MessageQueue, cids: list[CID], now: float) -> None:
    queue.want_blocks(asks_for(cids))
    if queue.next_message(now) is not None:
        queue.message_sent(now)


def answered_in(queue: MessageQueue, seconds: float, now: float) -> None:
    """Have it answer something of another time, which took so long."""
    (cid,) = cids_of(make_blocks(1, seed=f"{now}"))
    ask(queue, [cid], now - seconds)
    queue.received([cid], [], [], now)


def test_each_want_is_given_up_after_its_time(cids: list[CID]) -> None:
    queue = new_queue()
    ask(queue, cids[:2], 0.0)
    ask(queue, cids[:5], 0.035)
    assert queue.on_deadline(0.04) == []
    assert queue.on_deadline(0.045) == cids[:2]
    assert queue.on_deadline(0.07) == []
    assert queue.on_deadline(0.08) == cids[2:5]
    assert queue.on_deadline(10.0) == []


def test_what_is_cancelled_is_not_given_up(cids: list[CID]) -> None:
    queue = new_queue()
    ask(queue, cids[:3], 0.0)
    queue.cancel(cids[:1], 0.005)
    assert queue.on_deadline(0.045) == cids[1:3]


def test_what_is_wanted_again_has_its_whole_time(cids: list[CID]) -> None:
    queue = new_queue()
    ask(queue, cids[:3], 0.0)
    queue.cancel(cids[:2], 0.01)
    ask(queue, cids[:1], 0.015)
    assert queue.on_deadline(0.045) == cids[2:3]
    assert queue.on_deadline(0.055) == []
    assert queue.on_deadline(0.06) == cids[:1]


def test_many_small_requests_are_all_given_up(cids: list[CID]) -> None:
    queue = new_queue(at_first=0.01)
    for place, cid in enumerate(cids):
        ask(queue, [cid], place / 1000)
    given_up: list[CID] = []
    now = 0.0
    while (due := queue.next_deadline()) is not None and due < 1.0:
        assert due > now
        now = due
        given_up += queue.on_deadline(now)
    assert given_up == cids
    assert now == pytest.approx(0.019)


def test_the_time_follows_the_answers(cids: list[CID]) -> None:
    """Twice their average, in which a new one counts half."""
    queue = new_queue()
    answered_in(queue, 0.02, 0.02)
    assert queue.times.timeout == pytest.approx(0.04)
    answered_in(queue, 0.01, 0.03)
    assert queue.times.timeout == pytest.approx(0.03)
    ask(queue, cids[:2], 0.04)
    assert queue.on_deadline(0.065) == []
    assert queue.on_deadline(0.07) == cids[:2]


def test_a_time_that_gets_shorter_holds_for_what_was_asked_before(cids: list[CID]) -> None:
    queue = new_queue(at_first=1.0)
    ask(queue, cids[:2], 0.0)
    ask(queue, cids[2:3], 0.98)
    queue.received(cids[2:3], [], [], 0.99)
    due = queue.next_deadline()
    assert due == pytest.approx(1.01)
    assert due is not None
    assert queue.on_deadline(due) == cids[:2]


def test_the_time_has_a_least_and_a_most(cids: list[CID]) -> None:
    queue = new_queue(at_first=0.01, most=0.01)
    answered_in(queue, 0.04, 0.04)
    ask(queue, cids[:2], 0.05)
    assert queue.on_deadline(0.0605) == cids[:2]
    queue = new_queue(at_first=0.1, least=0.05)
    answered_in(queue, 0.001, 0.04)
    ask(queue, cids[:2], 0.05)
    assert queue.on_deadline(0.09) == []
    assert queue.on_deadline(0.1) == cids[:2]


def test_a_peer_that_answers_something_has_not_forgotten_the_rest(cids: list[CID]) -> None:
    """Where boxo would give up the others one by one."""
    queue = new_queue(at_first=0.1, least=0.1)
    ask(queue, cids, 0.0)
    now = 0.0
    for place in range(9):
        now += 0.09
        assert queue.on_deadline(now) == []
        queue.received(cids[place : place + 1], [], [], now)
    assert queue.on_deadline(now + queue.times.timeout) == cids[9:]


def test_a_denial_ends_the_time_of_its_want(cids: list[CID]) -> None:
    """In boxo a simulated one follows, and counts again."""
    queue = new_queue()
    ask(queue, cids[:2], 0.0)
    queue.received([], [], cids[:1], 0.001)
    assert queue.on_deadline(10.0) == cids[1:2]


def test_after_a_cancel_an_old_peer_is_watched_for_the_rest() -> None:
    """One that knows no DONT_HAVE says nothing of what it lacks."""
    options = ClientOptions()
    queue = MessageQueue("p", options, supports_have=False)
    cids = cids_of(make_blocks(10))
    ask(queue, cids, 0.0)
    queue.cancel(cids[:2], 1.0)
    assert queue.on_deadline(options.dont_have_timeout) == cids[2:]


def test_nobody_is_given_up_who_has_left() -> None:
    run = Harness("a")
    cids = cids_of(make_blocks(3))
    sub = run.want(cids, peers=["a"])
    run.sent()
    run.wait(4.9)
    run.disconnect("a")
    run.wait(100.0)
    assert run.machine.reasons(cids[0]) == {"a": "connection lost: reset"}
    assert sub.outstanding == 3


def test_silence_counts_once_for_each_want_and_the_want_goes_on() -> None:
    run = Harness("a", "b")
    cids = cids_of(make_blocks(2))
    run.want(cids[:1])
    assert run.sent()["a"].blocks == cids[:1]
    run.wait(run.options.dont_have_timeout)
    assert run.sent()["b"].blocks == cids[:1]
    # It may still answer.
    run.answer("a", haves=cids[:1])
    run.answer("b", dont_haves=cids[:1])
    run.wait(0.1)
    assert run.sent()["a"].blocks == cids[:1]
