"""Outgoing connections: names to addresses, TCP, then the handshake, within one deadline."""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Sequence

from bitswap.errors import BitswapError, Closed, RemoteError, Timeout, UsageError
from bitswap.network.libp2p.link import Link
from bitswap.network.libp2p.multiaddr import Multiaddr
from bitswap.network.libp2p.reactor import WRITE, Reactor
from bitswap.network.libp2p.resolver import Resolver, SocketAddress, numeric
from bitswap.network.libp2p.swarm import Outcome, Swarm
from bitswap.network.libp2p.timers import Timer
from bitswap.options import NetworkOptions

_IN_PROGRESS = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK)}
_FAMILIES = {"ip4": socket.AF_INET, "dns4": socket.AF_INET, "ip6": socket.AF_INET6, "dns6": socket.AF_INET6}


class DialError(RemoteError):
    """No address of a peer answered; the message names each and why."""


def tcp_target(address: Multiaddr) -> tuple[str, int, int]:
    """(host, port, address family) of a plain TCP address. Raises UsageError for any other transport."""
    parts = str(address).split("/")[1:]
    if len(parts) >= 4 and parts[2] == "tcp" and parts[4:5] in ([], ["p2p"]) and len(parts) <= 6:
        family = _FAMILIES.get(parts[0], socket.AF_UNSPEC if parts[0] == "dns" else None)
        if family is not None and address.host is not None and address.port is not None:
            return address.host, address.port, family
    raise UsageError(f"{address} is not a plain TCP address; nothing else can be dialled")


class Dial:
    """One attempt to reach one peer: addresses are tried one after the other."""

    def __init__(
        self,
        dialer: Dialer,
        addresses: Sequence[Multiaddr],
        expected_peer: str | None,
        timeout: float,
        outcome: Outcome,
    ) -> None:
        self._dialer = dialer
        self._todo = deque(addresses)
        self._sockets: deque[SocketAddress] = deque()
        self._expected_peer = expected_peer
        self._outcome: Outcome | None = outcome
        self._failures: list[tuple[str, BaseException]] = []
        self._trying = ""
        self._sock: socket.socket | None = None
        self._link: Link | None = None
        self._deadline = dialer.reactor.now() + timeout
        self._timer: Timer = dialer.reactor.later(timeout, self._expired)

    def step(self) -> None:
        """Try the next address."""
        if self._outcome is None:
            return
        if self._sockets:
            self._connect(self._sockets.popleft())
        elif self._todo:
            self._resolve(self._todo.popleft())
        else:
            self._give_up()

    def fail(self, error: BaseException) -> None:
        """End it."""
        self._finish(None, error)
        if self._link is not None:
            self._link.close(None)

    def _resolve(self, address: Multiaddr) -> None:
        self._trying = str(address)
        try:
            host, port, family = tcp_target(address)
            found = numeric(host, port)
        except (UsageError, OSError) as error:
            self._failed(error)
            return
        if found is not None:
            self._sockets.extend(found)
            self.step()
            return
        reactor = self._dialer.reactor

        def resolved(result: list[SocketAddress] | Exception) -> None:
            try:
                reactor.call(lambda: self._resolved(result))
            except Closed:
                pass

        self._dialer.resolver.resolve(host, port, family, resolved)

    def _resolved(self, result: list[SocketAddress] | Exception) -> None:
        if isinstance(result, Exception):
            self._failed(result)
        else:
            self._sockets.extend(result)
            self.step()

    def _connect(self, target: SocketAddress) -> None:
        family, address = target
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            self._failed(error)
            return
        sock.setblocking(False)
        try:
            code = sock.connect_ex(address)
        except OSError as error:
            sock.close()
            self._failed(error)
            return
        if code not in _IN_PROGRESS:
            sock.close()
            self._failed(OSError(code, os.strerror(code)))
            return
        self._sock = sock
        self._dialer.reactor.register(sock, WRITE, self)

    def ready(self, events: int) -> None:
        """Called by the reactor: TCP has connected or failed."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        self._dialer.reactor.unregister(sock)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            sock.close()
            self._failed(OSError(code, os.strerror(code)))
            return
        prepare(sock)
        left = max(0.001, self._deadline - self._dialer.reactor.now())
        self._link = self._dialer.swarm.connected(sock, self._expected_peer, left, self._handshaken)

    def crashed(self, error: Exception) -> None:
        """Called by the reactor when `ready` raised."""
        self._failed(error)

    def _handshaken(self, peer: str | None, error: BaseException | None) -> None:
        self._link = None
        if peer is not None:
            self._finish(peer, None)
        else:
            self._failed(error or DialError("the handshake failed"))

    def _failed(self, error: BaseException) -> None:
        self._failures.append((self._trying, error))
        self.step()

    def _give_up(self) -> None:
        if len(self._failures) == 1 and isinstance(self._failures[0][1], BitswapError):
            self._finish(None, self._failures[0][1])
            return
        reasons = "; ".join(f"{where}: {error}" for where, error in self._failures)
        self._finish(None, DialError(f"dial failed: {reasons}", peer=self._expected_peer))

    def _expired(self) -> None:
        tried = "; ".join(f"{where}: {error}" for where, error in self._failures)
        where = f"time ran out at {self._trying}" + (f" (before: {tried})" if tried else "")
        self.fail(Timeout(f"dial failed: {where}"))

    def _finish(self, peer: str | None, error: BaseException | None) -> None:
        outcome, self._outcome = self._outcome, None
        if outcome is None:
            return
        self._timer.cancel()
        if self._sock is not None:
            self._dialer.reactor.unregister(self._sock)
            self._sock.close()
            self._sock = None
        self._dialer.dial_over(self)
        outcome(peer, error)


class Dialer:
    """Dials on the reactor's thread; a bounded number at a time, further ones wait their turn."""

    def __init__(self, reactor: Reactor, swarm: Swarm, resolver: Resolver, options: NetworkOptions) -> None:
        self.reactor = reactor
        self.swarm = swarm
        self.resolver = resolver
        self._options = options
        self._active: set[Dial] = set()
        self._waiting: dict[Dial, None] = {}

    def dial(
        self, addresses: Sequence[Multiaddr], expected_peer: str | None, timeout: float, outcome: Outcome
    ) -> None:
        """Try `addresses` in order until one leads to `expected_peer` (or to anybody when None)."""
        if len(self._waiting) >= self._options.max_queued_dials:
            outcome(None, DialError(f"{len(self._waiting)} dials are waiting already", peer=expected_peer))
            return
        dial = Dial(self, addresses, expected_peer, timeout, outcome)
        self._waiting[dial] = None
        self._start_waiting()

    def dial_over(self, dial: Dial) -> None:
        """Called by each dial at its end."""
        self._active.discard(dial)
        self._waiting.pop(dial, None)
        self._start_waiting()

    def _start_waiting(self) -> None:
        while self._waiting and len(self._active) < self._options.max_pending_dials:
            dial = next(iter(self._waiting))
            del self._waiting[dial]
            self._active.add(dial)
            dial.step()

    def close(self) -> None:
        """Fail every dial."""
        for dial in [*self._waiting, *self._active]:
            dial.fail(Closed("the network is closed"))


def prepare(sock: socket.socket) -> None:
    """What every connected socket of ours has: no blocking, no waiting for fuller packets."""
    sock.setblocking(False)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        # Already closed by the peer; reading will tell.
        pass
