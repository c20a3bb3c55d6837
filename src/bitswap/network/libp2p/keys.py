"""Public keys of peers: how they are serialized, and how their signatures are verified.

Source: libp2p specification peer-ids/peer-ids.md (key types, encodings, signing rules).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from bitswap.errors import UsageError
from bitswap.network.libp2p import protobuf
from bitswap.network.libp2p.peer_id import peer_id_of

MIN_RSA_BITS = 2048
"""As go-libp2p: smaller keys can be broken."""
MAX_RSA_BITS = 8192
"""As go-libp2p: verifying with larger ones costs a peer nothing and us much."""
MAX_KEY_PROTO = 2048
"""Bytes of a serialized public key; an RSA key of 8,192 bits has about 1,060."""

_CURVES = (ec.SECP224R1, ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_AnyKey: TypeAlias = "ed25519.Ed25519PublicKey | rsa.RSAPublicKey | ec.EllipticCurvePublicKey"


class KeyType(IntEnum):
    """The `Type` field of serialized keys."""

    RSA = 0
    ED25519 = 1
    SECP256K1 = 2
    ECDSA = 3


class KeyFormatError(UsageError):
    """Bytes that are not a key this library accepts; the message says why."""


class PublicKey:
    """A peer's public key, of any type that libp2p knows."""

    __slots__ = ("_key", "data", "type")

    def __init__(self, key_type: KeyType, data: bytes) -> None:
        """`data` as in the specification (raw, point, or SubjectPublicKeyInfo). Raises KeyFormatError."""
        self.type = key_type
        try:
            self._key, self.data = _PARSERS[key_type](data)
        except KeyFormatError:
            raise
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFormatError(f"bad {key_type.name} public key: {error}") from None

    @classmethod
    def from_proto(cls, data: bytes) -> PublicKey:
        """Read the protobuf `PublicKey`; raises KeyFormatError."""
        if len(data) > MAX_KEY_PROTO:
            raise KeyFormatError(f"a public key of {len(data)} bytes, at most {MAX_KEY_PROTO} are accepted")
        key_type, body = read_key_proto(data)
        return cls(key_type, body)

    def to_proto(self) -> bytes:
        """The canonical serialization; peer ids are made from it."""
        return key_proto(self.type, self.data)

    @property
    def peer_id(self) -> str:
        """The peer id in text form."""
        return peer_id_of(self.to_proto())

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` over `message` was made with this key."""
        key = self._key
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, message)
            elif isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            else:
                key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def __repr__(self) -> str:
        return f"<PublicKey {self.type.name} {self.peer_id}>"


def key_proto(key_type: KeyType, data: bytes) -> bytes:
    """The protobuf that `PublicKey` and `PrivateKey` share: type and data, in this order."""
    return protobuf.varint_field(1, key_type) + protobuf.bytes_field(2, data)


def read_key_proto(data: bytes) -> tuple[KeyType, bytes]:
    """Type and data of a serialized key; raises KeyFormatError."""
    kind: int | None = None
    body: bytes | None = None
    try:
        for number, value in protobuf.fields(data):
            if number == 1 and isinstance(value, int):
                kind = value
            elif number == 2 and isinstance(value, bytes):
                body = value
    except protobuf.ProtobufError as error:
        raise KeyFormatError(f"not a serialized key: {error}") from None
    if kind is None or body is None:
        raise KeyFormatError("not a serialized key: type or data is missing")
    try:
        return KeyType(kind), body
    except ValueError:
        raise KeyFormatError(f"key type {kind} is not known") from None


def _ed25519(data: bytes) -> tuple[_AnyKey, bytes]:
    return ed25519.Ed25519PublicKey.from_public_bytes(data), data


def _rsa(data: bytes) -> tuple[_AnyKey, bytes]:
    key = serialization.load_der_public_key(data)
    if not isinstance(key, rsa.RSAPublicKey):
        raise KeyFormatError("an RSA key was announced, another type came")
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise KeyFormatError(
            f"an RSA key of {key.key_size} bits, {MIN_RSA_BITS} to {MAX_RSA_BITS} are accepted"
        )
    return key, _der(key)


def _secp256k1(data: bytes) -> tuple[_AnyKey, bytes]:
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), data)
    return key, key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)


def _ecdsa(data: bytes) -> tuple[_AnyKey, bytes]:
    key = serialization.load_der_public_key(data)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise KeyFormatError("an ECDSA key was announced, another type came")
    if not isinstance(key.curve, _CURVES):
        raise KeyFormatError(f"ECDSA keys on the curve {key.curve.name} are not accepted")
    return key, _der(key)


def _der(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


_PARSERS = {
    KeyType.RSA: _rsa,
    KeyType.ED25519: _ed25519,
    KeyType.SECP256K1: _secp256k1,
    KeyType.ECDSA: _ecdsa,
}
