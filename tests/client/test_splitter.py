"""Dealing wants out among the peers of a session."""

from __future__ import annotations

import random

import pytest

from bitswap.options import ClientOptions
from bitswap.sessionpeermanager import SessionPeer, SessionPeerManager
from bitswap.sessionrequestsplitter import split, usual_speed

OPTIONS = ClientOptions()


def members(count: int) -> tuple[SessionPeerManager, list[SessionPeer]]:
    manager = SessionPeerManager(OPTIONS, None)
    return manager, [manager.add(f"p{index}") for index in range(count)]


def with_speed(peer: SessionPeer, speed: float) -> None:
    """Have it deliver for a second."""
    peer.asked(int(speed), 0.0)
    peer.delivered(int(speed), 100, 1.0)
    peer.outstanding = 0


def dealt(count: int, manager: SessionPeerManager) -> dict[str, list[int]]:
    return {peer.peer: numbers for peer, numbers in split(count, manager.share())}


def test_nothing_or_nobody() -> None:
    manager, _ = members(0)
    assert dealt(5, manager) == {}
    manager, _ = members(2)
    assert dealt(0, manager) == {}


def test_one_peer_gets_everything_up_to_its_limit() -> None:
    manager, _ = members(1)
    assert dealt(3, manager) == {"p0": [0, 1, 2]}
    assert len(dealt(5000, manager)["p0"]) == OPTIONS.max_outstanding_wants


def test_unknown_speeds_share_evenly_in_a_first_window() -> None:
    manager, _ = members(3)
    assert dealt(7, manager) == {"p0": [0, 3, 6], "p1": [1, 4], "p2": [2, 5]}
    # Two of them would get `initial_window` each, more share twice as many.
    assert {len(numbers) for numbers in dealt(5000, manager).values()} == {2 * OPTIONS.initial_window // 3}
    manager, _ = members(2)
    assert {len(numbers) for numbers in dealt(5000, manager).values()} == {OPTIONS.initial_window}


def test_who_has_much_to_do_gets_less() -> None:
    manager, (first, _) = members(2)
    first.outstanding = 10
    assert {peer: len(numbers) for peer, numbers in dealt(12, manager).items()} == {"p0": 1, "p1": 11}


def test_speed_decides() -> None:
    manager, (fast, slow) = members(2)
    with_speed(fast, 900)
    with_speed(slow, 90)
    shares = {peer: len(numbers) for peer, numbers in dealt(110, manager).items()}
    assert shares == {"p0": 100, "p1": 10}
    # With any number of wants a peer gets what it delivers in half a second and four times its way, a second.
    assert [fast.latency, slow.latency] == [1.0, 1.0]
    shares = {peer: len(numbers) for peer, numbers in dealt(5000, manager).items()}
    assert shares == {"p0": 1000, "p1": 405}


def test_the_window_follows_speed_and_way() -> None:
    manager, (near, _) = members(2)
    near.asked(10, 0.0)
    near.delivered(10, 100, 0.02)
    manager.share()
    assert near.limit == 290
    near.asked(100, 0.02)
    near.delivered(100, 100, 0.03)
    manager.share()
    assert near.limit == OPTIONS.max_outstanding_wants


def test_who_answers_first_does_not_get_everything() -> None:
    manager, (first,) = members(1)
    manager.share(complete=False)
    assert first.limit == OPTIONS.initial_window
    manager.share(complete=True)
    assert first.limit == OPTIONS.max_outstanding_wants


def test_where_others_are_expected_the_first_windows_are_small() -> None:
    manager, (first,) = members(1)
    manager.share(complete=False, expected=15)
    assert first.limit == OPTIONS.initial_window // 8
    manager.share(complete=False, expected=1000)
    assert first.limit == OPTIONS.min_window


def test_who_lacks_half_of_what_it_is_asked_for_gets_less() -> None:
    manager, (whole, half) = members(2)
    manager.learned(whole, 60, 0)
    manager.learned(half, 30, 30)
    shares = {peer: len(numbers) for peer, numbers in dealt(90, manager).items()}
    assert shares["p0"] == pytest.approx(60, abs=2)
    assert whole.hits.share > 0.99
    assert half.hits.share == pytest.approx(0.5, abs=0.05)


def test_one_that_lacks_much_may_be_asked_for_more() -> None:
    """A limit counts blocks that come; what is lacking is said at once."""
    manager, (peer, _) = members(2)
    with_speed(peer, 10)
    manager.share()
    before = peer.limit
    manager.learned(peer, 6, 54)
    manager.share()
    assert peer.limit > 5 * before


def test_a_newcomer_is_as_likely_to_have_something_as_the_others() -> None:
    manager, (first,) = members(1)
    assert manager.add("early").hits.share == 1.0
    manager.learned(first, 2, 60)
    assert manager.add("late").hits.share < 0.1


def test_of_many_members_those_that_have_something_are_likely() -> None:
    manager, peers = members(100)
    for peer in peers:
        manager.learned(peer, 0, 40)
    assert len(manager.likely()) == OPTIONS.search_peers
    for peer in peers[90:]:
        manager.learned(peer, 20, 0)
    assert set(manager.likely()) == set(peers[90:])


def test_all_of_a_few_members_are_likely_and_all_named_ones() -> None:
    manager, peers = members(5)
    manager.learned(peers[0], 50, 0)
    manager.learned(peers[1], 0, 50)
    assert manager.likely() == peers
    named = SessionPeerManager(OPTIONS, [f"p{index}" for index in range(50)])
    for index in range(50):
        named.add(f"p{index}")
    assert len(named.likely()) == 50


def test_a_newcomer_is_taken_for_a_usual_one() -> None:
    manager, (known, _) = members(2)
    with_speed(known, 500)
    assert usual_speed(manager.candidates()) == 500
    assert {peer: len(numbers) for peer, numbers in dealt(100, manager).items()} == {"p0": 50, "p1": 50}


def test_the_slowest_still_gets_a_few() -> None:
    manager, (fast, slow) = members(2)
    with_speed(fast, 100_000)
    slow.asked(1, 0.0)
    slow.delivered(1, 100, 1.0)
    slow.latency = 0.0
    manager.share()
    assert slow.limit == OPTIONS.min_window


def test_every_want_goes_to_one_peer_within_its_limit() -> None:
    rng = random.Random(3)
    for _ in range(200):
        manager, peers = members(rng.randrange(1, 8))
        for peer in peers:
            if rng.random() < 0.7:
                with_speed(peer, rng.randrange(1, 1000))
            peer.outstanding = rng.randrange(1200)
        share = manager.share()
        count = rng.randrange(3000)
        plan = split(count, share)
        numbers = [number for _, mine in plan for number in mine]
        room = sum(max(peer.limit - peer.outstanding, 0) for peer in peers)
        assert sorted(numbers) == list(range(min(count, room)))
        for peer, mine in plan:
            assert mine == sorted(mine)
            assert peer.outstanding + len(mine) <= peer.limit


def test_statistics_outlive_a_peer_and_are_bounded() -> None:
    manager = SessionPeerManager(ClientOptions(max_peer_records=4), ["named"])
    manager.add("named").delivered(3, 30, 1.0)
    manager.remove("named", "connection lost: test")
    assert manager.lost == {"named": "connection lost: test"}
    for index in range(20):
        manager.add(f"p{index}")
        manager.remove(f"p{index}", "gone")
    assert len(manager.statistics()) <= 5
    assert len(manager.lost) <= 6
    assert manager.lost["named"] == "connection lost: test"
    assert manager.add("named").outstanding == 0
    assert "named" not in manager.lost
