"""The scheduler against a plain comparison; see also `tests/scenarios`."""

from __future__ import annotations

import random

from bitswap.decision.scheduler import FairScheduler, TaskOrderScheduler


def scheduler(salt: int = 1) -> FairScheduler:
    return FairScheduler(salt, 10.0)


def queued(s: FairScheduler, peer: str, pending: int, *, active: int = 0) -> None:
    s.update(peer, pending=pending, active=active, ready=True)


def served(s: FairScheduler, peer: str, now: float) -> None:
    queued(s, peer, 1)
    s.served(peer, now)


def test_fewer_under_way_wins_before_more_queued() -> None:
    s = scheduler()
    for peer in "AB":
        served(s, peer, 0)
    queued(s, "A", 16, active=1)
    queued(s, "B", 1, active=0)
    assert s.select(0) == "B"


def test_one_that_is_not_ready_is_in_nobodys_way() -> None:
    s = scheduler()
    queued(s, "B", 1)
    s.update("A", pending=100, active=0, ready=False)
    assert s.select(0) == "B"
    s.forget("B")
    assert s.select(0) is None
    queued(s, "A", 100)
    assert s.select(0) == "A"


def test_it_agrees_with_a_plain_comparison_of_all_peers() -> None:
    rng = random.Random(11)
    s = scheduler()
    now = 0.0
    peers = [f"peer {number}" for number in range(12)]
    state: dict[str, tuple[int, int, bool]] = {}
    stamps: dict[str, tuple[float, int]] = {}
    alone = {}
    for peer in peers:
        lone = scheduler()
        queued(lone, peer, 1)
        alone[peer] = lone._turns[peer].tie
    for step in range(5000):
        now += rng.choice((0.0, 0.1, 3.0))
        peer = rng.choice(peers)
        action = rng.random()
        if action < 0.1:
            s.forget(peer)
            state.pop(peer, None)
            stamps.pop(peer, None)
        elif action < 0.2:
            s.rest(peer)
            stamps.pop(peer, None)
            if peer in state:
                s.update(peer, pending=0, active=0, ready=True)
                state[peer] = (0, 0, False)
        else:
            pending, active, ready = rng.randrange(20), rng.randrange(3), rng.random() < 0.8
            s.update(peer, pending=pending, active=active, ready=ready)
            state[peer] = (pending, active, ready and pending > 0)

        def rank(name: str, now: float = now) -> tuple[bool, int, int, int, int]:
            at, turn = stamps.get(name, (float("-inf"), 0))
            pending, active, _ = state[name]
            return (at + 10.0 >= now, active, -min(pending, 16), turn, alone[name])

        best = min((name for name in state if state[name][2]), key=rank, default=None)
        chosen = s.select(now)
        assert chosen == best
        if chosen is not None and rng.random() < 0.5:
            s.served(chosen, now)
            stamps[chosen] = (now, step + 1)
            pending, active, _ = state[chosen]
            s.update(chosen, pending=pending, active=active, ready=True)
        assert s.ready == sum(entry[2] for entry in state.values())
    assert len(s._recent) <= len(peers)


def test_by_task_order_the_smallest_head_wins() -> None:
    s = TaskOrderScheduler(1, 10.0)
    for peer, head in (("A", "m"), ("B", "c"), ("C", "x")):
        s.update(peer, pending=1, active=0, ready=True, head=head)
    assert s.select(0) == "B"
    s.served("B", 0)
    s.update("B", pending=1, active=1, ready=True, head="z")
    assert s.select(0) == "A"
    assert s.select(1000) == "A"


def test_who_is_starved_stays_so_until_served() -> None:
    s = scheduler()
    for peer in "AB":
        served(s, peer, 0)
    s.served("B", 19)
    queued(s, "A", 1, active=2)
    queued(s, "B", 1, active=0)
    assert s.select(20) == "A"
    queued(s, "A", 2, active=1)
    assert s.select(20) == "A"
