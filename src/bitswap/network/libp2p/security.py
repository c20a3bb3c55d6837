"""What a secure channel is: the interface that TLS and Noise share, and their errors.

A channel is a machine over one connection: ciphertext goes in by `receive` and out by `data_to_send`,
plaintext goes in by `write` and out by `read_into`. It holds no socket, thread or clock. A channel that
raised is broken: send what `data_to_send` still holds (it may be an alert that tells the peer why), then
close the connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from bitswap.errors import RemoteError

if TYPE_CHECKING:
    from bitswap.network.libp2p.identity import PeerIdentity

TLS_ID = "/tls/1.0.0"
NOISE_ID = "/noise"
YAMUX_ID = "/yamux/1.0.0"


class SecurityError(RemoteError):
    """A secure channel broke: forged or cut records, or a protocol that was not kept."""


class HandshakeError(SecurityError):
    """The handshake failed; the message says at what."""


class WrongPeer(HandshakeError):
    """The peer proved an identity other than the expected one; the message names both.

    `expected` and `actual` are peer ids in text form; `peer` is the expected one.
    """

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected peer {expected}, but the other side is {actual}", peer=expected)
        self.expected = expected
        self.actual = actual


class SecureChannel(Protocol):
    """One encrypted and authenticated connection."""

    @property
    def established(self) -> bool:
        """Whether the handshake is complete here and the peer is verified; `write` works from then on."""

    @property
    def remote_peer(self) -> str | None:
        """The verified peer id in text form; None until established."""

    @property
    def early_muxer(self) -> str | None:
        """The stream muxer agreed inside the handshake ("/yamux/1.0.0"); None: negotiate one afterwards."""

    @property
    def eof(self) -> bool:
        """Whether the peer closed its side in an orderly way and all its plaintext was read."""

    @property
    def pending_out(self) -> int:
        """Bytes of ciphertext that `data_to_send` would return now."""

    def start(self) -> None:
        """Begin the handshake; the initiator's first message is then in `data_to_send`."""

    def receive(self, data: bytes | memoryview) -> None:
        """Take ciphertext and drive the handshake; `data` may be reused after the call.

        No data says nothing: the transport's end is told by `receive_eof`.
        Raises HandshakeError (WrongPeer among them). Later, errors in records show up here or in `read_into`,
        as SecurityError. Drain `read_into` between calls: what is not read is kept.
        """

    def receive_eof(self) -> None:
        """The transport ended: sets `eof` where that is an orderly end.

        Raises HandshakeError when not established, SecurityError when a record was cut or the peer's orderly
        close (where the protocol has one) is missing.
        """

    def read_into(self, buffer: memoryview) -> int:
        """Fill `buffer` with as much plaintext as there is; 0 = nothing now (or `eof`).

        Call again until it returns less than the buffer's size: decrypted data may wait inside the channel.
        Raises SecurityError.
        """

    def write(self, parts: Sequence[bytes | memoryview]) -> None:
        """Encrypt `parts` as one run of bytes. Raises SecurityError when not established or closed."""

    def data_to_send(self) -> list[bytes]:
        """Take the ciphertext to put on the wire, in order; the channel forgets it."""

    def close(self) -> None:
        """Queue the orderly end (close_notify in TLS, nothing in Noise); writing is over."""


class ChannelFactory(Protocol):
    """`tls_channel` and `noise_channel`: a new channel; the initiator is the side that dialled."""

    def __call__(
        self, identity: PeerIdentity, *, initiator: bool, expected_peer: str | None, max_handshake: int = ...
    ) -> SecureChannel: ...
