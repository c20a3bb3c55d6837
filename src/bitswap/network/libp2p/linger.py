"""The last second of a socket: the good-bye goes out, and the peer has time to read it.

Closing at once while unread bytes wait makes the kernel reset the connection, which may destroy the good-bye.
"""

from __future__ import annotations

import socket
from collections import deque

from bitswap.network.libp2p.reactor import READ, WRITE, Reactor
from bitswap.network.libp2p.timers import Timer

_READS = 16
_READ_SIZE = 64 * 1024


class Linger:
    """Owns a socket whose connection is over; closes it when the peer has closed too, or time runs out."""

    def __init__(self, reactor: Reactor, sock: socket.socket, out: deque[memoryview], seconds: float) -> None:
        self._reactor = reactor
        self._sock = sock
        self._out = out
        self._seconds = seconds
        self._timer: Timer | None = None
        self._registered = False
        self._shut = False

    def start(self) -> None:
        """Send, shut our side, and wait if the peer has not shut its own."""
        try:
            if self._pump() or not self._seconds:
                self._close()
                return
            self._reactor.register(self._sock, READ | WRITE if self._out else READ, self)
        except (OSError, ValueError):
            self._close()
            return
        self._registered = True
        self._timer = self._reactor.later(self._seconds, self._close)

    def ready(self, events: int) -> None:
        """Called by the reactor."""
        if not self._registered:
            return
        try:
            if self._pump():
                self._close()
            elif not self._out:
                self._reactor.modify(self._sock, READ, self)
        except OSError:
            self._close()

    def crashed(self, error: Exception) -> None:
        """Called by the reactor when `ready` raised."""
        self._close()

    def _pump(self) -> bool:
        """Send and discard; True when the peer has closed."""
        try:
            while self._out:
                sent = self._sock.send(self._out[0])
                self._out[0] = self._out[0][sent:]
                if not self._out[0]:
                    self._out.popleft()
            if not self._shut:
                self._shut = True
                self._sock.shutdown(socket.SHUT_WR)
        except (BlockingIOError, InterruptedError):
            pass
        try:
            for _ in range(_READS):
                if not self._sock.recv(_READ_SIZE):
                    return True
        except (BlockingIOError, InterruptedError):
            pass
        return False

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._registered:
            self._registered = False
            self._reactor.unregister(self._sock)
        self._sock.close()
