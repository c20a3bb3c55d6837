"""The processes with the peers, as whoever drives them sees them; every wait is bounded."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any

ANSWER = 120.0
"""Seconds for any answer."""


class Gone(Exception):
    """The process has ended."""


class Refused(Exception):
    """A command failed; the words are the other side's."""


class Neighbours:
    """One process with peers. A context manager; leaving it ends the process."""

    def __init__(self, errors: Path) -> None:
        """`errors`: where its standard error goes."""
        self._errors = errors
        with errors.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.soak.peers"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env=dict(os.environ),
            )
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._ended = False
        self.cpu = 0.0
        """Processor seconds that it had used when it last said something."""
        self.stalls = 0
        """How often it had stood still by then."""
        self._reader = threading.Thread(target=self._read, name="neighbours", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                answer = json.loads(line)
                self.cpu = answer.pop("cpu")
                self.stalls = answer.pop("stalls")
                with self._lock:
                    future = self._waiting.pop(answer.pop("number"))
                future.set_result(answer)
        with self._lock:
            self._ended = True
            waiting, self._waiting = list(self._waiting.values()), {}
        for future in waiting:
            future.set_exception(Gone("the process with the peers has ended"))

    def begin(self, do: str, **arguments: Any) -> Future[dict[str, Any]]:
        """Have something done; the future is its answer, or Gone."""
        future: Future[dict[str, Any]] = Future()
        number = next(self._numbers)
        with self._lock:
            if self._ended:
                raise Gone("the process with the peers has ended")
            self._waiting[number] = future
            line = json.dumps({"number": number, "do": do, **arguments}) + "\n"
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()
            except OSError as error:
                self._waiting.pop(number, None)
                raise Gone(str(error)) from error
        return future

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Have something done, and wait. Raises Refused, Gone, TimeoutError."""
        return answer_of(self.begin(do, **arguments))

    def kill(self) -> None:
        """As `kill -9` does."""
        self._process.kill()
        self._finish()

    def _finish(self) -> None:
        self._process.wait(ANSWER)
        self._reader.join(ANSWER)
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                pass

    def errors(self) -> str:
        """What it said on standard error."""
        return self._errors.read_text(errors="replace")

    def __enter__(self) -> Neighbours:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(10.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._finish()


def answer_of(future: Future[dict[str, Any]]) -> dict[str, Any]:
    """Wait for an answer. Raises Refused, Gone, TimeoutError."""
    try:
        found = future.result(ANSWER)
    except FutureTimeout:
        raise TimeoutError("the process with the peers does not answer") from None
    if "failed" in found:
        raise Refused(found["failed"])
    return found
