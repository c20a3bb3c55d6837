"""Peer ids: the multihash of a public key, and its text forms (libp2p specification peer-ids/peer-ids.md)."""

from __future__ import annotations

import base64
import hashlib

from bitswap.errors import UsageError
from bitswap.network.libp2p import base58

MAX_INLINE_KEY = 42
"""Bytes of a serialized public key that still goes into the peer id unhashed (specification)."""
MAX_TEXT = 128
"""Characters of a peer id that are looked at; the longest real ones have 64."""

_IDENTITY = 0x00
_SHA2_256 = 0x12
_CID_PREFIX = b"\x01\x72"  # CID version 1, codec libp2p-key
_DIGITS = {
    "b": frozenset("abcdefghijklmnopqrstuvwxyz234567"),
    "f": frozenset("0123456789abcdef"),
    "k": frozenset("0123456789abcdefghijklmnopqrstuvwxyz"),
}


def peer_id_of(public_key_proto: bytes) -> str:
    """The text form of the peer id of a serialized public key."""
    if len(public_key_proto) <= MAX_INLINE_KEY:
        return base58.encode(bytes((_IDENTITY, len(public_key_proto))) + public_key_proto)
    return base58.encode(bytes((_SHA2_256, 32)) + hashlib.sha256(public_key_proto).digest())


def peer_id_from_bytes(data: bytes) -> str:
    """The text form of a binary peer id: an inline key or a sha2-256 hash. Raises UsageError."""
    if len(data) >= 2 and data[1] == len(data) - 2:
        if data[0] == _SHA2_256 and len(data) == 34:
            return base58.encode(data)
        if data[0] == _IDENTITY and 0 < len(data) - 2 <= MAX_INLINE_KEY:
            return base58.encode(data)
    raise UsageError(
        f"not a peer id: {data[:8].hex()}… ({len(data)} bytes) is no sha2-256 or inline key multihash"
    )


def peer_id_to_bytes(text: str) -> bytes:
    """The binary form (a multihash) of a peer id in any accepted text form. Raises UsageError."""
    return base58.decode(peer_id_from_text(text))


def peer_id_from_text(text: str) -> str:
    """The canonical text ("12D3Koo…", "Qm…") of a peer id in base58btc or as a CIDv1 with codec libp2p-key.

    CIDs may be in base32 ("b…"), base36 ("k…"), base58btc ("z…") or base16 ("f…"). Raises UsageError.
    """
    if not text or len(text) > MAX_TEXT:
        raise UsageError(f"not a peer id: {text[:20]!r}… has {len(text)} characters")
    try:
        if text.startswith(("1", "Qm")):
            return peer_id_from_bytes(base58.decode(text))
        data = _multibase(text)
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(f"not a peer id: {text!r}: {error}") from None
    if not data.startswith(_CID_PREFIX):
        raise UsageError(f"not a peer id: {text!r} is not a CIDv1 with codec libp2p-key")
    return peer_id_from_bytes(data[len(_CID_PREFIX) :])


def _multibase(text: str) -> bytes:
    base, body = text[0], text[1:]
    if base == "z":
        return base58.decode(body)
    if base in _DIGITS and _DIGITS[base].issuperset(body):
        if base == "b":
            return base64.b32decode(body.upper() + "=" * (-len(body) % 8))
        if base == "f":
            return bytes.fromhex(body)
        number = int(body or "0", 36)
        zeros = len(body) - len(body.lstrip("0"))
        return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
    raise UsageError(f"not a peer id: {text!r} is neither base58 nor a CID")
