"""The handshake Noise XX as libp2p uses it: three messages, two of which carry signed identities.

Source: Noise protocol framework, revision 34, section 7.5 (pattern XX); libp2p specification noise/README.md
(payload).
    -> e
    <- e, ee, s, es, payload
    -> s, se, payload
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from bitswap.network.libp2p import protobuf
from bitswap.network.libp2p.identity import KeyFormatError, PeerIdentity, PublicKey
from bitswap.network.libp2p.noise_state import TAG, CipherState, SymmetricState
from bitswap.network.libp2p.security import YAMUX_ID, SecurityError, WrongPeer

SIGNED_PREFIX = b"noise-libp2p-static-key:"
KEY = 32
"""Bytes of an X25519 key."""
MAX_MUXERS = 100
"""Stream muxers in a payload that are looked at (go-libp2p ignores longer lists)."""

_IDENTITY_KEY = 1
_IDENTITY_SIG = 2
_EXTENSIONS = 4
_STREAM_MUXERS = 2  # a field of the extensions


class NoiseHandshake:
    """One side of the handshake: `write_message` and `read_message` in turns, the initiator writes first.

    When `complete`: `remote_peer`, `early_muxer`, and the keys `send` and `receive`.
    """

    def __init__(self, identity: PeerIdentity, *, initiator: bool, expected_peer: str | None) -> None:
        self._identity = identity
        self._initiator = initiator
        self._expected = expected_peer
        self._static = X25519PrivateKey.generate()
        self._ephemeral = X25519PrivateKey.generate()
        self._remote_ephemeral = b""
        self._remote_static = b""
        self._state = SymmetricState()
        self._state.mix_hash(b"")  # the prologue
        self._step = 0
        self.complete = False
        self.remote_peer: str | None = None
        self.early_muxer: str | None = None
        self.send: CipherState
        self.receive: CipherState

    @property
    def writes_next(self) -> bool:
        """Whether the next message is ours."""
        return not self.complete and (self._step % 2 == 0) == self._initiator

    def write_message(self) -> bytes:
        """The next message, without its length. Raises SecurityError for a bad key of the peer."""
        state, out = self._state, b""
        if self._step < 2:
            public = self._ephemeral.public_key().public_bytes_raw()
            state.mix_hash(public)
            out = public
        if self._step == 1:
            state.mix_key(_exchange(self._ephemeral, self._remote_ephemeral))
        if self._step > 0:
            out += state.encrypt_and_hash(self._static.public_key().public_bytes_raw())
            state.mix_key(_exchange(self._static, self._remote_ephemeral))
        out += state.encrypt_and_hash(self._payload() if self._step > 0 else b"")
        self._advance()
        return out

    def read_message(self, message: bytes) -> None:
        """Take the peer's next message. Raises SecurityError, WrongPeer."""
        state, rest = self._state, message
        if len(rest) < (KEY, 2 * KEY + 2 * TAG, KEY + 2 * TAG)[self._step]:
            raise SecurityError(f"message {self._step + 1} has only {len(rest)} bytes")
        if self._step < 2:
            self._remote_ephemeral, rest = rest[:KEY], rest[KEY:]
            state.mix_hash(self._remote_ephemeral)
        if self._step == 1:
            state.mix_key(_exchange(self._ephemeral, self._remote_ephemeral))
        if self._step > 0:
            self._remote_static = state.decrypt_and_hash(rest[: KEY + TAG])
            rest = rest[KEY + TAG :]
            state.mix_key(_exchange(self._ephemeral, self._remote_static))
        payload = state.decrypt_and_hash(rest)
        if self._step > 0:
            self._verify(payload)
        self._advance()

    def _advance(self) -> None:
        self._step += 1
        if self._step == 3:
            first, second = self._state.split()
            self.send, self.receive = (first, second) if self._initiator else (second, first)
            self.complete = True

    def _payload(self) -> bytes:
        static = self._static.public_key().public_bytes_raw()
        extensions = protobuf.bytes_field(_STREAM_MUXERS, YAMUX_ID.encode())
        return (
            protobuf.bytes_field(_IDENTITY_KEY, self._identity.public_key_proto)
            + protobuf.bytes_field(_IDENTITY_SIG, self._identity.sign(SIGNED_PREFIX + static))
            + protobuf.bytes_field(_EXTENSIONS, extensions)
        )

    def _verify(self, payload: bytes) -> None:
        try:
            found = {number: value for number, value in protobuf.fields(payload) if isinstance(value, bytes)}
            extensions = list(protobuf.fields(found.get(_EXTENSIONS, b"")))
        except protobuf.ProtobufError as error:
            raise SecurityError(f"the payload cannot be read: {error}") from None
        try:
            key = PublicKey.from_proto(found.get(_IDENTITY_KEY, b""))
        except KeyFormatError as error:
            raise SecurityError(f"the payload names a key that is not accepted: {error}") from None
        if not key.verify(found.get(_IDENTITY_SIG, b""), SIGNED_PREFIX + self._remote_static):
            raise SecurityError("the key of this connection is not signed by the identity it names")
        if self._expected not in (None, key.peer_id):
            raise WrongPeer(str(self._expected), key.peer_id)
        self.remote_peer = key.peer_id
        muxers = [value for number, value in extensions if number == _STREAM_MUXERS]
        if len(muxers) <= MAX_MUXERS and YAMUX_ID.encode() in muxers:
            self.early_muxer = YAMUX_ID


def _exchange(private: X25519PrivateKey, public: bytes) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        # The shared secret is zero for a few degenerate keys.
        raise SecurityError("a key that gives no secret") from None
