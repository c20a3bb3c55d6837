"""The reactor with real threads and sockets; every wait ends by an event, not by time."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bitswap.clock import SystemClock
from bitswap.errors import Closed
from bitswap.network.libp2p.reactor import READ, Reactor

pytestmark = pytest.mark.timeout(30)

WAIT = 20


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    made = Reactor(read_buffer=64 * 1024)
    made.start()
    yield made
    made.stop()


def ask(reactor: Reactor) -> None:
    """Return once the reactor has done what was called so far."""
    done = threading.Event()
    reactor.call(done.set)
    assert done.wait(WAIT)


def test_calls_of_one_thread_keep_their_order(reactor: Reactor) -> None:
    seen: list[int] = []
    for number in range(5000):
        reactor.call(lambda number=number: seen.append(number))  # type: ignore[misc]
    ask(reactor)
    assert seen == list(range(5000))


def test_calls_of_many_threads_all_arrive(reactor: Reactor) -> None:
    seen: list[int] = []

    def caller(base: int) -> None:
        for number in range(500):
            reactor.call(lambda number=number: seen.append(base + number))  # type: ignore[misc]

    threads = [threading.Thread(target=caller, args=(1000 * index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ask(reactor)
    assert len(seen) == 4000


def test_a_call_that_raises_is_logged_and_harms_nobody(
    reactor: Reactor, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "bitswap.network"):
        reactor.call(fail)
        ask(reactor)
    assert "ZeroDivisionError" in caplog.text


def test_timers_run_on_the_thread_in_order(reactor: Reactor) -> None:
    seen: list[str] = []
    done = threading.Event()

    def second() -> None:
        seen.append("second")
        done.set()

    def arm() -> None:
        reactor.later(0.02, second)
        reactor.later(0.01, lambda: seen.append(f"first {reactor.on_thread}"))
        reactor.later(0.015, lambda: seen.append("never")).cancel()

    reactor.call(arm)
    assert done.wait(WAIT)
    assert seen == ["first True", "second"]


def test_deferred_work_runs_at_the_end_of_the_turn_and_may_defer_again(reactor: Reactor) -> None:
    seen: list[str] = []
    done = threading.Event()

    def again() -> None:
        seen.append("deferred")
        if len(seen) < 4:
            reactor.defer(again)
        else:
            done.set()

    def first() -> None:
        reactor.defer(again)
        seen.append("call")

    reactor.call(first)
    assert done.wait(WAIT)
    assert seen == ["call", "deferred", "deferred", "deferred"]


class Echo:
    """Handles one end of a socket pair."""

    def __init__(self, reactor: Reactor, sock: socket.socket) -> None:
        self.reactor, self.sock = reactor, sock
        self.crash: Exception | None = None
        self.crashed_by: list[Exception] = []
        self.told = threading.Event()

    def ready(self, events: int) -> None:
        assert events & READ
        data = self.sock.recv(100)
        if self.crash is not None:
            raise self.crash
        self.sock.send(data)

    def crashed(self, error: Exception) -> None:
        self.crashed_by.append(error)
        self.told.set()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    left.settimeout(WAIT)
    right.setblocking(False)
    yield left, right
    left.close()
    right.close()


def test_sockets_are_watched_until_unregistered(
    reactor: Reactor, ends: tuple[socket.socket, socket.socket]
) -> None:
    left, right = ends
    echo = Echo(reactor, right)
    reactor.call(lambda: reactor.register(right, READ, echo))
    left.send(b"hello")
    assert left.recv(100) == b"hello"
    assert not reactor.idle
    reactor.call(lambda: reactor.unregister(right))
    reactor.call(lambda: reactor.unregister(right))
    ask(reactor)
    assert reactor.idle


def test_a_handler_that_raises_is_unregistered_and_told(
    reactor: Reactor, ends: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    left, right = ends
    echo = Echo(reactor, right)
    echo.crash = RuntimeError("on purpose")
    reactor.call(lambda: reactor.register(right, READ, echo))
    left.send(b"x")
    assert echo.told.wait(WAIT)
    assert echo.crashed_by == [echo.crash]
    ask(reactor)
    assert reactor.idle


def test_stop_runs_what_was_called_before_and_refuses_what_comes_after() -> None:
    reactor = Reactor(read_buffer=64 * 1024)
    seen: list[int] = []
    reactor.start()
    for number in range(100):
        reactor.call(lambda number=number: seen.append(number))  # type: ignore[misc]
    reactor.stop()
    assert seen == list(range(100))
    with pytest.raises(Closed):
        reactor.call(lambda: None)
    reactor.stop()
    reactor.join()


def test_stop_from_its_own_thread_does_not_wait_for_itself() -> None:
    reactor = Reactor(read_buffer=64 * 1024, name="bitswap-test-reactor")
    reactor.start()
    reactor.call(reactor.stop)
    reactor.join()
    assert "bitswap-test-reactor" not in [thread.name for thread in threading.enumerate()]


def test_a_reactor_that_never_ran_can_be_stopped() -> None:
    reactor = Reactor(read_buffer=64 * 1024)
    called: list[int] = []
    reactor.call(lambda: called.append(1))
    reactor.stop()
    assert called == [1]


def test_it_sleeps_while_there_is_nothing_to_do() -> None:
    class CountingClock(SystemClock):
        reads = 0

        def now(self) -> float:
            self.reads += 1
            return super().now()

    clock = CountingClock()
    reactor = Reactor(read_buffer=64 * 1024, clock=clock)
    reactor.start()
    fired = threading.Event()

    def arm() -> None:
        reactor.later(0.1, fired.set)

    reactor.call(arm)
    assert fired.wait(WAIT)
    reactor.stop()
    assert clock.reads < 30


def sleeping(reactor: Reactor) -> None:
    """Return once the reactor's thread sleeps, which no event tells."""
    ask(reactor)
    deadline = time.monotonic() + WAIT
    while not reactor._sleeping:
        assert time.monotonic() < deadline


