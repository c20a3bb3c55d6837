"""Inputs that are the same on every run, in every implementation, and in `go/inputs.go`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache

from bitswap._core import implementations
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.message import Message, WantType

KIB = 1024
_PREFIX = b"\x01\x55\x12\x20"  # CIDv1, raw, sha2-256, 32 bytes
_CIDS: list[CID] = []


def numbered(i: int) -> CID:
    """CID i names the hash of i as eight bytes, little-endian."""
    return CID.from_trusted(_PREFIX + hashlib.sha256(i.to_bytes(8, "little")).digest())


@cache
def cids(count: int, first: int = 0) -> tuple[CID, ...]:
    """So many, from number `first` on; objects are shared between all calls."""
    _CIDS.extend(map(numbered, range(len(_CIDS), first + count)))
    return tuple(_CIDS[first : first + count])


@cache
def blocks(count: int, size: int) -> tuple[Block, ...]:
    """Blocks of `size` bytes that begin with their number and are zero after it."""
    return tuple(Block.of(i.to_bytes(8, "little") + bytes(size - 8)) for i in range(count))


def spread(i: int) -> int:
    """A priority for want i, in no order."""
    return i * 2654435761 % 2**31


def wants_frame(
    wanted: Sequence[CID], *, have: bool = False, send_dont_have: bool = True, above: int = 0
) -> bytes:
    """Wants with falling priorities, all greater than `above`, in a frame."""
    message = Message()
    kind = WantType.HAVE if have else WantType.BLOCK
    for i, cid in enumerate(wanted):
        message.add_entry(cid, above + len(wanted) - i, kind, send_dont_have)
    return message.to_frame()


def spread_frame(wanted: Sequence[CID], first: int = 0, *, silent: bool = False) -> bytes:
    """Wants whose priorities are in no order; `first` is the number of the first one.

    Want-haves that ask for DONT_HAVE, or with `silent` want-blocks that do not.
    """
    message = Message()
    kind = WantType.BLOCK if silent else WantType.HAVE
    for i, cid in enumerate(wanted, first):
        message.add_entry(cid, spread(i), kind, not silent)
    return message.to_frame()


def cancels_frame(wanted: Sequence[CID]) -> bytes:
    message = Message()
    for cid in wanted:
        message.cancel(cid)
    return message.to_frame()


def presences_frame(told: Sequence[CID]) -> bytes:
    """HAVE and DONT_HAVE by turns."""
    message = Message()
    for i, cid in enumerate(told):
        message.add_presence(cid, i % 2)
    return message.to_frame()


def blocks_frame(sent: Sequence[Block]) -> bytes:
    message = Message()
    for block in sent:
        message.add_block(block)
    return message.to_frame()


def body(frame: bytes) -> bytes:
    """What a frame holds."""
    (content,) = implementations()["py"].FrameReader().feed(frame)
    return bytes(content)
