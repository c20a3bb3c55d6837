"""Elements of a message as objects, and the errors of bad ones; the same for both codecs."""

from __future__ import annotations

import hashlib

from bitswap._core.interface import bad_element
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.errors import InvalidCid, UsageError, WireError

_new_cid = bytes.__new__  # CID.from_trusted without its call

WANT = "wantlist entry"
PRESENCE = "block presence"


def as_cid(value: CID) -> CID:
    return value if type(value) is CID else CID(value)


def read_cid(raw: bytes, kind: str, position: int) -> CID:
    """The CID of a want or presence; WireError names the element."""
    # The two that nearly all blocks have: CIDv1 with a one-byte codec and sha2-256, and CIDv0.
    if (len(raw) == 36 and raw[0] == 1 and raw[1] < 0x80 and raw[2:4] == b"\x12\x20") or (
        len(raw) == 34 and raw[:2] == b"\x12\x20"
    ):
        return _new_cid(CID, raw)
    if not raw:
        raise bad_element(kind, position, "missing CID")
    try:
        return CID.from_bytes(raw)
    except InvalidCid as error:
        raise bad_element(kind, position, error) from None


def legacy_block(data: bytes) -> Block:
    """A block as versions before 1.1.0 send them: whatever it was, it becomes a CIDv0."""
    return Block(CID.v0(hashlib.sha256(data).digest()), data)


def payload_block(prefix: bytes, data: bytes, position: int) -> Block:
    """The block of a prefix and data; hashes them. WireError names the element."""
    try:
        return Block.from_prefix(prefix, data)
    except (UsageError, WireError) as error:
        raise bad_element("payload block", position, error) from None
