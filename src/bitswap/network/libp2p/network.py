"""`Libp2pNetwork`: Bitswap over libp2p. The calls of any thread are carried to the reactor's thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from os import PathLike
from typing import TypeVar

from bitswap.errors import BitswapError, Closed, RemoteError, Timeout, UsageError
from bitswap.message import PROTOCOLS, Message, supports_have
from bitswap.metrics.interface import Metrics, NetworkGauges, NetworkMetrics, Stop
from bitswap.network.interface import WANTS, AnyThread, Peer, Receiver, SendDone
from bitswap.network.libp2p.addresses import dialable
from bitswap.network.libp2p.connection import security_ids
from bitswap.network.libp2p.descriptors import raise_descriptor_limit
from bitswap.network.libp2p.dialer import Dialer
from bitswap.network.libp2p.entrance import Entrance
from bitswap.network.libp2p.handed import HandedSockets
from bitswap.network.libp2p.hashing import HashThread, start_hash_thread
from bitswap.network.libp2p.host import Host, NetworkStat
from bitswap.network.libp2p.identity import PeerIdentity, peer_id_from_text
from bitswap.network.libp2p.listener import bind_all
from bitswap.network.libp2p.multiaddr import Multiaddr
from bitswap.network.libp2p.reactor import Reactor
from bitswap.network.libp2p.resolver import Resolver
from bitswap.network.libp2p.swarm import Swarm
from bitswap.options import NetworkOptions
from bitswap.tracer import tell

_T = TypeVar("_T")

_SPARE_DESCRIPTORS = 64
"""Files that the rest of the process may need."""
_GRACE = 5.0
"""Seconds a waiting caller gives the reactor beyond the deadline that the reactor keeps itself."""
_SHORT = 64
"""Wants of a message that takes no longer to write than another thread to wake."""
_CLOSE_POLL = 0.005
_SCOPE = "exchange_bitswap"
"""Under which boxo exports what such a network measures."""


class Libp2pNetwork:
    """Implements `bitswap.network.interface.Network` over TCP, TLS or Noise, and yamux.

    One thread does all the work (`bitswap-network`); it is a daemon, so a forgotten network does not keep the
    interpreter alive. Another thread that computes in Python without pause keeps the interpreter for 5 ms at
    a time, and throughput falls to a fraction; `sys.setswitchinterval(1e-4)` about doubles what is left.
    """

    def __init__(
        self,
        listen: Sequence[str] = (),
        *,
        identity: PeerIdentity | str | PathLike[str] | None = None,
        security: Sequence[str] = ("tls", "noise"),
        options: NetworkOptions | None = None,
        protocols: Sequence[str] = PROTOCOLS,
        handed: socket.socket | None = None,
    ) -> None:
        """`listen` are multiaddrs such as /ip4/0.0.0.0/tcp/4001 (port 0: any); `identity` a key, or the path
        of a key file that is made when missing; `security` in order of preference. With `handed`, a socket as
        `HandedSockets` takes it, another process listens at those addresses. Raises UsageError."""
        if isinstance(listen, str) or isinstance(security, str):
            raise UsageError("listen and security take lists")
        self.options = options or NetworkOptions()
        self._listen = tuple(Multiaddr.parse(text) for text in listen)
        self._security = security_ids(security)
        self._protocols = tuple(protocols)
        self._handed = handed
        if identity is None:
            identity = PeerIdentity.generate()
        elif not isinstance(identity, PeerIdentity):
            identity = PeerIdentity.load_or_create(identity)
        self._identity = identity
        self._lock = threading.Lock()
        self._reactor: Reactor | None = None
        self._closing = False
        self._addrs: tuple[str, ...] = ()
        self._listeners: Sequence[Entrance] = ()
        self._metrics: NetworkMetrics | None = None
        self._unwatch: Stop | None = None
        self._dials: dict[str, list[Future[str]]] = {}
        self._hashing: HashThread | None = None
        self._resolver: Resolver
        self._host: Host
        self._swarm: Swarm
        self._dialer: Dialer

    # Life.

    @property
    def self_id(self) -> Peer:
        return self._identity.peer_id

    @property
    def addrs(self) -> Sequence[str]:
        return self._addrs

    @property
    def stat(self) -> NetworkStat:
        """Counters since the start."""
        return self._host.stat if self._reactor is not None else NetworkStat()

    def observe(self, metrics: Metrics) -> None:
        """Tell `metrics` of messages (scope "exchange_bitswap"). Raises UsageError after `start`."""
        with self._lock:
            if self._reactor is not None:
                raise UsageError("the network was started already")
            self._metrics = metrics.network(_SCOPE)

    def gauges(self) -> NetworkGauges:
        """What is charted of the network at the moment."""
        remotes = list(self._swarm.peers.values()) if self._reactor is not None else []
        return NetworkGauges(sum(remote.in_flight for remote in remotes))

    def start(self, receiver: Receiver) -> None:
        """Raises ListenError (UsageError) when an address cannot be listened on."""
        with self._lock:
            if self._closing:
                raise Closed("the network is closed")
            if self._reactor is not None:
                raise UsageError("the network was started already")
            options = self.options
            if options.raise_descriptor_limit:
                raise_descriptor_limit(options.max_connections + _SPARE_DESCRIPTORS)
            reactor = Reactor(read_buffer=options.read_buffer)
            self._host = Host(reactor, self._identity, self._protocols, receiver, options, self._metrics)
            self._swarm = Swarm(reactor, self._identity, self._security, self._host, options)
            self._resolver = Resolver(options.max_resolvers)
            self._dialer = Dialer(reactor, self._swarm, self._resolver, options)
            try:
                if self._handed is not None:
                    self._listeners = [HandedSockets(reactor, self._swarm, self._handed, self._listen)]
                else:
                    self._listeners = bind_all(reactor, self._swarm, self._listen, options)
            except BaseException:
                reactor.stop()
                raise
            self._swarm.room_for_handshakes = self._accept
            bound = [address for listener in self._listeners for address in listener.addresses()]
            self._addrs = tuple(f"{address}/p2p/{self.self_id}" for address in bound)
            self._host.listen_addrs = tuple(Multiaddr.parse(address).to_bytes() for address in bound)
            self._reactor = reactor
            if self._metrics is not None:
                self._unwatch = self._metrics.watch(self.gauges)
            self._hashing = start_hash_thread(options.hash_threads)
            if self._hashing is not None:
                self._host.ahead = self._hashing.ahead
            reactor.call(self._accept)
            reactor.start()

    def _accept(self) -> None:
        for listener in self._listeners:
            listener.start()

    def close(self) -> None:
        with self._lock:
            first, self._closing = not self._closing, True
            reactor = self._reactor
        if reactor is None:
            return
        if first:
            try:
                reactor.call(self._shut)
            except Closed:
                pass
            if self._unwatch is not None:
                tell("metrics", self._unwatch)
        if not reactor.on_thread:
            reactor.join()
            self._resolver.close()
            if self._hashing is not None:
                self._hashing.join()

    def _shut(self) -> None:
        """Say good-bye to everybody, give them a moment to read it, then end the thread."""
        reactor = self._running()
        deadline = reactor.now() + self.options.linger
        for listener in self._listeners:
            listener.close()
        self._dialer.close()
        self._swarm.close()
        if self._hashing is not None:
            self._hashing.stop()

        def stop_when_silent() -> None:
            if reactor.idle or reactor.now() >= deadline:
                reactor.stop()
            else:
                reactor.later(_CLOSE_POLL, stop_when_silent)

        stop_when_silent()

    def _running(self) -> Reactor:
        if self._reactor is None:
            if self._closing:
                raise Closed("the network is closed")
            raise UsageError("the network is not started")
        return self._reactor

    # Connections.

    def dialable(self, peer: Peer, addresses: Sequence[str]) -> list[str]:
        """Those addresses of `peer` that can be dialled, the most promising first, each naming the peer."""
        return dialable(peer, addresses)

    def connect(self, address: str, timeout: float | None = None) -> Peer:
        peer, addresses = self._target(address)
        if peer is not None and self.is_connected(peer):
            return peer
        wait = self.options.dial_timeout if timeout is None else timeout
        return self._wait(wait, lambda future: self._dial(address, peer, addresses, wait, future))

    def _target(self, address: str) -> tuple[Peer | None, tuple[Multiaddr, ...]]:
        """The peer that is meant, if named, and where to dial it, if said."""
        if address.startswith("/p2p/") or not address.startswith("/"):
            peer: str | None = peer_id_from_text(address.removeprefix("/p2p/"))
            addresses: tuple[Multiaddr, ...] = ()
        else:
            parsed = Multiaddr.parse(address)
            peer, addresses = parsed.peer_id, (parsed,)
        if peer == self.self_id:
            raise UsageError("a node cannot connect to itself")
        return peer, addresses

    def _dial(
        self,
        key: str,
        peer: Peer | None,
        addresses: tuple[Multiaddr, ...],
        timeout: float,
        future: Future[str],
    ) -> None:
        """On the reactor's thread. Those who ask for an address that is being dialled wait for that dial."""
        if self._swarm.closed:
            future.set_exception(Closed("the network is closed"))
            return
        if not addresses and peer is not None:
            addresses = self._host.addresses_of(peer)
            if not addresses:
                future.set_exception(RemoteError(f"no address of {peer} is known", peer=peer))
                return
        waiting = self._dials.get(key)
        if waiting is not None:
            waiting.append(future)
            return
        self._dials[key] = [future]

        def outcome(found: str | None, error: BaseException | None) -> None:
            if found is not None:
                self._host.remember(found, addresses)
            for waiter in self._dials.pop(key):
                _settle(waiter, found, error)

        self._dialer.dial(addresses, peer, timeout, outcome)

    def _wait(self, timeout: float, start: Callable[[Future[_T]], None]) -> _T:
        """Start something on the reactor's thread and wait for its future."""
        reactor = self._running()
        if reactor.on_thread:
            raise UsageError("this call waits for the network thread and cannot be made from a callback")
        future: Future[_T] = Future()
        reactor.call(lambda: start(future))
        try:
            return future.result(timeout + _GRACE)
        except FutureTimeout as error:
            if isinstance(error, BitswapError):
                raise
            raise Timeout(f"no answer within {timeout:.1f} s") from None

    def disconnect(self, peer: Peer) -> None:
        self._running().call(lambda: self._swarm.disconnect(peer))

    def is_connected(self, peer: Peer) -> bool:
        return self._reactor is not None and peer in self._swarm.peers

    def peers(self) -> list[Peer]:
        return list(self._swarm.peers) if self._reactor is not None else []

    def supports_have(self, peer: Peer) -> bool:
        remote = self._swarm.peers.get(peer) if self._reactor is not None else None
        lane = remote.lanes.get(WANTS) if remote is not None else None
        return lane is None or lane.protocol is None or supports_have(lane.protocol)

    def agent(self, peer: Peer) -> str:
        """What the peer's software calls itself; "" when it is not known."""
        remote = self._swarm.peers.get(peer) if self._reactor is not None else None
        return remote.agent if remote is not None else ""

    def latency(self, peer: Peer) -> float | None:
        remote = self._swarm.peers.get(peer) if self._reactor is not None else None
        return remote.latency if remote is not None else None

    def ping(self, peer: Peer, timeout: float | None = None) -> float:
        wait = self.options.ping_timeout if timeout is None else timeout

        def start(future: Future[float]) -> None:
            remote = self._swarm.peers.get(peer)
            if remote is None:
                future.set_exception(RemoteError("the peer is not connected", peer=peer))
            else:
                self._host.ping(remote, wait, lambda seconds, error: _settle(future, seconds, error))

        return self._wait(wait, start)

    # Messages.

    def send(self, peer: Peer, message: Message, lane: int, done: SendDone) -> None:
        try:
            reactor = self._running()
            if isinstance(done, AnyThread) and lane == WANTS and message.entry_count <= _SHORT:
                self._send_here(reactor, peer, message, lane, done)
            else:
                reactor.call(lambda: self._send(peer, message, lane, done))
        except Closed as error:
            done(error)

    def _send_here(self, reactor: Reactor, peer: Peer, message: Message, lane: int, done: SendDone) -> None:
        """Send it before this returns, if the network's thread sleeps; `done` comes after the write."""

        def after_flush(error: BaseException | None) -> None:
            reactor.defer(lambda: self._host.call_done(done, error))

        reactor.call_here(
            lambda: self._send(peer, message, lane, after_flush), lambda: self._swarm.break_off(peer)
        )

    def _send(self, peer: Peer, message: Message, lane: int, done: SendDone) -> None:
        if self._swarm.closed:
            self._host.call_done(done, Closed("the network is closed"))
        else:
            self._host.send(self._swarm.peers.get(peer), message, lane, done)

    def pause(self, peer: Peer) -> None:
        remote = self._swarm.peers.get(peer) if self._reactor is not None else None
        if remote is not None:
            remote.paused = True

    def resume(self, peer: Peer) -> None:
        remote = self._swarm.peers.get(peer) if self._reactor is not None else None
        if remote is not None and self._reactor is not None:
            remote.paused = False
            try:
                self._reactor.call(lambda: self._host.release(remote))
            except Closed:
                pass


def _settle(future: Future[_T], value: _T | None, error: BaseException | None) -> None:
    if future.done():
        return
    if value is not None:
        future.set_result(value)
    else:
        future.set_exception(error or RemoteError("no answer"))
