"""Peer ids: the multihash of a public key, and its text forms (libp2p specification peer-ids/peer-ids.md)."""

from __future__ import annotations

import hashlib

from bitswap import multibase
from bitswap.errors import UsageError
from bitswap.multihash import IDENTITY, SHA2_256

MAX_INLINE_KEY = 42
"""Bytes of a serialized public key that still goes into the peer id unhashed (specification)."""
MAX_TEXT = 128
"""Characters of a peer id that are looked at; the usual forms have less than 70."""

_CID_PREFIX = b"\x01\x72"  # CID version 1, codec libp2p-key


def peer_id_of(public_key_proto: bytes) -> str:
    """The text form of the peer id of a serialized public key."""
    if len(public_key_proto) <= MAX_INLINE_KEY:
        return multibase.encode_base58(bytes((IDENTITY, len(public_key_proto))) + public_key_proto)
    return multibase.encode_base58(bytes((SHA2_256, 32)) + hashlib.sha256(public_key_proto).digest())


def peer_id_from_bytes(data: bytes) -> str:
    """The text form of a binary peer id: an inline key or a sha2-256 hash. Raises UsageError."""
    size = len(data) - 2
    if size > 0 and data[1] == size:
        if data[0] == SHA2_256 and size == 32:
            return multibase.encode_base58(data)
        if data[0] == IDENTITY and size <= MAX_INLINE_KEY:
            return multibase.encode_base58(data)
    raise UsageError(f"not a peer id: {data[:8].hex()}… ({len(data)} bytes) is no key and no sha2-256 hash")


def peer_id_to_bytes(text: str) -> bytes:
    """The binary form (a multihash) of a peer id in any accepted text form. Raises UsageError."""
    return multibase.decode_base58(peer_id_from_text(text))


def peer_id_from_text(text: str) -> str:
    """The canonical text ("12D3Koo…", "Qm…") of a peer id in base58btc or as a CIDv1 with codec libp2p-key.

    The CID may be in any multibase. Raises UsageError.
    """
    if not text or len(text) > MAX_TEXT:
        raise UsageError(f"not a peer id: {text[:20]!r}… has {len(text)} characters")
    try:
        if text.startswith(("1", "Qm")):
            return peer_id_from_bytes(multibase.decode_base58(text))
        data = multibase.decode(text)
    except multibase.BadText as error:
        raise UsageError(f"not a peer id: {text!r}: {error}") from None
    if not data.startswith(_CID_PREFIX):
        raise UsageError(f"not a peer id: {text!r} is not a CIDv1 with codec libp2p-key")
    return peer_id_from_bytes(data[len(_CID_PREFIX) :])
