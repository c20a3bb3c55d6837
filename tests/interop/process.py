"""Child processes that speak JSON, one object a line, on standard output; every wait is bounded."""

from __future__ import annotations

import itertools
import json
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

READY_TIMEOUT = 60.0
"""Seconds a server may take to import its files and say that it is ready."""
STOP_TIMEOUT = 20.0

_NUMBERS = itertools.count()


class ProcessFailed(AssertionError):
    """A child process ended early, hung, or said something that is not JSON; carries its standard error."""


class JsonProcess:
    """A running child and the lines it writes; leaving the context kills it if it still runs.

    Standard error goes to a file in `folder`, so that a full pipe never stops the child.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        stop_signal: int | None = None,
    ) -> None:
        self._stop_signal = stop_signal
        self._errors = folder / f"stderr-{next(_NUMBERS)}"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=None if env is None else dict(env),
            )
        assert self.process.stdout is not None
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)

    def line(self, timeout: float = READY_TIMEOUT) -> dict[str, Any]:
        """The next JSON object; raises ProcessFailed when none comes in time."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise ProcessFailed(f"no line within {timeout} s: {self.errors()}") from None
        if line is None:
            self._lines.put(None)
            raise ProcessFailed(f"ended with exit code {self.process.wait(STOP_TIMEOUT)}: {self.errors()}")
        try:
            value = json.loads(line)
        except ValueError as error:
            raise ProcessFailed(f"not JSON: {line!r}: {error}") from None
        if not isinstance(value, dict):
            raise ProcessFailed(f"not a JSON object: {line!r}")
        return value

    def errors(self) -> str:
        return self._errors.read_text(errors="replace")

    def stop(self) -> dict[str, Any]:
        """End it the orderly way and return its last line: its statistics."""
        assert self.process.stdin is not None
        if self._stop_signal is not None:
            self.process.send_signal(self._stop_signal)
        self.process.stdin.close()
        last = self.line(STOP_TIMEOUT)
        code = self.process.wait(STOP_TIMEOUT)
        if code != 0:
            raise ProcessFailed(f"exit code {code}: {self.errors()}")
        return last

    def wait(self, timeout: float) -> int:
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProcessFailed(f"still running after {timeout} s: {self.errors()}") from None

    def kill(self) -> None:
        """As `kill -9` does: nothing is said to the other side."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT)

    def __enter__(self) -> JsonProcess:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self._reader.join(STOP_TIMEOUT)
