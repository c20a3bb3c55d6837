"""All connections of the node: how many there may be, whose they are, when a peer comes and goes."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Protocol

from bitswap.errors import Closed, RemoteError
from bitswap.network.libp2p.connection import ConnectionLost
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.link import Link
from bitswap.network.libp2p.origins import Origins, origin_of
from bitswap.network.libp2p.reactor import Reactor
from bitswap.network.libp2p.remote import RemotePeer
from bitswap.network.libp2p.yamux import INTERNAL_ERROR
from bitswap.network.libp2p.yamux_stream import YamuxStream
from bitswap.options import NetworkOptions

_log = logging.getLogger("bitswap.network")


class TooManyConnections(RemoteError):
    """A connection more than the options allow."""


class SwarmOwner(Protocol):
    """Who is told of peers and their streams."""

    def peer_up(self, remote: RemotePeer) -> None:
        """Its first connection is open."""

    def peer_down(self, remote: RemotePeer, reason: BaseException | None) -> None:
        """Its last connection is gone."""

    def link_up(self, remote: RemotePeer, link: Link) -> None:
        """One connection is open, after `peer_up`."""

    def link_down(self, remote: RemotePeer, link: Link, reason: BaseException | None) -> None:
        """One connection is gone, before `peer_down`."""

    def stream_opened(self, remote: RemotePeer, link: Link, stream: YamuxStream) -> None:
        """The peer opened a stream."""


Outcome = Callable[["str | None", "BaseException | None"], None]
"""Told once what became of an outgoing connection: (peer id, None) or (None, error)."""


class Swarm:
    """On the reactor's thread only, but for reading `peers`."""

    def __init__(
        self,
        reactor: Reactor,
        identity: PeerIdentity,
        security: tuple[str, ...],
        owner: SwarmOwner,
        options: NetworkOptions,
    ) -> None:
        self.peers: dict[str, RemotePeer] = {}
        self.closed = False
        self.room_for_handshakes: Callable[[], None] = lambda: None
        """Called when an inbound handshake ended one way or the other."""
        self.inbound_over: Callable[[], None] = lambda: None
        """Called when an inbound connection was refused or is gone."""
        self._reactor = reactor
        self._identity = identity
        self._security = security
        self._owner = owner
        self._options = options
        self._links: set[Link] = set()
        self._handshakes: set[Link] = set()
        self._origins: dict[Link, str] = {}
        self._from = Origins()
        self._shaking_from = Origins()
        self.refused = 0
        """Inbound connections that were closed at once."""
        self._outcomes: dict[Link, Outcome] = {}

    @property
    def connections(self) -> int:
        """Connections of any state."""
        return len(self._links)

    @property
    def handshakes_full(self) -> bool:
        """Whether no inbound connection should be accepted for now."""
        return len(self._handshakes) >= self._options.max_pending_handshakes

    def accept(self, sock: socket.socket) -> None:
        """Take an inbound connection, or close it at once when there are too many."""
        origin = _origin(sock)
        too_many = self._too_many(origin)
        if self.closed or too_many is not None:
            sock.close()
            self.refused += 1
            self.inbound_over()
            # Who is refused comes again at once: the 1st, 2nd, 4th, 8th… refusal is told.
            if too_many is not None and self.refused & (self.refused - 1) == 0:
                _log.warning("inbound connection %d was refused: %s", self.refused, too_many)
            return
        link = self._link(sock, initiator=False, expected_peer=None)
        self._handshakes.add(link)
        self._origins[link] = origin
        self._from.add(origin)
        self._shaking_from.add(origin)
        link.start(self._options.handshake_timeout)

    def _too_many(self, origin: str) -> str | None:
        """Why nothing more is accepted from there, if so."""
        options = self._options
        if self.connections >= options.max_connections:
            return f"{self.connections} are open"
        if self._from.count(origin) >= options.max_connections_per_address:
            return f"{self._from.count(origin)} are open from {origin}"
        if self._shaking_from.count(origin) >= options.max_pending_handshakes_per_address:
            return f"{self._shaking_from.count(origin)} from {origin} have not finished their handshake"
        return None

    def connected(
        self, sock: socket.socket, expected_peer: str | None, timeout: float, outcome: Outcome
    ) -> Link | None:
        """Start the handshake on an outgoing connection that TCP has made."""
        if self.closed or self.connections >= self._options.max_connections:
            sock.close()
            if self.closed:
                outcome(None, Closed("the network is closed"))
            else:
                outcome(None, TooManyConnections(f"{self.connections} connections are open already"))
            return None
        link = self._link(sock, initiator=True, expected_peer=expected_peer)
        self._outcomes[link] = outcome
        link.start(timeout)
        return link

    def _link(self, sock: socket.socket, *, initiator: bool, expected_peer: str | None) -> Link:
        link = Link(
            self._reactor,
            sock,
            self._identity,
            self,
            self._options,
            initiator=initiator,
            security=self._security,
            expected_peer=expected_peer,
        )
        self._links.add(link)
        return link

    def disconnect(self, peer: str) -> None:
        """Close every connection to `peer`."""
        remote = self.peers.get(peer)
        for link in list(remote.links) if remote else ():
            link.close(None)

    def break_off(self, peer: str) -> None:
        """What was done for `peer` ended halfway: nobody knows in what state its connections are."""
        remote = self.peers.get(peer)
        for link in list(remote.links) if remote else ():
            link.close(ConnectionLost("a call was interrupted while it wrote", peer=peer), INTERNAL_ERROR)

    def close(self) -> None:
        """Close everything; nothing is accepted or connected afterwards."""
        self.closed = True
        for link in list(self._links):
            link.close(None)

    # What links tell.

    def link_open(self, link: Link) -> None:
        self._handshake_over(link)
        remote = self.peers.get(link.peer)
        first = remote is None
        if remote is None:
            remote = self.peers[link.peer] = RemotePeer(link.peer)
        elif len(remote.links) >= self._options.max_connections_per_peer:
            raise TooManyConnections(
                f"{len(remote.links)} connections to {link.peer} are open", peer=link.peer
            )
        remote.links.append(link)
        _log.debug("%r is open (%s)", link, link.connection.security)
        if first:
            self._owner.peer_up(remote)
        if not link.closed:
            self._owner.link_up(remote, link)
        outcome = self._outcomes.pop(link, None)
        if outcome is not None:
            outcome(link.peer, None)

    def link_stream(self, link: Link, stream: YamuxStream) -> None:
        remote = self.peers.get(link.peer)
        if remote is None:
            stream.reset()
        else:
            self._owner.stream_opened(remote, link, stream)

    def link_round_trip(self, link: Link, seconds: float) -> None:
        remote = self.peers.get(link.peer)
        if remote is not None:
            remote.add_round_trip(seconds)

    def link_closed(self, link: Link, error: BaseException | None) -> None:
        self._links.discard(link)
        self._handshake_over(link)
        origin = self._origins.pop(link, None)
        if origin is not None:
            self._from.discard(origin)
            self.inbound_over()
        remote = self.peers.get(link.peer)
        if remote is not None and link in remote.links:
            remote.links.remove(link)
            self._owner.link_down(remote, link, error)
            if not remote.links and self.peers.get(link.peer) is remote:
                del self.peers[link.peer]
                self._owner.peer_down(remote, error)
        outcome = self._outcomes.pop(link, None)
        if outcome is not None:
            outcome(None, error or RemoteError("the peer closed the connection", peer=link.peer or None))

    def _handshake_over(self, link: Link) -> None:
        if link in self._handshakes:
            self._handshakes.discard(link)
            self._shaking_from.discard(self._origins[link])
            self.room_for_handshakes()


def _origin(sock: socket.socket) -> str:
    try:
        return origin_of(str(sock.getpeername()[0]))
    except (OSError, ValueError):
        return ""
