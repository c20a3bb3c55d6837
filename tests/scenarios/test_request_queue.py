"""The queue of answers for many peers: turns, freezing, hooks, what is left of a peer."""

from __future__ import annotations

import random
import string

import pytest

from tests.scenarios.queues import Desk, answer

LETTERS = string.ascii_lowercase
VOWELS = "aeiou"
PEERS = "abcd"


def test_what_is_left_of_an_alphabet_comes_out_in_order(implementation: str) -> None:
    desk = Desk(implementation, freezing=True)
    letters = list(LETTERS)
    random.Random(1).shuffle(letters)
    for name in letters:
        for peer in ("one", "two"):
            desk.push(peer, answer(name, priority=ord("z") - ord(name)))
    desk.queue.clear("two")
    for name in LETTERS:
        if name not in VOWELS:
            assert desk.remove("one", name) == 1
    assert desk.pop(100) is None  # frozen
    desk.queue.thaw(desk.now)
    popped = []
    while (turn := desk.pop(100)) is not None:
        popped.append(turn)
    assert popped == [("one", VOWELS, 0)]


def four_peers(implementation: str, *, freezing: bool) -> Desk:
    """Four peers with five answers each, of which one has been taken."""
    desk = Desk(implementation, freezing=freezing)
    for peer in PEERS:
        desk.push(peer, *[answer(name) for name in "12345"])
    assert sorted(desk.peers(4)) == list(PEERS)
    return desk


def test_a_peer_that_something_is_removed_from_is_frozen_until_it_thaws(implementation: str) -> None:
    desk = four_peers(implementation, freezing=True)
    assert desk.remove("b", "2") == 1
    assert sorted(desk.peers(3)) == ["a", "c", "d"]
    desk.queue.thaw_round(desk.now)
    assert desk.peers(1) == ["b"]
    assert desk.remove("a", "x") == 0
    assert sorted(desk.peers(4)) == list(PEERS)


def test_each_removal_freezes_more_and_a_round_halves_it(implementation: str) -> None:
    desk = Desk(implementation, freezing=True)
    desk.push("a", *[answer(name) for name in "123456"])
    assert desk.remove("a", "1", "2", "3", "4", "x") == 4
    for _ in range(3):  # 4, 2, 1
        assert desk.pop() is None
        desk.queue.thaw_round(desk.now)
    assert desk.pop() == ("a", "5", 1)


def test_without_freezing_a_removal_holds_nobody_up(implementation: str) -> None:
    desk = four_peers(implementation, freezing=False)
    assert desk.remove("b", "2") == 1
    assert sorted(desk.peers(4)) == list(PEERS)


def test_a_peer_leaves_once_it_has_nothing_frozen_or_not(implementation: str) -> None:
    desk = Desk(implementation, freezing=True)
    desk.push("a", answer("1"))
    desk.remove("a", "1")
    assert desk.queue.stat == (0, 0, 0)
    desk.push("a", answer("1"))
    assert desk.pop() == ("a", "1", 0)


def test_peers_take_turns_and_answers_leave_by_priority(implementation: str) -> None:
    """Each peer first gets what is most urgent to it; then go fewer answers under way, and more queued.

    Where two are alike go-peertaskqueue goes by bytes under way, so that "c" (2 bytes) would be before "a" (3
    bytes); here, as in boxo's engine, numbers count and not bytes, and who waits longer goes first.
    """
    desk = Desk(implementation)
    desk.push("a", answer("1", 2, 3), answer("2", 1, 1))
    desk.push("b", answer("3", 3, 1), answer("4", 2, 3), answer("5", 1, 1))
    desk.push("c", answer("6", 2, 2), answer("7", 1, 2))
    first = [desk.pop() for _ in range(3)]
    assert sorted(turn for turn in first if turn is not None) == [("a", "1", 1), ("b", "3", 4), ("c", "6", 2)]
    assert desk.pop() == ("b", "4", 1)
    rest = {"a": ("a", "2", 0), "c": ("c", "7", 0)}
    for turn in first:
        assert turn is not None
        if turn[0] in rest:
            assert desk.pop() == rest[turn[0]]
    assert desk.pop() == ("b", "5", 0)
    assert desk.pop() is None


def test_hooks_tell_of_peers_that_come_and_go(implementation: str) -> None:
    added: list[str] = []
    removed: list[str] = []
    desk = Desk(implementation, peer_added=added.append, peer_removed=removed.append)
    for peer in "ab":
        desk.push(peer, answer("1"))
        desk.push(peer, answer("2"))
    assert added == ["a", "b"]
    while desk.pop(100) is not None:
        assert removed == []
    desk.end_all()
    assert sorted(removed) == ["a", "b"]
    assert added == ["a", "b"]
    desk.push("a", answer("1"))
    desk.queue.clear("a")
    assert added == ["a", "b", "a"]
    assert len(removed) == 2


@pytest.mark.parametrize("way", ["sent", "removed"])
def test_nothing_is_left_of_a_peer_that_has_nothing(implementation: str, way: str) -> None:
    """boxo keeps it until a pop finds it; here it goes with its last answer."""
    desk = Desk(implementation)
    desk.push("a", *[answer(name, size=0) for name in "12345"])
    assert desk.queue.stat == (1, 5, 0)
    if way == "sent":
        while desk.pop(100) is not None:
            pass
        assert desk.queue.stat == (1, 0, 5)
        desk.end_all()
    else:
        assert desk.remove("a", *"12345") == 5
    assert desk.queue.stat == (0, 0, 0)
    assert desk.pop() is None
    assert desk.topics("a") == ("", "")
