"""One libp2p connection as a machine: ciphertext in and out on one side, yamux streams on the other.

Order (libp2p specification connections/README.md): multistream agrees on a security protocol, its handshake
names the peer, the muxer comes with the handshake or from a second multistream inside the channel, then yamux
runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from bitswap.errors import RemoteError, UsageError
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.multistream import Initiator, Listener, NegotiationError, Negotiator
from bitswap.network.libp2p.security import (
    NOISE_ID,
    TLS_ID,
    YAMUX_ID,
    ChannelFactory,
    HandshakeError,
    SecureChannel,
)
from bitswap.network.libp2p.yamux import NORMAL, SessionHandler, Yamux
from bitswap.options import NetworkOptions

_NAMES = {"tls": TLS_ID, "noise": NOISE_ID}


class ConnectionLost(RemoteError):
    """The connection broke without a good-bye."""


class GoneAway(RemoteError):
    """The peer closed the connection because of an error that it saw on our side."""


class ConnectionHandler(SessionHandler, Protocol):
    """What a connection tells its owner."""

    def connection_open(self) -> None:
        """The peer is verified and `session` takes streams."""


class Stage(Enum):
    """How far a connection is."""

    SECURITY = "agreeing on a security protocol"
    HANDSHAKE = "handshake"
    MUXER = "agreeing on a stream muxer"
    OPEN = "open"
    CLOSED = "closed"


def security_ids(names: Sequence[str]) -> tuple[str, ...]:
    """Protocol ids for "tls" and "noise" (or the ids themselves), in order. Raises UsageError.

    Their libraries are loaded here, so that no connection waits for that.
    """
    ids = tuple(_NAMES.get(name, name) for name in names)
    for protocol in ids:
        if protocol not in _NAMES.values():
            raise UsageError(f"no security protocol {protocol!r}; there are {', '.join(_NAMES)}")
        _factory(protocol)
    if not ids:
        raise UsageError("at least one security protocol is needed")
    return ids


def _factory(protocol: str) -> ChannelFactory:
    """Who makes channels of this id. pyOpenSSL, which only TLS needs, is a tenth of a node's memory."""
    if protocol == TLS_ID:
        from bitswap.network.libp2p.tls import tls_channel

        return tls_channel
    from bitswap.network.libp2p.noise import noise_channel

    return noise_channel


class Connection:
    """Feed `receive`, send `data_to_send`; when a call raised, send what is left and close."""

    def __init__(
        self,
        identity: PeerIdentity,
        handler: ConnectionHandler,
        options: NetworkOptions,
        *,
        initiator: bool,
        security: Sequence[str],
        expected_peer: str | None = None,
    ) -> None:
        """`security` are protocol ids in order of preference; only `expected_peer`, if any, is accepted."""
        self.initiator = initiator
        self.stage = Stage.SECURITY
        self.security: str | None = None
        self.remote_peer: str | None = None
        self.session = Yamux(handler, options, initiator=initiator)
        self._identity = identity
        self._handler = handler
        self._options = options
        self._expected_peer = expected_peer
        self._channel: SecureChannel | None = None
        self._raw: list[bytes] = []
        self._negotiator: Negotiator = Initiator(security) if initiator else Listener(security)
        if initiator:
            self._raw.append(self._negotiator.data_to_send())

    # Bytes in.

    def receive(self, data: memoryview, plain: memoryview) -> None:
        """Take ciphertext; `plain` is scratch space for what is decrypted, and both may be reused afterwards.

        Raises RemoteError of some kind when the connection is to be closed.
        """
        if self.stage is Stage.CLOSED:
            return
        if self.stage is Stage.SECURITY:
            left = self._negotiate(data)
            self._raw.append(self._negotiator.data_to_send())
            if self._negotiator.selected is None:
                return
            self._secure(self._negotiator.selected)
            data = memoryview(left)
        channel = self._channel
        assert channel is not None
        channel.receive(data)
        if self.stage is Stage.HANDSHAKE and channel.established:
            self._established(channel)
        if self.stage is not Stage.HANDSHAKE:
            self._drain(channel, plain)

    def _drain(self, channel: SecureChannel, plain: memoryview) -> None:
        """Hand on everything that is decrypted, so that nothing waits unseen inside the channel."""
        while self.stage is not Stage.CLOSED:
            count = channel.read_into(plain)
            if not count:
                return
            if self.stage is Stage.MUXER:
                left = self._negotiate(plain[:count])
                channel.write([self._negotiator.data_to_send()])
                if self._negotiator.selected is None:
                    continue
                self._open()
                self.session.receive(memoryview(left))
            else:
                self.session.receive(plain[:count])

    def _negotiate(self, data: memoryview) -> bytes:
        self._negotiator.receive(data)
        return self._negotiator.leftover if self._negotiator.selected is not None else b""

    def _secure(self, protocol: str) -> None:
        self.security = protocol
        self.stage = Stage.HANDSHAKE
        self._channel = _factory(protocol)(
            self._identity, initiator=self.initiator, expected_peer=self._expected_peer
        )
        self._channel.start()

    def _established(self, channel: SecureChannel) -> None:
        self.remote_peer = channel.remote_peer
        if self.remote_peer == self._identity.peer_id:
            raise HandshakeError("the other side is this node itself", peer=self.remote_peer)
        if channel.early_muxer == YAMUX_ID:
            self._open()
            return
        self.stage = Stage.MUXER
        self._negotiator = Initiator([YAMUX_ID]) if self.initiator else Listener([YAMUX_ID])
        channel.write([self._negotiator.data_to_send()])

    def _open(self) -> None:
        self.stage = Stage.OPEN
        self._handler.connection_open()

    @property
    def ended(self) -> bool:
        """Whether the peer said good-bye inside the secure channel."""
        return self._channel is not None and self._channel.eof

    def receive_eof(self) -> None:
        """The transport ended. Raises RemoteError unless the peer closed in an orderly way."""
        if self.stage is Stage.CLOSED:
            return
        if self._channel is None:
            raise NegotiationError(f"the connection ended while {self.stage.value}")
        self._channel.receive_eof()
        if self.stage is not Stage.OPEN:
            raise NegotiationError(f"the connection ended while {self.stage.value}")

    # Bytes out.

    @property
    def has_data(self) -> bool:
        """Whether `data_to_send` would return something."""
        if self._raw or (self._channel is not None and self._channel.pending_out):
            return True
        return self.stage is Stage.OPEN and self.session.has_data

    def data_to_send(self) -> list[bytes]:
        """Take ciphertext, about one yamux frame at a time; [] when there is nothing to send."""
        out, self._raw = self._raw, []
        channel = self._channel
        if channel is not None:
            if self.stage is Stage.OPEN:
                parts = self.session.data_to_send(self._options.max_frame)
                if parts:
                    channel.write(parts)
            out += channel.data_to_send()
        return [chunk for chunk in out if chunk]

    def close(self, code: int = NORMAL) -> None:
        """Queue the good-bye; `data_to_send` has it. Streams are told nothing."""
        if self.stage is Stage.CLOSED:
            return
        channel = self._channel
        if self.stage is Stage.OPEN and channel is not None:
            self.session.go_away(code)
            channel.write(self.session.data_to_send(0))
            channel.close()
        self.stage = Stage.CLOSED
