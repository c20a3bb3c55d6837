"""Noise XX between peers (libp2p specification noise/README.md).

On the wire each message is a length of two bytes and at most 65,535 bytes of ciphertext. The stream muxer is
agreed in the handshake (specification connections/inlined-muxer-negotiation.md). Noise has no orderly close:
an attacker can cut a connection between two messages without being noticed, which yamux tells from a close of
its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from bitswap.network.libp2p.identity import PeerIdentity, peer_id_from_text
from bitswap.network.libp2p.noise_handshake import NoiseHandshake
from bitswap.network.libp2p.noise_state import TAG
from bitswap.network.libp2p.security import HandshakeError, SecureChannel, SecurityError, WrongPeer
from bitswap.options import NetworkOptions

MAX_MESSAGE = 65_535
"""Bytes of a message's ciphertext."""
MAX_PLAINTEXT = MAX_MESSAGE - TAG
"""Bytes of a message's plaintext."""


def noise_channel(
    identity: PeerIdentity,
    *,
    initiator: bool,
    expected_peer: str | None,
    max_handshake: int = NetworkOptions.max_handshake_bytes,
) -> SecureChannel:
    """A Noise channel; `expected_peer` (text) is what the other side must prove, None accepts any peer.

    `max_handshake` bounds the bytes a peer may send before it is verified. Raises UsageError when
    `expected_peer` is not a peer id.
    """
    return NoiseChannel(identity, initiator, expected_peer, max_handshake)


class NoiseChannel:
    """One Noise connection; see `SecureChannel` for the contract."""

    def __init__(
        self, identity: PeerIdentity, initiator: bool, expected_peer: str | None, max_handshake: int
    ) -> None:
        self._expected = None if expected_peer is None else peer_id_from_text(expected_peer)
        self._handshake = NoiseHandshake(identity, initiator=initiator, expected_peer=self._expected)
        self._handshake_left = max_handshake
        self._received = bytearray()
        self._plain = memoryview(b"")
        self._out: list[bytes] = []
        self._failure: SecurityError | None = None
        self._closed = False
        self._ended = False
        self.established = False
        self.eof = False
        self.pending_out = 0

    @property
    def remote_peer(self) -> str | None:
        """See `SecureChannel.remote_peer`."""
        return self._handshake.remote_peer if self.established else None

    @property
    def early_muxer(self) -> str | None:
        """See `SecureChannel.early_muxer`."""
        return self._handshake.early_muxer if self.established else None

    def start(self) -> None:
        """See `SecureChannel.start`."""
        if not self.established and not self.pending_out and self._handshake.writes_next:
            self._queue(self._handshake.write_message())

    def receive(self, data: bytes | memoryview) -> None:
        """See `SecureChannel.receive`."""
        if self._failure is not None:
            raise self._failure
        if not data:
            return
        if self.established:
            self._received += data
            return
        if self._handshake_left <= 0:
            raise self._failed(HandshakeError("too many bytes before the handshake was complete"))
        self._handshake_left -= len(data)
        self._received += data
        while not self.established and (size := self._message_size()) is not None:
            message = bytes(self._received[2 : 2 + size])
            del self._received[: 2 + size]
            self._on_handshake_message(message)

    def receive_eof(self) -> None:
        """See `SecureChannel.receive_eof`."""
        if self._failure is not None:
            raise self._failure
        if not self.established:
            raise self._failed(HandshakeError("the peer closed the connection"))
        self._ended = True
        self._check_end()

    def read_into(self, buffer: memoryview) -> int:
        """See `SecureChannel.read_into`."""
        if self._failure is not None:
            raise self._failure
        if not self.established or self.eof:
            return 0
        total, error = self._decrypt(buffer)
        if error is not None:
            failure = self._failed(error)
            # What came before the error is good; the next call raises.
            if total == 0:
                raise failure
        elif self._ended and total < len(buffer):
            self._check_end()
        return total

    def write(self, parts: Sequence[bytes | memoryview]) -> None:
        """See `SecureChannel.write`."""
        if self._failure is not None:
            raise self._failure
        if not self.established or self._closed:
            raise SecurityError("this Noise channel is not open for writing", peer=self.remote_peer)
        data = memoryview(parts[0] if len(parts) == 1 else b"".join(parts))
        try:
            for at in range(0, len(data), MAX_PLAINTEXT):
                self._queue(self._handshake.send.encrypt(data[at : at + MAX_PLAINTEXT]))
        except SecurityError as error:
            raise self._failed(error) from None

    def data_to_send(self) -> list[bytes]:
        """See `SecureChannel.data_to_send`."""
        out, self._out = self._out, []
        self.pending_out = 0
        return out

    def close(self) -> None:
        """See `SecureChannel.close`."""
        self._closed = True

    def _queue(self, message: bytes) -> None:
        self._out += (len(message).to_bytes(2, "big"), message)
        self.pending_out += 2 + len(message)

    def _on_handshake_message(self, message: bytes) -> None:
        handshake = self._handshake
        if handshake.writes_next:
            raise self._failed(HandshakeError("the peer spoke out of turn"))
        try:
            handshake.read_message(message)
            if handshake.writes_next:
                self._queue(handshake.write_message())
        except SecurityError as error:
            raise self._failed(error) from None
        self.established = handshake.complete

    def _message_size(self) -> int | None:
        """Bytes of the first message, None while it is not complete."""
        if len(self._received) < 2:
            return None
        size = self._received[0] << 8 | self._received[1]
        return size if len(self._received) >= 2 + size else None

    def _take_plain(self, buffer: memoryview) -> int:
        size = min(len(self._plain), len(buffer))
        buffer[:size] = self._plain[:size]
        self._plain = self._plain[size:]
        return size

    def _decrypt(self, buffer: memoryview) -> tuple[int, SecurityError | None]:
        """Fill `buffer` from what was received: bytes written, and the error that came after them."""
        total = self._take_plain(buffer)
        cipher, at = self._handshake.receive, 0
        data = memoryview(self._received)
        while total < len(buffer) and len(data) - at >= 2:
            start = at + 2
            end = start + (data[at] << 8 | data[at + 1])
            if end > len(data):
                break
            room = buffer[total:]
            try:
                if end - start - TAG <= len(room):
                    total += cipher.decrypt_into(data[start:end], room)
                else:
                    self._plain = memoryview(cipher.decrypt(data[start:end]))
                    total += self._take_plain(room)
            except SecurityError as error:
                return total, error
            at = end
        data.release()
        del self._received[:at]
        return total, None

    def _check_end(self) -> None:
        """After the transport's end: `eof` when all was read, an error when part of a message is left."""
        if self._plain or self._message_size() is not None:
            return
        if self._received:
            raise self._failed(SecurityError("the connection ended inside a message"))
        self.eof = True

    def _failed(self, error: SecurityError) -> SecurityError:
        """Make `error` the end of this channel: named, kept, and raised by every further call."""
        if self.established:
            error = SecurityError(f"Noise with {self.remote_peer} failed: {error}", peer=self.remote_peer)
        elif not isinstance(error, WrongPeer):
            who = self._expected or "an unknown peer"
            error = HandshakeError(f"Noise handshake with {who} failed: {error}", peer=self._expected)
        self._failure = error
        return error
