"""Connections that another process of the node accepted; their sockets come through a Unix socket.

Down come single bytes, each with the descriptor of a connection; up goes a byte for each connection that is
gone, so that whoever hands them over knows how many there are. POSIX only (SCM_RIGHTS).
"""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Sequence

from bitswap.network.libp2p.entrance import Entrance
from bitswap.network.libp2p.multiaddr import Multiaddr
from bitswap.network.libp2p.reactor import Reactor
from bitswap.network.libp2p.swarm import Swarm

_log = logging.getLogger("bitswap.network")


class HandedSockets(Entrance):
    """Stands where a `Listener` stands; leaves sockets in the Unix socket while too many handshakes run."""

    def __init__(
        self, reactor: Reactor, swarm: Swarm, door: socket.socket, told: Sequence[Multiaddr]
    ) -> None:
        """`told` are the addresses that the other process listens at."""
        super().__init__(reactor, swarm, door)
        self._told = tuple(told)
        self._gone = 0
        door.setblocking(False)
        swarm.inbound_over = self._over

    def addresses(self) -> list[str]:
        return [str(address) for address in self._told]

    def _next(self) -> Sequence[socket.socket]:
        try:
            found = _receive(self._sock)
        except (BlockingIOError, InterruptedError):
            raise
        except OSError:
            found = None
        if found is None:
            self.close()
            return ()
        if not found:
            _log.error("a connection was lost: the process is out of file descriptors")
            self._over()
        return found

    def crashed(self, error: Exception) -> None:
        """Whoever hands sockets over notices the end of it."""
        self.close()

    def _over(self) -> None:
        self._gone += 1
        if self._closed:
            return
        try:
            self._gone -= self._sock.send(bytes(self._gone))
        except OSError:
            pass  # told with the next one


def _receive(door: socket.socket) -> list[socket.socket] | None:
    """The sockets of one message; none of them when there was no descriptor left for it, None at the end."""
    if sys.platform == "win32":
        raise OSError("Windows hands no sockets over")
    data, descriptors, _, _ = socket.recv_fds(door, 1, 1)
    if not data:
        return None
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]
