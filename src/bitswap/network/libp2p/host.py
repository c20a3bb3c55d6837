"""The node on the reactor's thread: which protocol gets which stream, and what the receiver is told."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from weakref import ref

from bitswap.errors import BitswapError, Closed, RemoteError, Timeout, UsageError
from bitswap.message import Message
from bitswap.metrics.interface import NetworkMetrics
from bitswap.metrics.sends import wants_timed
from bitswap.network.interface import WANTS, Receiver, SendDone
from bitswap.network.libp2p.arrivals import Arrivals
from bitswap.network.libp2p.identify import (
    IDENTIFY_ID,
    IDENTIFY_PUSH_ID,
    PROTOCOL_VERSION,
    IdentifyReader,
    IdentifyWriter,
    Identity,
)
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.lane import Lane
from bitswap.network.libp2p.link import Link
from bitswap.network.libp2p.message_reader import MessageReader
from bitswap.network.libp2p.multiaddr import Multiaddr
from bitswap.network.libp2p.negotiation import Failed, Negotiation
from bitswap.network.libp2p.ping import MAX_PING_STREAMS, PING_ID, PING_SIZE, Pinger, PingResponder
from bitswap.network.libp2p.reactor import Reactor
from bitswap.network.libp2p.remote import RemotePeer
from bitswap.network.libp2p.timers import Timer
from bitswap.network.libp2p.yamux_stream import StreamHandler, YamuxStream
from bitswap.options import NetworkOptions
from bitswap.tracer import tell

if TYPE_CHECKING:
    from bitswap._core.ahead_c import HashAhead
    from bitswap.network.interface import BatchReceiver

_log = logging.getLogger("bitswap.network")


@dataclass
class NetworkStat:
    """Counters since the start."""

    messages_received: int = 0
    messages_sent: int = 0
    bytes_received: int = 0
    """Bytes of message bodies."""


class Host:
    """Owner of the swarm's peers and streams."""

    def __init__(
        self,
        reactor: Reactor,
        identity: PeerIdentity,
        protocols: Sequence[str],
        receiver: Receiver,
        options: NetworkOptions,
        metrics: NetworkMetrics | None = None,
    ) -> None:
        self.reactor = reactor
        self.ahead: HashAhead | None = None
        self.options = options
        self.protocols = tuple(protocols)
        self.stat = NetworkStat()
        self.buffered = 0
        self.partial: set[MessageReader] = set()
        self.listen_addrs: tuple[bytes, ...] = ()
        self._identity = identity
        self._receiver = receiver
        together = self._deliver_together if hasattr(receiver, "messages_received") else None
        self._arrivals = Arrivals(together, reactor.defer)
        self._metrics = metrics
        self._served = (*self.protocols, IDENTIFY_ID, IDENTIFY_PUSH_ID, PING_ID)
        self._pings: dict[str, int] = {}
        self._known: OrderedDict[str, tuple[Multiaddr, ...]] = OrderedDict()

    # Peers.

    def peer_up(self, remote: RemotePeer) -> None:
        self._tell(lambda: self._receiver.peer_connected(remote.id))

    def peer_down(self, remote: RemotePeer, reason: BaseException | None) -> None:
        error = reason or RemoteError("the peer disconnected", peer=remote.id)
        for lane in list(remote.lanes.values()):
            lane.close(error)
        self._pings.pop(remote.id, None)
        self._arrivals.tell()
        self._tell(lambda: self._receiver.peer_disconnected(remote.id, reason))

    def link_up(self, remote: RemotePeer, link: Link) -> None:
        if not remote.identified:
            self._identify(remote, link)

    def link_down(self, remote: RemotePeer, link: Link, reason: BaseException | None) -> None: ...

    def remember(self, peer: str, addresses: Sequence[Multiaddr]) -> None:
        """Keep where `peer` can be dialled, newest first; the longest unused peers are forgotten."""
        if not addresses:
            return
        merged = tuple(dict.fromkeys([*addresses, *self._known.pop(peer, ())]))
        self._known[peer] = merged[: self.options.max_peer_addrs]
        while len(self._known) > self.options.max_known_peers:
            self._known.popitem(last=False)

    def addresses_of(self, peer: str) -> tuple[Multiaddr, ...]:
        """Where `peer` was reached before, or said that it listens."""
        return self._known.get(peer, ())

    # Streams of the peer.

    def stream_opened(self, remote: RemotePeer, link: Link, stream: YamuxStream) -> None:
        def agreed(stream: YamuxStream, protocol: str) -> StreamHandler | None:
            return self._serve(remote, link, stream, protocol)

        def failed(error: BaseException) -> None:
            _log.debug("a stream of %s came to nothing: %s", remote.id, error)
            link.schedule_flush()

        negotiation = Negotiation.listener(self._served, agreed, failed)
        negotiation.attach(stream, self.reactor, self.options.stream_timeout)

    def _serve(
        self, remote: RemotePeer, link: Link, stream: YamuxStream, protocol: str
    ) -> StreamHandler | None:
        if protocol in self.protocols:
            stream.grow_window(self.options.receive_window)
            return MessageReader(self, remote, link, stream)
        if protocol == IDENTIFY_ID:
            return IdentifyWriter(stream, self._identity_for(link))
        if protocol == IDENTIFY_PUSH_ID:
            return IdentifyReader(stream, self.options, lambda found: self._identified(remote, found))
        return self._serve_ping(remote, stream)

    def _serve_ping(self, remote: RemotePeer, stream: YamuxStream) -> StreamHandler | None:
        count = self._pings.get(remote.id, 0)
        if count >= MAX_PING_STREAMS:
            stream.reset()
            return None
        self._pings[remote.id] = count + 1

        def over() -> None:
            left = self._pings.get(remote.id, 0) - 1
            if left > 0:
                self._pings[remote.id] = left
            else:
                self._pings.pop(remote.id, None)

        return PingResponder(stream, over)

    # Streams of ours.

    def _open(
        self,
        link: Link,
        protocol: str,
        timeout: float,
        agreed: Callable[[YamuxStream], StreamHandler],
        failed: Failed,
    ) -> Timer | None:
        """Open a stream for a short exchange that is over, one way or the other, within `timeout`.

        Returns the timer that sees to it, for those who know better when it is over; None when it failed.
        """
        negotiation = Negotiation.initiator([protocol], lambda stream, _: agreed(stream), failed)
        try:
            stream = link.connection.session.open_stream(negotiation)
        except RemoteError as error:
            failed(error)
            return None
        negotiation.attach(stream, self.reactor, timeout)

        # An exchange that is over, and a connection that is gone, are not kept until its time has come.
        opened, its_link = ref(stream), ref(link)

        def expired() -> None:
            stream, link = opened(), its_link()
            if stream is not None and link is not None and not stream.closed:
                handler = stream.handler
                stream.reset()
                handler.closed(Timeout(f"no end of {protocol} within {timeout:.1f} s"))
                link.schedule_flush()

        link.schedule_flush()
        return self.reactor.later(timeout * 1.05, expired)

    def _identify(self, remote: RemotePeer, link: Link) -> None:
        def failed(error: BaseException) -> None:
            _log.debug("%s was not identified: %s", remote.id, error)

        self._open(
            link,
            IDENTIFY_ID,
            self.options.stream_timeout,
            lambda stream: IdentifyReader(
                stream, self.options, lambda found: self._identified(remote, found)
            ),
            failed,
        )

    def _identified(self, remote: RemotePeer, found: Identity) -> None:
        """Take what a peer says of itself; what it leaves out stays as it was."""
        remote.identified = True
        if found.protocols:
            remote.protocols = frozenset(found.protocols)
        remote.agent = found.agent_version or remote.agent
        remote.observed_address = found.observed_addr or remote.observed_address
        addresses: list[Multiaddr] = []
        for data in found.listen_addrs:
            try:
                address = Multiaddr.from_bytes(data)
            except UsageError:
                continue
            if address.port is not None:
                addresses.append(address)
        self.remember(remote.id, addresses)

    def _identity_for(self, link: Link) -> Identity:
        observed = b""
        if link.remote_address is not None:
            host, port = link.remote_address
            kind = "ip6" if ":" in host else "ip4"
            try:
                observed = Multiaddr.parse(f"/{kind}/{host.partition('%')[0]}/tcp/{port}").to_bytes()
            except UsageError:
                pass
        return Identity(
            public_key=self._identity.public_key_proto,
            listen_addrs=self.listen_addrs,
            protocols=self._served,
            observed_addr=observed,
            protocol_version=PROTOCOL_VERSION,
            agent_version=self.options.agent_version,
        )

    def ping(
        self, remote: RemotePeer, timeout: float, done: Callable[[float | None, BaseException | None], None]
    ) -> None:
        """One round trip; `done` gets the seconds or an error."""
        link = remote.link
        if link is None:
            done(None, RemoteError("the peer is not connected", peer=remote.id))
            return
        clock = self.reactor.now
        started = 0.0
        timer: Timer | None = None

        def finished(error: BaseException | None) -> None:
            if timer is not None:
                timer.cancel()
            if error is not None:
                done(None, error)
                return
            seconds = clock() - started
            remote.add_round_trip(seconds)
            done(seconds, None)

        def agreed(stream: YamuxStream) -> StreamHandler:
            nonlocal started
            started = clock()
            return Pinger(stream, os.urandom(PING_SIZE), finished)

        timer = self._open(link, PING_ID, timeout, agreed, finished)

    # Messages.

    def send(self, remote: RemotePeer | None, message: Message, lane: int, done: SendDone) -> None:
        """Send on a lane of a connected peer."""
        if remote is None:
            self.call_done(done, RemoteError("the peer is not connected"))
            return
        if self._metrics is not None and lane == WANTS:
            done = wants_timed(self._metrics, message, self.reactor.now, done)
        found = remote.lanes.get(lane)
        if found is None:
            found = remote.lanes[lane] = Lane(self, remote)
        found.send(message, done)

    def release(self, remote: RemotePeer) -> None:
        """Deliver what waited while the peer was paused, in turns."""
        more = [reader for reader in list(remote.readers) if reader.release(self.options.read_budget)]
        for link in remote.links:
            link.schedule_flush()
        if more and not remote.paused:
            self.reactor.call(lambda: self.release(remote))

    def deliver(self, remote: RemotePeer, link: Link, message: Message) -> None:
        self.stat.messages_received += 1
        self.stat.bytes_received += message.body_size
        link.last_message = self.reactor.now()
        if self._metrics is not None:
            tell("metrics", self._metrics.message_received, message.body_size)
        if not self._arrivals.add(remote.id, message):
            self._tell(lambda: self._receiver.message_received(remote.id, message))

    def _deliver_together(self, peer: str, messages: Sequence[Message]) -> None:
        receiver = cast("BatchReceiver", self._receiver)
        self._tell(lambda: receiver.messages_received(peer, messages))

    def stream_broke(self, remote: RemotePeer, error: BaseException) -> None:
        _log.debug("a stream of %s was reset: %s", remote.id, error)
        self._arrivals.tell()
        self._tell(lambda: self._receiver.receive_error(remote.id, error))

    def message_sent(self, remote: RemotePeer, message: Message) -> None:
        self.stat.messages_sent += 1

    def call_done(self, done: SendDone, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, BitswapError):
            error = RemoteError(str(error))
        self._tell(lambda: done(error))

    def _tell(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Closed:
            pass
        except Exception:
            _log.exception("a receiver's callback failed")
