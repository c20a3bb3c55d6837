"""Whose turn it is, in a queue of answers for many peers and in an engine."""

from __future__ import annotations

import string

import pytest

from bitswap.decision.interface import Task
from bitswap.options import ServerOptions
from tests.decision.support import Node
from tests.scenarios.queues import Desk, answer, make

LETTERS_50 = string.ascii_letters[:50]


@pytest.fixture
def desk(implementation: str) -> Desk:
    return Desk(implementation)


def some(count: int) -> list[Task]:
    return [answer(f"number {number}") for number in range(count)]


def just_served(desk: Desk, peer: str, queued: int) -> None:
    """`peer` comes new, is served now and has `queued` answers left; it has no message under way."""
    desk.push(peer, answer("0", priority=99), *some(queued))
    assert desk.serve() == (peer, "0", queued)


def next_peer(desk: Desk) -> str | None:
    batch = desk.queue.pop(1, desk.now)
    return batch.peer if batch is not None else None


@pytest.mark.usefixtures("implementation")
def test_a_newcomer_with_one_want_does_not_wait_behind_ten_busy_peers() -> None:
    """boxo promises it within twelve envelopes; here it is the next."""
    options = ServerOptions(target_message_size=1, adaptive=False)
    node = Node(options, stored=LETTERS_50)
    for number in range(10):
        node.want(f"busy {number}", LETTERS_50)
    for _ in range(25):
        assert node.next() is not None
    node.want("newcomer", "a")
    served = node.next()
    assert served is not None
    assert (served.peer, served.blocks) == ("newcomer", "a")


def test_who_has_had_all_it_wanted_comes_back_as_a_newcomer(desk: Desk) -> None:
    just_served(desk, "light", 0)
    just_served(desk, "busy", 20)
    desk.push("light", answer("a"))
    assert next_peer(desk) == "light"


def test_who_was_forgotten_comes_back_as_a_newcomer(desk: Desk) -> None:
    just_served(desk, "light", 1)
    just_served(desk, "busy", 20)
    desk.queue.clear("light")
    desk.push("light", answer("a"))
    assert next_peer(desk) == "light"


def test_who_has_nothing_queued_has_no_turn(desk: Desk) -> None:
    desk.push("empty", answer("a"))
    assert desk.pop() == ("empty", "a", 0)
    desk.push("full", *some(5))
    assert desk.peers(6) == ["full"] * 5
    assert desk.queue.stat == (2, 0, 6)


@pytest.mark.parametrize(("fresh", "steady"), [("A", "B"), ("B", "A")])
def test_who_was_never_served_is_before_who_was_just_served(desk: Desk, fresh: str, steady: str) -> None:
    just_served(desk, steady, 100)
    desk.push(fresh, answer("a"))
    assert next_peer(desk) == fresh


@pytest.mark.parametrize(("late", "steady"), [("A", "B"), ("B", "A")])
def test_who_was_served_long_ago_is_before_who_was_just_served(desk: Desk, late: str, steady: str) -> None:
    just_served(desk, late, 1)
    desk.clock.advance(11.0)
    just_served(desk, steady, 100)
    assert next_peer(desk) == late


def test_ten_seconds_are_not_yet_long_ago(desk: Desk) -> None:
    just_served(desk, "late", 1)
    just_served(desk, "steady", 100)
    desk.clock.advance(10.0)
    assert next_peer(desk) == "steady"


def test_time_alone_makes_a_turn(desk: Desk) -> None:
    """boxo notices it when something is pushed or popped for the peer; here nothing else has to happen."""
    just_served(desk, "late", 1)
    just_served(desk, "steady", 100)
    desk.clock.advance(9.0)
    assert desk.serve() == ("steady", "?", 99)
    desk.clock.advance(1.5)
    assert desk.serve() == ("late", "?", 0)


@pytest.mark.parametrize(("busy", "idle"), [("A", "B"), ("B", "A")])
def test_who_has_less_under_way_is_before_who_has_more_queued(desk: Desk, busy: str, idle: str) -> None:
    desk.push(busy, *some(20))
    assert desk.peers(1) == [busy]
    just_served(desk, idle, 2)
    assert desk.peers(3) == [idle, busy, idle]


@pytest.mark.parametrize(("more", "fewer"), [("A", "B"), ("B", "A")])
@pytest.mark.parametrize("first", ["more", "fewer"])
def test_who_has_more_queued_is_before_who_has_less(desk: Desk, more: str, fewer: str, first: str) -> None:
    queued = {more: 17, fewer: 3}
    for peer in (more, fewer) if first == "more" else (fewer, more):
        just_served(desk, peer, queued[peer])
    assert next_peer(desk) == more


@pytest.mark.parametrize(("first", "second"), [("A", "B"), ("B", "A")])
@pytest.mark.parametrize(("queued_first", "queued_second"), [(17, 1000), (1000, 17)])
def test_above_sixteen_who_waits_longer_is_first(
    desk: Desk, first: str, second: str, queued_first: int, queued_second: int
) -> None:
    """boxo goes by the hash here, so that one of two busy peers would win for ten seconds on end."""
    just_served(desk, first, queued_first)
    just_served(desk, second, queued_second)
    assert desk.peers(2) == [first, second]


def winner(implementation: str, salt: int, *peers: tuple[str, int]) -> str:
    """Who is first of new peers with so many answers queued."""
    queue = make(implementation, salt=salt)
    for peer, count in peers:
        queue.push(peer, some(count), 0.0)
    batch = queue.pop(1, 0.0)
    assert batch is not None
    return batch.peer


def test_between_newcomers_the_hash_decides_and_always_in_the_same_way(implementation: str) -> None:
    winners = {
        winner(implementation, 5, *order)
        for _ in range(100)
        for order in ([("A", 17), ("B", 100)], [("B", 17), ("A", 100)])
    }
    assert len(winners) == 1


def test_nobody_can_choose_a_name_that_wins(implementation: str) -> None:
    """The salt, which others do not know, decides for each pair anew."""
    disagreements = 0
    for number in range(256):
        pair = ((f"a{number}", 20), (f"b{number}", 20))
        disagreements += winner(implementation, 1, *pair) != winner(implementation, 2, *pair)
    assert 64 <= disagreements <= 192
