"""Signals that end a process which waits on sockets: they wake it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Readable from the first signal on."""

    def __init__(self) -> None:
        self._out, self._in = socket.socketpair()
        self._out.setblocking(False)
        self.is_set = False

    def fileno(self) -> int:
        return self._in.fileno()

    def set(self) -> None:
        """Safe from any thread and in a signal handler."""
        self.is_set = True
        try:
            self._out.send(b"\0")
        except OSError:
            pass  # full, so it is readable

    def close(self) -> None:
        self._out.close()
        self._in.close()


@contextmanager
def stopped_by(*numbers: signal.Signals) -> Iterator[Stop]:
    """Those signals set what this yields; the earlier handlers come back at the end. Main thread only."""
    stop = Stop()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    # The handler runs between two instructions of Python; a wait for sockets is ended by the wake-up.
    earlier_wake = signal.set_wakeup_fd(stop._out.fileno(), warn_on_full_buffer=False)
    earlier = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(earlier_wake)
        stop.close()
