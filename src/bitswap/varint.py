"""Unsigned varints of multiformats: 7 bits a byte, low end first, minimal, at most 9 bytes (63 bits)."""

from __future__ import annotations

from bitswap.errors import WireError

MAX_LENGTH = 9
"""Bytes of the longest varint (multiformats unsigned-varint: values below 2**63)."""


class VarintError(WireError):
    """Bytes that are no varint: cut short, longer than 9 bytes, or with needless zeros."""


def encode(n: int) -> bytes:
    """The varint of `n`; raises VarintError unless 0 <= n < 2**63."""
    if 0 <= n < 0x80:
        return bytes((n,))
    if n < 0 or n >> 63:
        raise VarintError(f"{n} does not fit a varint (0 to 2**63 - 1)")
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def decode(buf: bytes | bytearray | memoryview, offset: int = 0) -> tuple[int, int]:
    """The value at `offset` and the offset after it; raises VarintError (unsigned-varint specification)."""
    end = len(buf)
    if offset < end and (first := buf[offset]) < 0x80:
        return first, offset + 1
    value = shift = 0
    for index in range(offset, min(end, offset + MAX_LENGTH)):
        byte = buf[index]
        if byte < 0x80:
            if not byte:
                raise VarintError("varint is not minimal: it ends in a zero byte")
            return value | byte << shift, index + 1
        value |= (byte & 0x7F) << shift
        shift += 7
    if end - offset >= MAX_LENGTH:
        raise VarintError("varint is longer than 9 bytes (63 bits)")
    raise VarintError("varint is cut short")
