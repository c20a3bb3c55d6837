"""Frames: their lengths, and streams that end in the middle of one."""

from __future__ import annotations

from collections.abc import Iterator

from bitswap.conform import wire
from bitswap.conform.case import (
    CUT_BODY,
    CUT_LENGTH,
    LENGTH_LIMIT,
    LENGTH_OVERFLOW,
    LENGTH_PADDED,
    MAY_CLOSE,
    Case,
    Draft,
    accepted,
    broken,
    key,
)
from bitswap.options import MAX_FRAME

THEME = "framing"
CUTS = "truncated"


def cases() -> Iterator[Case]:
    yield from _lengths()
    yield from _too_long()
    yield from _truncated()


def _lengths() -> Iterator[Case]:
    yield accepted(THEME, "length-0", "a message of no bytes", Draft())
    yield accepted(
        THEME, "empty-wantlist", "what boxo sends when it has nothing to say", Draft([b"\x0a\x00"])
    )
    for size in (1, 127 - 48, 128 - 48, 16383 - 48, 16384 - 48):
        draft = Draft().want(key(f"length {size}")).raw(wire.content(1000, b"x" * size))
        about = f"a body of {len(draft.body)} bytes, made up by an unknown field"
        yield accepted(THEME, f"length-{len(draft.body)}", about, draft)
    for padding in (1, 2, 7):
        body = Draft().want(key(f"padded length {padding}")).body
        stream = wire.varint(len(body), padding) + body
        about = f"a length with {padding} needless bytes; unsigned-varint allows none"
        yield broken(THEME, f"length-padded-{padding}", about, stream, LENGTH_PADDED)
    yield broken(THEME, "length-0-padded", "a length of 0 in two bytes", b"\x80\x00", LENGTH_PADDED)
    for count in (9, 10, 11, 20):
        about = f"a length that goes on for {count} bytes; unsigned-varint allows 9"
        yield broken(THEME, f"length-endless-{count}", about, b"\xff" * count, LENGTH_OVERFLOW)
    about = "2**63 in ten bytes"
    yield broken(THEME, "length-2-63", about, b"\x80" * 9 + b"\x01", LENGTH_OVERFLOW)
    for count in range(1, 9):
        about = f"{count} bytes of a length, then the end of the stream"
        yield broken(THEME, f"length-cut-{count}", about, b"\xff" * count, CUT_LENGTH)


def _too_long() -> Iterator[Case]:
    for size in (MAX_FRAME + 1, 2 * MAX_FRAME, 2**31 - 1, 2**31, 2**32 - 1, 2**32 + 2, 2**62, 2**63 - 1):
        about = f"a body of {size:,} bytes is announced; 4 MiB are allowed"
        yield broken(THEME, f"length-{size}", about, wire.varint(size) + b"\x0a\x00", LENGTH_LIMIT)
    for size in (1, 2, 48, MAX_FRAME):
        about = f"a body of {size:,} bytes is announced and none of it comes"
        yield broken(THEME, f"no-body-of-{size}", about, wire.varint(size), CUT_BODY)


def _truncated() -> Iterator[Case]:
    """A small message cut at every byte; whole messages before the cut are taken."""
    first = Draft().want(key("before the cut"), 1, 1)
    second = Draft().want(key("cut"), 1, 1)
    stream = wire.frame(second.body)
    for end in range(1, len(stream)):
        about = f"{end} of {len(stream)} bytes of a frame, then the end of the stream"
        yield broken(CUTS, f"cut-{end:02}", about, stream[:end], CUT_BODY)
    for end in range(1, len(stream), 7):
        about = f"a whole frame, then {end} of {len(stream)} bytes of another"
        yield Case(
            f"whole-then-cut-{end:02}",
            CUTS,
            about,
            ((wire.frame(first.body) + stream[:end], 1),),
            (first.content,),
            CUT_BODY,
            MAY_CLOSE,
        )
