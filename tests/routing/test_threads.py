"""Threads that are started when needed, and readings that can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bitswap.routing.threads import Reading, Threads
from tests.routing.routers import SECONDS, Scripted, Stream

pytestmark = pytest.mark.timeout(60)


def test_threads_are_started_when_needed_and_used_again() -> None:
    threads = Threads("bitswap-test", 3)
    seen: list[str] = []
    for _ in range(5):
        done = threading.Event()
        threads.submit(lambda done=done: (seen.append(threading.current_thread().name), done.set()))  # type: ignore[misc]
        assert done.wait(SECONDS)
        while not threads._idle:
            threading.Event().wait(0.001)
    assert seen == ["bitswap-test-0"] * 5
    threads.close()
    assert threads.join(SECONDS)


def test_no_more_threads_than_the_limit() -> None:
    threads = Threads("bitswap-test", 3)
    together, go, over = threading.Barrier(4), threading.Event(), threading.Semaphore(0)

    def job() -> None:
        if not go.is_set():
            together.wait(SECONDS)
            assert go.wait(SECONDS)
        over.release()

    for _ in range(8):
        threads.submit(job)
    together.wait(SECONDS)
    assert len(threads._threads) == 3
    go.set()
    for _ in range(8):
        assert over.acquire(timeout=SECONDS)
    threads.close()
    assert threads.join(SECONDS)


def test_closing_drops_what_waits() -> None:
    threads = Threads("bitswap-test", 1)
    begun, go = threading.Event(), threading.Event()
    ran: list[int] = []

    def first() -> None:
        begun.set()
        assert go.wait(SECONDS)
        ran.append(1)

    threads.submit(first)
    threads.submit(lambda: ran.append(2))
    assert begun.wait(SECONDS)
    threads.close()
    threads.submit(lambda: ran.append(3))
    assert not threads.join(0.0)
    go.set()
    assert threads.join(SECONDS)
    assert ran == [1]


def test_a_job_that_fails_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    threads = Threads("bitswap-test", 1)
    done = threading.Event()
    threads.submit(lambda: [][0])
    threads.submit(done.set)
    assert done.wait(SECONDS)
    assert "a job failed" in caplog.text
    threads.close()
    assert threads.join(SECONDS)


def test_a_thread_may_close_its_own_kind() -> None:
    threads = Threads("bitswap-test", 1)
    left: list[bool] = []
    done = threading.Event()

    def job() -> None:
        threads.close()
        left.append(threads.join(SECONDS))
        done.set()

    threads.submit(job)
    assert done.wait(SECONDS)
    assert left == [True]


class Read:
    """What a reading told."""

    def __init__(self, start: Callable[[], object], limit: int = 10) -> None:
        self.found: list[object] = []
        self.ends: list[Exception | None] = []
        self.reading = Reading(start, limit, self.found.append, self.ends.append)  # type: ignore[arg-type]


def test_reading_to_the_end() -> None:
    read = Read(lambda: "abc")
    read.reading.run()
    assert (read.found, read.ends) == (list("abc"), [None])


def test_reading_no_more_than_the_limit() -> None:
    read = Read(lambda: iter("abc"), 2)
    read.reading.run()
    assert (read.found, read.ends) == (list("ab"), [None])


def test_beginning_fails() -> None:
    read = Read(lambda: {}["nothing"])
    read.reading.run()
    assert read.found == []
    assert isinstance(read.ends[0], KeyError)


def test_reading_fails_half_way() -> None:
    read = Read(lambda: Scripted(1, 2, error=OSError("down")).find_providers(None, 9))  # type: ignore[arg-type]
    read.reading.run()
    assert read.found == [1, 2]
    assert [str(end) for end in read.ends] == ["down"]


def test_stopped_before_it_began() -> None:
    read = Read(lambda: pytest.fail("it was begun"))
    read.reading.stop()
    read.reading.run()
    assert (read.found, read.ends) == ([], [None])


def test_stopping_ends_a_reader_that_waits() -> None:
    stream = Stream([])
    read = Read(lambda: stream)
    thread = threading.Thread(target=read.reading.run)
    thread.start()
    assert stream.waits.wait(SECONDS)
    read.reading.stop()
    thread.join(SECONDS)
    assert (read.found, read.ends) == ([], [None])


def test_a_generator_is_left_alone_and_closed_by_its_reader() -> None:
    waits, go = threading.Event(), threading.Event()
    closed: list[str] = []

    def numbers():  # type: ignore[no-untyped-def]
        try:
            yield 1
            waits.set()
            assert go.wait(SECONDS)
            yield 2
            yield 3
        finally:
            closed.append(threading.current_thread().name)

    read = Read(numbers)
    thread = threading.Thread(target=read.reading.run, name="reader")
    thread.start()
    assert waits.wait(SECONDS)
    read.reading.stop()
    go.set()
    thread.join(SECONDS)
    assert (read.found, read.ends, closed) == ([1], [None], ["reader"])


def test_what_cannot_be_closed_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(list[int]):
        def close(self) -> None:
            raise RuntimeError("never")

    read = Read(lambda: Odd([1]))
    read.reading.run()
    assert (read.found, read.ends) == ([1], [None])
    assert "cannot be closed" in caplog.text
