"""The queue of a single peer: order, sizes, what is under way, and what takes whose place."""

from __future__ import annotations

import pytest

from tests.scenarios.queues import Desk, answer

PLENTY = 100
"""Bytes under way that are enough for all."""


@pytest.fixture
def desk(implementation: str) -> Desk:
    """What comes second beside an equal one changes nothing."""
    return Desk(implementation, max_active=PLENTY, merging="first")


@pytest.fixture
def permissive(implementation: str) -> Desk:
    """What comes second takes the place of the first, and is queued beside one under way."""
    return Desk(implementation, max_active=PLENTY, merging="replace")


def test_nothing_comes_out_of_nothing(desk: Desk) -> None:
    assert desk.pop(100) is None


def test_a_full_queue_takes_no_more(desk: Desk) -> None:
    assert desk.push("A", answer("a"), limit=1) == 0
    assert desk.push("A", answer("b"), limit=1) == 1
    assert desk.pop(100) == ("A", "a", 0)
    assert desk.pop(100) is None


@pytest.mark.parametrize("target", [0, -1])
def test_a_target_of_nothing_takes_nothing(desk: Desk, target: int) -> None:
    desk.push("A", answer("a"))
    assert desk.pop(target) is None
    assert desk.topics("A") == ("a", "")


def test_answers_leave_by_priority_up_to_the_target(desk: Desk) -> None:
    desk.push("A", answer("1", 10, 10), answer("2", 20, 10), answer("3", 15, 10))
    assert desk.pop(10) == ("A", "2", 20)
    assert desk.topics("A") == ("31", "2")
    assert desk.pop(100) == ("A", "31", 0)
    assert desk.topics("A") == ("", "123")
    assert desk.pop(100) is None


def test_the_first_answer_always_fits(desk: Desk) -> None:
    desk.push("A", answer("1", 20, 10), answer("2", 10, 5))
    assert desk.pop(7) == ("A", "1", 5)
    assert desk.pop(100) == ("A", "2", 0)


def test_the_target_is_passed_by_one_at_most(desk: Desk) -> None:
    desk.push("A", *[answer(name, size=5) for name in "abc"])
    assert desk.pop(7) == ("A", "ab", 5)
    assert desk.pop(7) == ("A", "c", 0)


def test_a_removed_answer_is_not_taken(desk: Desk) -> None:
    desk.push("A", answer("1", 10), answer("2", 20), answer("3", 15))
    assert desk.remove("A", "2") == 1
    assert desk.pop(100) == ("A", "31", 0)


def test_what_was_pushed_twice_is_removed_at_once(desk: Desk) -> None:
    desk.push("A", answer("1", 20))
    desk.push("A", answer("1", 20), answer("2", 10))
    assert desk.remove("A", "1") == 1
    assert desk.pop(100) == ("A", "2", 0)
    assert desk.pop(100) is None


def test_once_it_is_done_an_answer_can_come_again(desk: Desk) -> None:
    for _ in range(2):
        desk.push("A", answer("a"))
        assert desk.topics("A") == ("a", "")
        assert desk.pop(100) == ("A", "a", 0)
        assert desk.topics("A") == ("", "a")
        desk.end_all()
        assert desk.topics("A") == ("", "")


def test_a_newer_answer_takes_the_place_of_a_queued_one(permissive: Desk) -> None:
    permissive.push("A", answer("a", 10, 10))
    permissive.push("A", answer("a", 20, 7))
    batch = permissive.queue.pop(100, permissive.now)
    assert batch is not None
    assert [(info.priority, info.size) for info in batch.tasks] == [(20, 7)]
    assert permissive.pop(100) is None


def test_its_size_is_that_of_the_newer_one(permissive: Desk) -> None:
    permissive.push("A", answer("a", 10, 10))
    permissive.push("A", answer("a", 10, 20))
    permissive.push("A", answer("c", 2, 5))
    assert permissive.pop(15) == ("A", "a", 5)
    assert permissive.pop(30) == ("A", "c", 0)


def test_a_newer_answer_follows_one_under_way(permissive: Desk) -> None:
    desk = permissive
    desk.push("A", answer("a", 10))
    assert desk.pop(100) == ("A", "a", 0)
    desk.push("A", answer("a", 20))
    assert desk.pop(100) == ("A", "a", 0)
    first, second = desk.out
    desk.end(first)
    assert desk.queue.stat == (1, 0, 1)
    desk.end(second)
    assert desk.queue.stat == (0, 0, 0)


def test_without_news_it_does_not(desk: Desk) -> None:
    desk.push("A", answer("a", 10))
    assert desk.pop(100) == ("A", "a", 0)
    desk.push("A", answer("a", 20))
    assert desk.pop(100) is None


def test_the_newest_of_those_beside_one_under_way_stays(permissive: Desk) -> None:
    desk = permissive
    desk.push("A", answer("a", 10, 1))
    assert desk.pop(100) == ("A", "a", 0)
    desk.push("A", answer("a", 20, 2))
    desk.push("A", answer("a", 30, 3))
    batch = desk.queue.pop(100, desk.now)
    assert batch is not None
    assert [(info.priority, info.size) for info in batch.tasks] == [(30, 3)]
    assert desk.pop(100) is None


def test_a_removal_leaves_what_is_under_way(permissive: Desk) -> None:
    desk = permissive
    desk.push("A", answer("1", 10))
    assert desk.pop(100) == ("A", "1", 0)
    desk.push("A", answer("1", 20), answer("2", 5))
    assert desk.remove("A", "1") == 1
    assert desk.topics("A") == ("2", "1")
    assert desk.pop(100) == ("A", "2", 0)
    assert desk.pop(100) is None


def test_equals_leave_in_the_order_in_which_they_came(implementation: str) -> None:
    desk = Desk(implementation, max_active=1, merging="first")
    for name in "cab":
        desk.push("A", answer(name, 10))
        desk.clock.advance(0.01)
    for place, name in enumerate("cab"):
        assert desk.pop() == ("A", name, 2 - place)
        assert desk.pop() is None  # as much is under way as may be
        desk.end_all()
        desk.clock.advance(0.01)


def test_bytes_under_way_are_passed_by_one_answer_at_most(implementation: str) -> None:
    desk = Desk(implementation, max_active=8, merging="first")
    desk.push("A", *[answer(name, size=5) for name in "abc"])
    assert desk.pop(1000) == ("A", "ab", 5)
    assert desk.pop(1000) is None
    desk.end_all()
    assert desk.pop(1000) == ("A", "c", 0)
