"""The node's own key pair: made once, kept in a file on request, named by its peer id.

Source: libp2p specification peer-ids/peer-ids.md. The file holds the serialized `PrivateKey`, as other
implementations write it.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bitswap.errors import UsageError
from bitswap.network.libp2p.keyfile import create_key_file, read_key_file
from bitswap.network.libp2p.keys import KeyFormatError, KeyType, PublicKey, key_proto, read_key_proto
from bitswap.network.libp2p.peer_id import (
    peer_id_from_bytes,
    peer_id_from_text,
    peer_id_of,
    peer_id_to_bytes,
)

__all__ = [
    "KeyFormatError",
    "KeyType",
    "PeerIdentity",
    "PublicKey",
    "peer_id_from_bytes",
    "peer_id_from_text",
    "peer_id_of",
    "peer_id_to_bytes",
]

_SEED = 32


class PeerIdentity:
    """An Ed25519 key pair. Immutable; safe to share among connections and threads.

    `peer_id` is the text form, `public_key_proto` the serialized public key.
    """

    __slots__ = ("__weakref__", "_key", "peer_id", "public_key_proto")

    def __init__(self, seed: bytes) -> None:
        """From the 32 secret bytes of an Ed25519 key; raises UsageError."""
        if len(seed) != _SEED:
            raise UsageError(f"an Ed25519 private key has {_SEED} bytes, not {len(seed)}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key_proto = key_proto(KeyType.ED25519, self._key.public_key().public_bytes_raw())
        self.peer_id = peer_id_of(self.public_key_proto)

    @classmethod
    def generate(cls) -> PeerIdentity:
        """A new key pair that is not kept anywhere."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_private_key_proto(cls, data: bytes) -> PeerIdentity:
        """Read a serialized `PrivateKey`; raises UsageError, also for types other than Ed25519."""
        key_type, body = read_key_proto(data)
        if key_type is not KeyType.ED25519:
            raise UsageError(f"own keys must be of the type Ed25519, this one is {key_type.name}")
        # An old format repeats the public key.
        if len(body) == 3 * _SEED and body[_SEED : 2 * _SEED] == body[2 * _SEED :]:
            body = body[: 2 * _SEED]
        if len(body) != 2 * _SEED:
            raise UsageError(f"a serialized Ed25519 private key has {2 * _SEED} bytes, not {len(body)}")
        identity = cls(body[:_SEED])
        if identity.public_key_proto[-_SEED:] != body[_SEED:]:
            raise UsageError("the halves of the private key do not belong together")
        return identity

    @classmethod
    def load_or_create(cls, path: str | PathLike[str]) -> PeerIdentity:
        """Read the key file, or make one (mode 0600, complete or not at all).

        Raises UsageError when it is damaged, of another key type, or open to others; the message says what
        to do.
        """
        path = Path(path).expanduser()
        try:
            data = read_key_file(path)
        except FileNotFoundError:
            identity = cls.generate()
            if create_key_file(path, identity.private_key_proto):
                return identity
            # Somebody else made it a moment ago: theirs is the one that stays.
            data = read_key_file(path)
        try:
            return cls.from_private_key_proto(data)
        except UsageError as error:
            raise UsageError(f"the key file {path} cannot be used: {error}") from None

    @property
    def private_key_proto(self) -> bytes:
        """The serialized private key (68 bytes); whoever has it is this peer."""
        public = self.public_key_proto[-_SEED:]
        return key_proto(KeyType.ED25519, self._key.private_bytes_raw() + public)

    def sign(self, data: bytes) -> bytes:
        """A 64 byte signature over `data`."""
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"<PeerIdentity {self.peer_id}>"
