"""Listening sockets: accept what fits, pause when the process is out of file descriptors, go on."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Sequence

from bitswap.errors import UsageError
from bitswap.network.libp2p.descriptors import descriptor_limit
from bitswap.network.libp2p.dialer import tcp_target
from bitswap.network.libp2p.entrance import Entrance
from bitswap.network.libp2p.multiaddr import Multiaddr
from bitswap.network.libp2p.reactor import Reactor
from bitswap.network.libp2p.resolver import numeric
from bitswap.network.libp2p.swarm import Swarm
from bitswap.options import NetworkOptions

_log = logging.getLogger("bitswap.network")

OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_BACKLOG = 1024
_ANY = {"0.0.0.0": ("127.0.0.1", "192.0.2.1"), "::": ("::1", "2001:db8::1")}
"""For each wildcard: the loopback address, and a documentation address for finding the outward one."""


class ListenError(UsageError, OSError):
    """An address that cannot be listened on."""


class Listener(Entrance):
    """One listening socket."""

    def __init__(self, reactor: Reactor, swarm: Swarm, address: Multiaddr, options: NetworkOptions) -> None:
        """Binds at once. Raises ListenError."""
        super().__init__(reactor, swarm, bind(address))
        self._options = options
        self.host, self.port = self._sock.getsockname()[:2]

    def _next(self) -> Sequence[socket.socket]:
        try:
            return (self._sock.accept()[0],)
        except (BlockingIOError, InterruptedError):
            raise
        except OSError as error:
            # In all other cases this one connection is gone already; the next is not.
            if error.errno in OUT_OF_RESOURCES:
                self._out_of_resources(error)
            return ()

    def crashed(self, error: Exception) -> None:
        """Listening goes on after a pause."""
        self._taking = False
        self._reactor.later(self._options.accept_pause, self.start)

    def _out_of_resources(self, error: OSError) -> None:
        _log.error(
            "cannot accept connections: %s (%d open connections; the limit of open files is %s). "
            "Accepting again in %.1f s",
            error,
            self._swarm.connections,
            descriptor_limit(),
            self._options.accept_pause,
        )
        self._pause()
        self._reactor.later(self._options.accept_pause, self.start)

    def addresses(self) -> list[str]:
        return reachable(self.host, self.port)


def reachable(host: str, port: int) -> list[str]:
    """Multiaddrs without peer id that others can dial; wildcards are replaced by real addresses."""
    hosts = [host]
    if host in _ANY:
        loopback, outside = _ANY[host]
        outward = _outward(outside)
        hosts = [loopback] if outward in (None, loopback) else [loopback, str(outward)]
    return [f"/{'ip6' if ':' in host else 'ip4'}/{host}/tcp/{port}" for host in hosts]


def bind(address: Multiaddr) -> socket.socket:
    """A listening socket that does not block. Raises ListenError."""
    try:
        host, port, family = tcp_target(address)
        found = numeric(host, port)
    except OSError as error:
        raise ListenError(f"cannot listen on {address}: {error}") from None
    if found is None:
        raise ListenError(f"cannot listen on {address}: only IP addresses can be listened on")
    family, target = found[0]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(target)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise ListenError(f"cannot listen on {address}: {error}") from None
    return sock


def _outward(towards: str) -> str | None:
    """The address that the system would use towards the outside; nothing is sent."""
    family = socket.AF_INET6 if ":" in towards else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((towards, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def bind_all(
    reactor: Reactor, swarm: Swarm, addresses: Sequence[Multiaddr], options: NetworkOptions
) -> list[Listener]:
    """A listener for each address, or none at all. Raises ListenError."""
    listeners: list[Listener] = []
    try:
        for address in addresses:
            listeners.append(Listener(reactor, swarm, address, options))
    except Exception:
        for listener in listeners:
            listener.close()
        raise
    return listeners
