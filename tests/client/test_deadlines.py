from __future__ import annotations

import random
import weakref

from bitswap.deadlines import Deadlines


def test_the_earliest_named_time_counts() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.at("a", 5.0)
    deadlines.at("a", 7.0)
    assert deadlines.next() == 5.0
    deadlines.at("a", 3.0)
    assert deadlines.next() == 3.0
    assert deadlines.due(2.9) == []
    assert deadlines.due(3.0) == ["a"]
    assert deadlines.next() is None
    assert len(deadlines) == 0


def test_removed_and_never_named() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.at("a", None)
    assert deadlines.next() is None
    deadlines.at("a", 1.0)
    deadlines.at("b", 2.0)
    deadlines.remove("a")
    deadlines.remove("c")
    assert deadlines.due(10.0) == ["b"]


def test_who_was_removed_is_forgotten_although_an_earlier_time_stands() -> None:
    class Owner:
        pass

    deadlines: Deadlines[object] = Deadlines()
    deadlines.at("early", 1.0)
    owners = [Owner() for _ in range(1000)]
    for owner in owners:
        deadlines.at(owner, 60.0)
        deadlines.remove(owner)
    alive = [weakref.ref(owner) for owner in owners]
    del owner, owners
    assert sum(ref() is not None for ref in alive) < 100
    assert deadlines.due(100.0) == ["early"]


def test_an_owner_that_names_ever_earlier_times_is_held_once() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for step in range(10_000):
        deadlines.at("a", 20_000.0 - step)
    assert len(deadlines._heap) < 100
    assert deadlines.due(20_000.0) == ["a"]
    assert deadlines.next() is None


def test_an_owner_may_name_a_time_again_while_it_is_called() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.at("a", 1.0)
    for owner in deadlines.due(1.0):
        deadlines.at(owner, 1.5)
    assert deadlines.next() == 1.5


def test_against_a_plain_dictionary() -> None:
    rng = random.Random(7)
    deadlines: Deadlines[int] = Deadlines()
    model: dict[int, float] = {}
    now = 0.0
    for _ in range(3000):
        owner = rng.randrange(20)
        match rng.randrange(4):
            case 0 | 1:
                when = now + rng.random()
                deadlines.at(owner, when)
                model[owner] = min(model.get(owner, when), when)
            case 2:
                deadlines.remove(owner)
                model.pop(owner, None)
            case _:
                now += rng.random() / 10
                expected = sorted((when, owner) for owner, when in model.items() if when <= now)
                assert deadlines.due(now) == [owner for _, owner in expected]
                for _, owner in expected:
                    del model[owner]
        assert deadlines.next() == min(model.values(), default=None)
        assert len(deadlines) == len(model)
