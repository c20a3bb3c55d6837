"""Protobuf bodies and frames written by hand, right or wrong as the caller says; no codec is involved.

Source: the protobuf encoding guide, and the "Wire Format" sections of the Bitswap specification.
"""

from __future__ import annotations

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)

WANTLIST, BLOCKS, PAYLOAD, PRESENCES, PENDING_BYTES = range(1, 6)
"""Fields of a message."""
ENTRIES, FULL = 1, 2
"""Fields of a wantlist."""
CID_FIELD, PRIORITY, CANCEL, WANT_TYPE, SEND_DONT_HAVE = range(1, 6)
"""Fields of a wantlist's entry."""
PREFIX, DATA = 1, 2
"""Fields of a block in `payload`."""
PRESENCE_CID, PRESENCE_TYPE = 1, 2
"""Fields of a presence."""


def varint(value: int, padding: int = 0) -> bytes:
    """`value` (negative: as 64 bits) with `padding` needless bytes at its end."""
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    if padding:
        out[-1] |= 0x80
        out += b"\x80" * (padding - 1) + b"\x00"
    return bytes(out)


def tag(field: int, kind: int, padding: int = 0) -> bytes:
    """What precedes a field's value."""
    return varint(field << 3 | kind, padding)


def number(field: int, value: int, padding: int = 0) -> bytes:
    """A varint field, written also when it is zero."""
    return tag(field, VARINT) + varint(value, padding)


def content(field: int, data: bytes, padding: int = 0) -> bytes:
    """A length-delimited field."""
    return tag(field, BYTES) + varint(len(data), padding) + data


def value_of(kind: int, field: int) -> bytes:
    """A field of wire type `kind` with some harmless value."""
    values = {
        VARINT: b"\x01",
        FIXED64: b"\x01" * 8,
        BYTES: b"\x02\x08\x01",
        GROUP: number(1, 1) + tag(field, END_GROUP),
        FIXED32: b"\x01" * 4,
    }
    return tag(field, kind) + values[kind]


def entry(
    cid: bytes, priority: int = 1, want_type: int = 0, *, cancel: bool = False, dont_have: bool = False
) -> bytes:
    """The body of a wantlist's entry, zeros left out."""
    out = content(CID_FIELD, cid)
    if priority:
        out += number(PRIORITY, priority)
    if cancel:
        out += number(CANCEL, 1)
    if want_type:
        out += number(WANT_TYPE, want_type)
    if dont_have:
        out += number(SEND_DONT_HAVE, 1)
    return out


def wantlist(*entries: bytes, full: bool = False) -> bytes:
    """The field `wantlist` of a message."""
    inside = b"".join(content(ENTRIES, item) for item in entries) + (number(FULL, 1) if full else b"")
    return content(WANTLIST, inside)


def payload(prefix: bytes, data: bytes) -> bytes:
    """One element of the field `payload`; no data leaves the field out, as proto3 does."""
    return content(PAYLOAD, content(PREFIX, prefix) + (content(DATA, data) if data else b""))


def presence(cid: bytes, kind: int = 0) -> bytes:
    """One element of the field `blockPresences`."""
    return content(PRESENCES, content(PRESENCE_CID, cid) + (number(PRESENCE_TYPE, kind) if kind else b""))


def frame(body: bytes) -> bytes:
    """A body behind its length."""
    return varint(len(body)) + body
