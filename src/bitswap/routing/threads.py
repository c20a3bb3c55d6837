"""Reading what may make one wait: a few threads, and an answer that is read on one of them."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from types import GeneratorType
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Threads:
    """At most `most` daemon threads "`name`-0", "`name`-1"…, one more whenever a job finds none idle.

    What waits for a thread is bounded by whoever submits. Safe from any thread.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._work = threading.Condition(threading.Lock())
        self._jobs: deque[Callable[[], None]] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    def submit(self, job: Callable[[], None]) -> None:
        """Run `job` soon; after `close` nothing is run."""
        with self._work:
            if self._closed:
                return
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._work.notify()
            elif len(self._threads) < self._most:
                name = f"{self._name}-{len(self._threads)}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def close(self) -> None:
        """Drop what waits; what runs goes on to its end."""
        with self._work:
            self._closed = True
            self._jobs.clear()
            self._work.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait for the threads, except for the one that calls; False when one was left behind."""
        deadline = time.monotonic() + timeout
        others = [thread for thread in self._threads if thread is not threading.current_thread()]
        for thread in others:
            thread.join(max(deadline - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in others)

    def _run(self) -> None:
        while True:
            with self._work:
                self._idle += 1
                while not self._jobs and not self._closed:
                    self._work.wait()
                self._idle -= 1
                if self._closed:
                    return
                job = self._jobs.popleft()
            try:
                job()
            except Exception:
                _log.exception("a job failed")
            del job  # a thread that waits keeps nothing of what it did


class Reading(Generic[_T]):
    """Something that is read to its end, at most `limit` items of it, and can be stopped by another thread.

    `found` is called with each item, then `done` once: with the error if the reading failed, with None at its
    end or when it was stopped. Both are called on the thread of `run`.
    """

    def __init__(
        self,
        start: Callable[[], Iterable[_T]],
        limit: int,
        found: Callable[[_T], None],
        done: Callable[[Exception | None], None],
    ) -> None:
        self._start = start
        self._limit = limit
        self._found = found
        self._done = done
        self._lock = threading.Lock()
        self._stream: Iterable[_T] | None = None
        self._stopped = False

    def run(self) -> None:
        """Read; the caller waits as long as the reading does."""
        error: Exception | None = None
        try:
            self._read()
        except Exception as failure:
            error = failure
        finally:
            self._close(self._stream)
        self._done(None if self._stopped else error)

    def _read(self) -> None:
        if self._stopped:
            return
        stream = self._start()
        with self._lock:
            self._stream = stream
            if self._stopped:
                return
        left = self._limit
        for item in stream:
            if self._stopped:
                return
            self._found(item)
            left -= 1
            if left <= 0:
                return

    def stop(self) -> None:
        """Have it end: at once where what is read can be closed, else at its next item."""
        with self._lock:
            self._stopped = True
            stream = self._stream
        # A generator that runs on another thread refuses to be closed.
        if not isinstance(stream, GeneratorType):
            self._close(stream)

    def _close(self, stream: Iterable[_T] | None) -> None:
        close = getattr(stream, "close", None)
        if close is None:
            return
        try:
            close()
        except Exception:
            _log.exception("%r cannot be closed", stream)