def never() -> None:
    raise AssertionError("nothing was interrupted")


def test_a_call_here_is_made_by_the_caller_while_the_thread_sleeps(reactor: Reactor) -> None:
    seen: list[object] = []

    def call() -> None:
        seen.append((threading.get_ident(), reactor.on_thread))
        reactor.defer(lambda: seen.append("deferred"))

    sleeping(reactor)
    reactor.call_here(call, never)
    assert seen == [(threading.get_ident(), True), "deferred"]
    assert not reactor.on_thread


def test_a_call_here_waits_its_turn_while_the_thread_works(reactor: Reactor) -> None:
    seen: list[object] = []
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(WAIT)
        seen.append("work")

    reactor.call(work)
    assert begun.wait(WAIT)
    reactor.call_here(lambda: seen.append(threading.get_ident()), never)
    reactor.call(lambda: seen.append("after"))
    assert seen == []
    go_on.set()
    ask(reactor)
    assert seen == ["work", reactor._thread.ident, "after"]


def test_what_a_call_here_leaves_is_done_by_the_thread(reactor: Reactor) -> None:
    """Its calls, its timers, what deferred work defers, and what it has watched."""
    here, there = socket.socketpair()
    done = [threading.Event() for _ in range(4)]
    by: list[int] = []

    class Ready:
        def ready(self, events: int) -> None:
            reactor.unregister(here)
            tell(3)

        def crashed(self, error: Exception) -> None:
            raise error

    def tell(index: int) -> None:
        by.append(threading.get_ident())
        done[index].set()

    with here, there:
        for index, callback in enumerate(
            (
                lambda: reactor.call(lambda: tell(0)),
                lambda: reactor.later(0.001, lambda: tell(1)) and None,
                lambda: reactor.defer(lambda: reactor.defer(lambda: tell(2))),
                lambda: reactor.register(here, READ, Ready()),
            )
        ):
            sleeping(reactor)
            reactor.call_here(callback, never)
            if index == 3:
                there.send(b"x")
            assert done[index].wait(WAIT)
    assert set(by) == {reactor._thread.ident}


def test_calls_here_of_many_threads_never_run_together(reactor: Reactor) -> None:
    seen: list[int] = []
    inside = threading.Lock()

    def count() -> None:
        if inside.acquire(blocking=False):
            seen.append(threading.get_ident())
            inside.release()

    def caller() -> None:
        for _ in range(500):
            reactor.call_here(count, never)

    threads = [threading.Thread(target=caller) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ask(reactor)
    assert len(seen) == 4000


def test_a_call_here_that_is_interrupted_is_told_and_the_reactor_goes_on(reactor: Reactor) -> None:
    told: list[int] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    sleeping(reactor)
    with pytest.raises(KeyboardInterrupt):
        reactor.call_here(interrupt, lambda: told.append(threading.get_ident()))
    ask(reactor)
    assert told == [reactor._thread.ident]
    sleeping(reactor)
    reactor.call_here(lambda: told.append(0), never)
    assert told[1:] == [0]


def test_a_call_here_that_raises_is_logged(reactor: Reactor, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    sleeping(reactor)
    with caplog.at_level(logging.ERROR, "bitswap.network"):
        reactor.call_here(fail, never)
    assert "ZeroDivisionError" in caplog.text


def test_a_call_here_of_a_call_here_and_a_stop_by_one() -> None:
    reactor = Reactor(read_buffer=1024)
    reactor.start()
    seen: list[str] = []

    def inner() -> None:
        seen.append("inner")
        reactor.stop()

    def outer() -> None:
        reactor.call_here(inner, never)
        seen.append("outer")

    sleeping(reactor)
    reactor.call_here(outer, never)
    reactor.join()
    assert seen == ["outer", "inner"]
    with pytest.raises(Closed):
        reactor.call_here(outer, never)
