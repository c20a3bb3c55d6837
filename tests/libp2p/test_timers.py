"""Deadlines under a virtual time."""

from __future__ import annotations

from collections.abc import Callable

from bitswap.network.libp2p.timers import Timers


def run_due(timers: Timers, now: float) -> None:
    while True:
        callback = timers.pop_due(now)
        if callback is None:
            return
        callback()


def test_callbacks_come_in_order_of_time_then_of_creation() -> None:
    timers, seen = Timers(), []

    def note(name: str) -> Callable[[], None]:
        return lambda: seen.append(name)

    timers.at(2.0, note("late"))
    timers.at(1.0, note("first"))
    timers.at(1.0, note("second"))
    assert timers.next_deadline() == 1.0
    run_due(timers, 0.9)
    assert seen == []
    run_due(timers, 1.0)
    assert seen == ["first", "second"]
    run_due(timers, 5.0)
    assert seen == ["first", "second", "late"]
    assert timers.next_deadline() is None


def test_a_cancelled_timer_does_nothing_and_is_not_waited_for() -> None:
    timers, seen = Timers(), []
    timer = timers.at(1.0, lambda: seen.append("cancelled"))
    timers.at(3.0, lambda: seen.append("kept"))
    timer.cancel()
    timer.cancel()
    assert timers.next_deadline() == 3.0
    run_due(timers, 10.0)
    assert seen == ["kept"]


def test_a_timer_cancelled_by_one_that_is_due_at_the_same_time_does_not_run() -> None:
    timers, seen = Timers(), []
    timers.at(1.0, lambda: second.cancel())
    second = timers.at(1.0, lambda: seen.append("second"))
    run_due(timers, 1.0)
    assert seen == []


def test_cancelled_timers_do_not_pile_up() -> None:
    timers = Timers()
    kept = timers.at(100.0, lambda: None)
    for number in range(10_000):
        timers.at(50.0 + number, lambda: None).cancel()
    assert len(timers) == 1
    assert len(timers._heap) < 200
    assert timers.next_deadline() == kept.when


def test_cancel_after_the_callback_ran_is_harmless() -> None:
    timers = Timers()
    timer = timers.at(1.0, lambda: None)
    run_due(timers, 1.0)
    timer.cancel()
    assert len(timers) == 0
    timers.at(2.0, lambda: None)
    assert len(timers) == 1
