"""The few protobuf rules that libp2p's own small messages need: keys, handshake payloads, identify.

They have a handful of fields each, so reading them by hand is shorter than a generated class.
Source: protobuf encoding guide; unknown fields are skipped, as every implementation does.
"""

from __future__ import annotations

from collections.abc import Iterator

from bitswap import varint

VARINT = 0
FIXED64 = 1
BYTES = 2
FIXED32 = 5

_FIXED = {FIXED64: 8, FIXED32: 4}
_MAX_VARINT = 10


class ProtobufError(ValueError):
    """Bytes that are not a protobuf message."""


def fields(data: bytes | memoryview) -> Iterator[tuple[int, int | bytes]]:
    """Walk a message: (field number, value), int for varints, bytes for the rest. Raises ProtobufError."""
    data = bytes(data)
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise ProtobufError("field number 0")
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ProtobufError(f"wire type {kind}")
        if size > len(data) - at:
            raise ProtobufError("a field is longer than its message")
        yield number, data[at : at + size]
        at += size


def bytes_field(number: int, value: bytes) -> bytes:
    """A length-delimited field."""
    return varint.encode(number << 3 | BYTES) + varint.encode(len(value)) + value


def varint_field(number: int, value: int) -> bytes:
    """A varint field; `value` >= 0."""
    return varint.encode(number << 3 | VARINT) + varint.encode(value)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(_MAX_VARINT):
        if at >= len(data):
            raise ProtobufError("cut inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise ProtobufError("a number of more than ten bytes")
