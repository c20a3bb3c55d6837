"""Where connections of others come in: taken a few at a time, and only while there is room for handshakes."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence

from bitswap.network.libp2p.dialer import prepare
from bitswap.network.libp2p.reactor import READ, Reactor
from bitswap.network.libp2p.swarm import Swarm

ACCEPTS_A_TURN = 64
"""Connections taken before the others have their turn."""


class Entrance(ABC):
    """A socket that gives connections; all but making it is done on the reactor's thread."""

    def __init__(self, reactor: Reactor, swarm: Swarm, sock: socket.socket) -> None:
        self._reactor = reactor
        self._swarm = swarm
        self._sock = sock
        self._taking = False
        self._closed = False

    @abstractmethod
    def addresses(self) -> list[str]:
        """Multiaddrs without peer id that others can dial."""

    @abstractmethod
    def _next(self) -> Sequence[socket.socket]:
        """What comes next, nothing where that one was lost; raises BlockingIOError when nobody waits."""

    @abstractmethod
    def crashed(self, error: Exception) -> None:
        """Called by the reactor when `ready` raised."""

    def start(self) -> None:
        """Take connections from now on."""
        if not self._taking and not self._closed:
            self._taking = True
            self._reactor.register(self._sock, READ, self)

    def _pause(self) -> None:
        if self._taking:
            self._taking = False
            self._reactor.unregister(self._sock)

    def close(self) -> None:
        """Stop for good."""
        self._pause()
        self._closed = True
        self._sock.close()

    def ready(self, events: int) -> None:
        """Called by the reactor."""
        for _ in range(ACCEPTS_A_TURN):
            if not self._taking:
                return
            if self._swarm.handshakes_full:
                self._pause()
                return
            try:
                found = self._next()
            except (BlockingIOError, InterruptedError):
                return
            for sock in found:
                prepare(sock)
                self._swarm.accept(sock)
