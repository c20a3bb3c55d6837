"""What a peer holds of us is what we believe, and nothing in the end, in whatever order things happen."""

from __future__ import annotations

import pytest

from tests.fetching.one_peer import OnePeer
from tests.sizes import LONG

pytestmark = pytest.mark.usefixtures("implementation")

SEEDS = range(600 if LONG else 60)
KINDS = [
    pytest.param({}, id="plain"),
    pytest.param({"wants_first": True}, id="wants-first"),
    pytest.param({"keeps": True}, id="keeps"),
]
"""What the peer does with a message, and with what it has served."""
ROOM = 24
"""By which servers take more wants than we give them: 1,024 and 1,000. A want that was sent again just before
its answer came may be on the list for a moment although we believe that it is not."""


def settled(peer: OnePeer) -> bool:
    """Whether nothing is left, here or there, once nobody wants anything any more."""
    peer.queue.cancel(list(peer.wanted), peer.now)
    peer.wanted.clear()
    peer.settle()
    return (
        peer.held == {}
        and peer.queue.outstanding == 0
        and list(peer.queue.cids()) == []
        and peer.queue.next_deadline() is None
        and not peer.queue.has_message(peer.now + 1e6)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_in_the_end(kind: dict[str, bool]) -> None:
    for seed in SEEDS:
        peer = OnePeer(seed, **kind)
        for _ in range(400):
            peer.step()
        assert settled(peer), seed


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_never_too_much(kind: dict[str, bool]) -> None:
    for seed in SEEDS:
        peer = OnePeer(seed, **kind)
        for _ in range(400):
            peer.step()
        assert 0 < peer.most_held <= peer.options.max_outstanding_wants + ROOM, seed


def test_a_time_that_has_come_is_not_named_again() -> None:
    for seed in SEEDS:
        peer = OnePeer(seed, failing=0.3 * (seed % 2))
        for _ in range(600):
            peer.step()
        assert peer.circles == 0, seed


def test_every_want_reaches_the_peer() -> None:
    """With room for all the peer has all that it has not answered; without, all get their turn."""
    for seed in SEEDS:
        peer = OnePeer(seed)
        for _ in range(200):
            peer.step()
        peer.settle()
        if len(peer.wanted) <= peer.options.max_outstanding_wants:
            asked = {cid for cid in peer.wanted if peer.queue.state(cid) is not None}
            assert asked <= peer.held.keys(), seed
        peer.settle(answering=True)
        assert not any(peer.queue.state(cid) for cid in peer.wanted), seed


@pytest.mark.parametrize("failing", [0.1, 0.5])
def test_sends_that_fail_leave_nothing_behind(failing: float) -> None:
    for seed in SEEDS:
        peer = OnePeer(seed, failing=failing)
        for _ in range(400):
            peer.step()
        assert settled(peer), seed
        assert peer.most_held <= peer.options.max_outstanding_wants + ROOM, seed


@pytest.mark.parametrize("failing", [0.0, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_too_large_to_be_read_leave_nothing_behind(kind: dict[str, bool], failing: float) -> None:
    lowered = 0
    for seed in SEEDS:
        peer = OnePeer(seed, packing=0.3, failing=failing, **kind)
        for _ in range(400):
            peer.step()
        lowered += peer.queue.places.lowered
        assert peer.most_held <= peer.options.max_outstanding_wants + ROOM, seed
        assert settled(peer), seed
    # Some peers are never asked for two blocks at once.
    assert lowered > 0.9 * len(SEEDS)


def test_what_was_not_read_comes_in_the_end() -> None:
    for seed in SEEDS[::3]:
        peer = OnePeer(seed, packing=0.3)
        for _ in range(200):
            peer.step()
        peer.settle(answering=True)
        assert not any(peer.queue.state(cid) for cid in peer.wanted), seed
