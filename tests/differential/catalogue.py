"""The peers and blocks that histories are about, by number; bodies of messages, encoded as they are given.

An operation names a CID by its place in `CIDS`, so that a history is made of numbers and can be printed, kept
and cut down.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Sequence

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.task import largest_block
from bitswap.options import KIB, MAX_FRAME, MIB

PEERS = (
    "A",
    "B",
    "C",
    "Ä",
    "\ud800",
    "",
    "12D3Koo" * 8,
    "a\0b",
    *(f"peer {number}" for number in range(120)),
)
"""Names of every kind; the fifth is no valid UTF-8."""

INT32 = (-(2**31), 2**31 - 1)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _v1(codec: int, hash_code: int, digest: bytes) -> CID:
    return CID.from_bytes(b"\x01" + varint(codec) + varint(hash_code) + varint(len(digest)) + digest)


def _digest(name: str, length: int = 32) -> bytes:
    return hashlib.shake_128(name.encode()).digest(length)


def _odd_cids() -> list[CID]:
    """Versions, codecs, digests of all lengths up to both sides of the limit; those that are ignored."""
    twin = _digest("twin")
    return [
        CID.v0(twin),  # three CIDs, one multihash
        _v1(0x70, 0x12, twin),
        _v1(0x55, 0x12, twin),
        CID.v0(_digest("old")),
        _v1(0x0129, 0x12, _digest("json")),
        _v1(0x55, 0x13, _digest("long", 64)),
        _v1(0x55, 0x12, _digest("cut", 20)),
        _v1(0x55, 0x11, _digest("none", 0)),
        _v1(0x55, 0x1E, _digest("edge", 128 + 32)),
        _v1(0x55, 0x1E, _digest("edge", 163)),  # 168 bytes, the most that are served by default
        _v1(0x55, 0x1E, _digest("edge", 164)),
        _v1(0x55, 0x1E, _digest("edge", 300)),
        _v1(0x55, 0x00, b"inline"),  # identity: never served
        _v1(0x0129, 0x00, b"inline"),
        _v1(0x55, 0x00, b""),
        _v1(2**62, 0xB201, _digest("wide", 8)),
        _v1(0x55, 0x12, twin[:-1] + bytes([twin[-1] ^ 1])),  # nearly the same, at the end or the beginning
        _v1(0x55, 0x12, bytes([twin[0] ^ 128]) + twin[1:]),
    ]


PLAIN = 4096
"""CIDs of the usual shape, which come first."""
CIDS: tuple[CID, ...] = (*(_v1(0x55, 0x12, _digest(str(n))) for n in range(PLAIN)), *_odd_cids())
NUMBERS = {cid: number for number, cid in enumerate(CIDS)}
ODD = range(PLAIN, len(CIDS))

SIZES = (1, 1, 100, 256, 0, 1024, 1025, 3000, 9000, 17_000, 100, 40_000)
"""Bytes of the blocks at first, in turn."""
LARGE_SIZES = (
    MIB,
    2 * MIB,
    3 * MIB,
    MAX_FRAME // 2,
    MAX_FRAME - 4096,
    MAX_FRAME - 4095,
    5 * MIB,
    2**31,
    2**40,
)


def usual_size(number: int) -> int:
    return SIZES[number % len(SIZES)]


def limit_sizes(number: int) -> tuple[int, int]:
    """The largest block that a message can carry under this CID, and one byte more."""
    most = largest_block(CIDS[number])
    return most, most + 1


@functools.lru_cache(maxsize=2048)
def small_block(number: int, size: int) -> Block:
    data = b"%d;" % number
    return Block(CIDS[number], (data * (size // len(data) + 1))[:size])


@functools.lru_cache(maxsize=16)
def _large_block(number: int, size: int) -> Block:
    return Block(CIDS[number], bytes([number & 0xFF]) * size)


def block(number: int, size: int) -> Block:
    """Its data names the CID and is not hashed; what is larger than any store keeps is cut to 5 MiB."""
    return small_block(number, size) if size < 64 * KIB else _large_block(number, min(size, 5 * MIB))


Entry = tuple[int, int, int, bool, bool]
"""CID, priority, want type, cancel, whether DONT_HAVE is asked for."""


def _field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def _scalar(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value & 0xFFFFFFFFFFFFFFFF) if value else b""


def encode(entries: Iterable[Entry], full: bool = False, blocks: Sequence[Block] = ()) -> bytes:
    """The body of a message; entries for one CID are kept as they are, which no `Message` would write."""
    wantlist = b"".join(
        _field(
            1,
            _field(1, CIDS[number])
            + _scalar(2, priority)
            + _scalar(3, cancel)
            + _scalar(4, want_type)
            + _scalar(5, dont_have),
        )
        for number, priority, want_type, cancel, dont_have in entries
    )
    payload = b"".join(_field(3, _field(1, item.cid.prefix) + _field(2, item.data)) for item in blocks)
    return _field(1, wantlist + _scalar(2, full)) + payload
