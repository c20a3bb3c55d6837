"""What both implementations of the wire codec must do, and the types and texts that they share.

`wire_py` is the reference in Python, `wire_c` its compiled twin: same results, same order, same exceptions
with the same text. Every test runs over both.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from operator import index
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bitswap.errors import UsageError, WireError
from bitswap.options import MAX_FRAME

if TYPE_CHECKING:
    from bitswap._core.ahead_c import HashAhead
    from bitswap.block import Block
    from bitswap.cid import CID


class WantType(IntEnum):
    """What a want asks for; an open enum on the wire, so other integers are kept as they come."""

    BLOCK = 0
    HAVE = 1


class PresenceType(IntEnum):
    """What a peer says of a block; an open enum on the wire."""

    HAVE = 0
    DONT_HAVE = 1


class Entry(NamedTuple):
    """One wantlist entry; `priority` and `want_type` are signed 32-bit integers."""

    cid: CID
    priority: int
    want_type: int
    cancel: bool
    send_dont_have: bool


class MessageTooLarge(UsageError):
    """One block, or one CID, that fits in no frame of the allowed size."""


class MessageType(Protocol):
    """A Bitswap message: wants, blocks, presences (boxo `bitswap/message` BitSwapMessage).

    A message belongs to one thread at a time. Elements keep the order in which they were first added.
    """

    full: bool
    """The wantlist replaces what was sent before, instead of adding to it."""
    pending_bytes: int
    """Bytes that the sender still has queued for this peer; signed 32 bits."""

    def __init__(self, full: bool = False) -> None: ...

    @property
    def body_size(self) -> int:
        """Bytes of the body that it was read from; of its version 1 body if it was made here."""

    @property
    def entry_count(self) -> int:
        """How many entries the wantlist has, without making it."""

    def add_entry(self, cid: CID, priority: int, want_type: int = 0, send_dont_have: bool = False) -> int:
        """Add or merge a want; returns the encoded bytes of a new entry, 0 if `cid` had one."""

    def cancel(self, cid: CID) -> int:
        """Add or merge a cancel; what it returns is as for `add_entry`."""

    def remove(self, cid: CID) -> None:
        """Drop the wantlist entry for `cid`, if any."""

    def add_block(self, block: Block) -> None:
        """Add or replace a block; drops a presence for the same CID."""

    def add_have(self, cid: CID) -> None: ...

    def add_dont_have(self, cid: CID) -> None: ...

    def add_presence(self, cid: CID, presence_type: int) -> None:
        """Set the presence for `cid`; ignored while its block is in the message."""

    def reset(self, full: bool) -> None:
        """Forget everything and set `full`."""

    def wantlist(self) -> list[Entry]: ...

    def blocks(self) -> list[Block]: ...

    def haves(self) -> list[CID]: ...

    def dont_haves(self) -> list[CID]: ...

    def presences(self) -> list[tuple[CID, int]]: ...

    def size(self) -> int:
        """Bytes of block data, presences and entries without field headers (boxo `Size`); no frame length."""

    def empty(self) -> bool:
        """No entry, block or presence; `full` and `pending_bytes` do not count."""

    @property
    def has_wants(self) -> bool:
        """Whether it has wantlist entries or is full, so that a server has something to do; takes no time."""

    def clone(self) -> MessageType: ...

    @classmethod
    def from_body(cls, body: bytes) -> MessageType:
        """Decode one protobuf body; WireError if any element of it is bad."""

    def to_body(self, version: int = 1) -> bytes:
        """Encode for protocol version 0 (1.0.0 and older) or 1; the wantlist is always present."""

    def to_frame(self, version: int = 1) -> bytes:
        """`to_body` behind its length."""

    def to_frames(self, version: int = 1, limit: int = MAX_FRAME) -> list[bytes]:
        """The message in frames with bodies of at most `limit` bytes, in order; only the first is `full`.

        Raises MessageTooLarge when one element alone exceeds the limit.
        """


class FrameReaderType(Protocol):
    """Splits a stream into bodies: unsigned varint length, then that many bytes."""

    def __init__(self, limit: int = MAX_FRAME, ahead: HashAhead | None = None) -> None:
        """`ahead` works on large blocks while their bodies come (the compiled reader only)."""

    @property
    def buffered(self) -> int:
        """Bytes of the frame that is not complete yet, its length included."""

    @property
    def error(self) -> WireError | None:
        """Set once the stream is broken; the frames before the break are still returned."""

    def feed(self, data: bytes | bytearray | memoryview) -> Sequence[bytes]:
        """Take bytes in any split, return the bodies that are now complete.

        Raises WireError for a length that is overlong, not minimal or above the limit, as soon as it is read
        and before anything is buffered. Bodies completed by the same call are returned first: then `error` is
        set, and the next call raises it.
        """

    def eof(self) -> None:
        """The stream ended; raises WireError when that cuts a frame, or when the stream was broken."""


INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1


def int32(value: int, name: str) -> int:
    """`value` as an int of 32 bits, signed; UsageError if it does not fit."""
    number = index(value)
    if not INT32_MIN <= number <= INT32_MAX:
        raise UsageError(f"{name} {number} does not fit in 32 bits")
    return number


def check_version(version: int) -> None:
    if version not in (0, 1):
        raise UsageError(f"no encoding for message version {version!r}")


# Indices into this tuple are the codes of the compiled parser.
MALFORMED = (
    "",
    "varint cut short",
    "varint exceeds 64 bits",
    "field number out of range",
    "reserved wire type",
    "group end without its start",
    "group not closed",
    "groups nested too deep",
    "length exceeds what is left",
    "fixed-size value cut short",
)
CUT_VARINT, LONG_VARINT, BAD_FIELD, BAD_TYPE, STRAY_END, OPEN_GROUP, DEEP_GROUP, LONG_LENGTH, CUT_FIXED = (
    range(1, 10)
)


def malformed(code: int, offset: int) -> WireError:
    return WireError(f"bad protobuf at byte {offset}: {MALFORMED[code]}")


def bad_element(kind: str, position: int, why: object) -> WireError:
    return WireError(f"{kind} {position}: {why}")


def too_large(what: str, size: int, limit: int) -> MessageTooLarge:
    return MessageTooLarge(f"a message with {what} alone takes {size} bytes, above the limit of {limit}")


class FrameTooLarge(WireError):
    """A message that is longer than a message may be; it was not read. `length`: its bytes."""

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(f"frame of {length} bytes exceeds the limit of {limit}")
        self.length = length
        self.limit = limit

    def __reduce__(self) -> tuple[type[FrameTooLarge], tuple[int, int]]:
        return FrameTooLarge, (self.length, self.limit)


def frame_too_large(length: int, limit: int) -> FrameTooLarge:
    return FrameTooLarge(length, limit)


FRAME_LENGTH_LONG = "frame length exceeds 63 bits"
FRAME_LENGTH_PADDED = "frame length is not minimally encoded"
FRAME_LENGTH_CUT = "stream ended inside a frame length"


def frame_cut(have: int, length: int) -> WireError:
    return WireError(f"stream ended after {have} of {length} bytes of a frame")
