"""Both codecs do the same with any bytes: same verdict, same error, same contents, same bytes written.

A few hundred inputs a test by default, 60,000 in all with BITSWAP_FUZZ=long.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bitswap import _core
from bitswap.errors import BitswapError
from tests.sizes import LONG

CODECS = _core.implementations()

pytestmark = [
    pytest.mark.skipif(len(CODECS) < 2, reason="there is only one codec to compare"),
    pytest.mark.timeout(3600),
]

FUZZ = settings(
    max_examples=12_000 if LONG else 300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

Piece = st.SearchStrategy[bytes]

# Varints, as short as they can be or padded with zeros; some too long.

NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, 127, 128, 300, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1]),
    st.integers(0, 2**64 - 1),
)


def varint(number: int, padding: int = 0) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    if padding:
        out[-1] |= 0x80
        out += b"\x80" * (padding - 1) + b"\x00"
    return bytes(out)


PADDING = st.one_of(st.just(0), st.just(0), st.just(0), st.integers(0, 9))
VARINTS: Piece = st.one_of(
    st.builds(varint, NUMBERS, PADDING),
    st.builds(lambda last: b"\xff" * 9 + bytes([last]), st.integers(0, 255)),
)


def tag(number: int, wire_type: int, padding: int = 0) -> bytes:
    return varint(number << 3 | wire_type, padding)


def length_delimited(number: int, content: Piece) -> Piece:
    return st.builds(
        lambda data, one, two: tag(number, 2, one) + varint(len(data), two) + data, content, PADDING, PADDING
    )


def scalar(number: int) -> Piece:
    return st.builds(lambda padding, value: tag(number, 0, padding) + value, PADDING, VARINTS)


# Fields that are unknown, or known with another wire type.

FIELD_NUMBERS = st.one_of(
    st.integers(0, 16), st.sampled_from([19_000, 2**29 - 1, 2**29, 2**31 - 1, 2**31, 2**32 + 1, 2**60])
)


def group(number: int, depth: int, content: bytes, end: int) -> bytes:
    return tag(number, 3) * depth + content + tag(end, 4) * depth


def grouped(content: Piece) -> Piece:
    same = st.builds(
        lambda number, depth, data: group(number, depth, data, number),
        FIELD_NUMBERS,
        st.sampled_from([1, 1, 1, 2, 40, 101]),
        content,
    )
    return st.one_of(same, st.builds(group, FIELD_NUMBERS, st.just(1), content, FIELD_NUMBERS))


PLAIN_UNKNOWN: Piece = st.one_of(
    st.builds(lambda number, value: tag(number, 0) + value, FIELD_NUMBERS, VARINTS),
    st.builds(lambda number, data: tag(number, 1) + data, FIELD_NUMBERS, st.binary(min_size=7, max_size=8)),
    st.builds(lambda number, data: tag(number, 5) + data, FIELD_NUMBERS, st.binary(min_size=4, max_size=4)),
    st.builds(
        lambda number, data: tag(number, 2) + varint(len(data)) + data, FIELD_NUMBERS, st.binary(max_size=6)
    ),
    st.builds(tag, FIELD_NUMBERS, st.integers(3, 7)),
)
UNKNOWN: Piece = st.recursive(
    PLAIN_UNKNOWN, lambda inner: grouped(st.lists(inner, max_size=3).map(b"".join)), max_leaves=6
)


def fields(*known: Piece, max_size: int = 6) -> Piece:
    return st.lists(st.one_of(*known, *known, UNKNOWN), max_size=max_size).map(b"".join)


# CIDs, prefixes and the messages made of them. Few digests, so that elements meet.

DIGESTS = st.one_of(st.sampled_from([b"\x00" * 32, b"\x01" * 32]), st.binary(max_size=40))
CODES = st.sampled_from(
    [0x12, 0x12, 0, 0x11, 0x13, 0x1A, 0x1E, 0x22, 0x56, 0xD5, 0x1013, 0xB201, 0xB220, 0xB260]
)
LENGTHS = st.sampled_from([32, 32, 0, 1, 16, 20, 28, 33, 64, 65, 128, 129, 2**31 - 1, 2**31, 2**62])
CODECS_OF_BLOCKS = st.sampled_from([0x55, 0x70, 0x71, 0x0129, 0, 2**62])
STRICT = st.sampled_from([0, 0, 0, 0, 0, 1])

CIDS: Piece = st.one_of(
    st.sampled_from([b"\x01\x55\x12\x20" + b"\x00" * 32, b"\x12\x20" + b"\x00" * 32]),
    DIGESTS.map(lambda digest: b"\x12\x20" + digest),
    st.builds(
        lambda version, codec, code, digest, padding, wrong: (
            varint(version, padding) + varint(codec) + varint(code) + varint(len(digest) + wrong) + digest
        ),
        st.sampled_from([1, 1, 1, 0, 2]),
        CODECS_OF_BLOCKS,
        CODES,
        DIGESTS,
        STRICT,
        st.sampled_from([0, 0, 0, 0, 1, 2**31]),
    ),
    st.binary(max_size=40),
)
PREFIXES: Piece = st.one_of(
    st.sampled_from([b"\x01\x55\x12\x20", b"\x01\x70\x12\x20", b"\x00\x70\x12\x20"]),
    st.builds(
        lambda version, codec, code, length, padding, rest: (
            varint(version) + varint(codec, padding) + varint(code) + varint(length) + rest
        ),
        st.sampled_from([1, 1, 1, 0, 2]),
        CODECS_OF_BLOCKS,
        CODES,
        LENGTHS,
        STRICT,
        st.binary(max_size=2),
    ),
    st.binary(max_size=6),
)

CID_FIELD = length_delimited(1, CIDS)
ENTRIES = st.builds(
    bytes.__add__, CID_FIELD, fields(scalar(2), scalar(3), scalar(4), scalar(5), CID_FIELD, max_size=4)
)
WANTLISTS = fields(length_delimited(1, ENTRIES), length_delimited(1, ENTRIES), scalar(2))
BLOCKS = fields(length_delimited(1, PREFIXES), length_delimited(2, st.binary(max_size=8)), max_size=3)
PRESENCES = st.builds(bytes.__add__, CID_FIELD, fields(scalar(2), CID_FIELD, max_size=2))
# Bodies with much data in few fields take another way through the codec in Python.
LARGE = 20_000
BODIES = fields(
    length_delimited(1, WANTLISTS),
    length_delimited(2, st.one_of(st.binary(max_size=8), st.just(bytes(LARGE)))),
    length_delimited(3, BLOCKS),
    length_delimited(4, PRESENCES),
    scalar(5),
)

# One change to a body: (what, where, with what).

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "insert", "delete", "cut", "repeat"]),
        st.integers(0, 2**16),
        st.one_of(st.just(b"\xff" * 9 + b"\x02"), st.binary(min_size=1, max_size=3)),
    ),
    min_size=1,
    max_size=3,
)


def changed(body: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    for what, where, data in changes:
        at = where % (len(body) + 1)
        if what == "insert":
            body = body[:at] + data + body[at:]
        elif what == "delete":
            body = body[:at] + body[at + len(data) :]
        elif what == "cut":
            body = body[:at]
        elif what == "repeat":
            body = body[:at] + body[max(0, at - 8 * len(data)) :]
        elif what == "set":
            body = body[:at] + data + body[at + len(data) :]
        elif at < len(body):
            body = body[:at] + bytes([body[at] ^ 1 << where % 8]) + body[at + 1 :]
    return body


def outcome(codec: ModuleType, body: bytes) -> Any:
    try:
        message = codec.Message.from_body(body)
    except BitswapError as error:
        return type(error), str(error)
    return contents(message), [frames(message, limit) for limit in (30, 64, 1000)]


def contents(message: Any) -> tuple[Any, ...]:
    return (
        repr(message),
        message.wantlist(),
        [(block.cid, block.data) for block in message.blocks()],
        message.presences(),
        message.haves(),
        message.dont_haves(),
        message.size(),
        message.body_size,
        message.empty(),
        message.to_body(0),
        message.to_frame(1),
    )


def frames(message: Any, limit: int) -> Any:
    try:
        return [message.to_frames(version, limit) for version in (0, 1)]
    except BitswapError as error:
        return type(error), str(error)


def agree(body: bytes) -> None:
    first, *others = (outcome(codec, body) for codec in CODECS.values())
    for other in others:
        assert other == first


@FUZZ
@given(BODIES)
@example(b"")
@example(bytes.fromhex("28ffffffffffffffffff02"))  # the runtime of protobuf ignores what exceeds 64 bits
@example(bytes.fromhex("a880808080808080800007"))  # it refuses tags of more than five bytes
@example(bytes.fromhex("12a09c01") + bytes(LARGE) + bytes.fromhex("28ffffffffffffffffff02"))
@example(b"\x3b" * 101 + b"\x3c" * 101)  # and more than a hundred groups in each other
def test_messages(body: bytes) -> None:
    agree(body)


@FUZZ
@given(BODIES, CHANGES)
def test_messages_with_a_few_bytes_changed(body: bytes, changes: list[tuple[str, int, bytes]]) -> None:
    agree(changed(body, changes))


@FUZZ
@given(st.binary(max_size=64))
def test_any_bytes(body: bytes) -> None:
    agree(body)


# Calls on a message

SOME_CIDS = st.sampled_from(
    [b"\x01\x55\x12\x20" + bytes([i]) * 32 for i in range(20)] + [b"\x01\x55\x00\x01x"]
)
INT32 = st.one_of(st.integers(-3, 3), st.integers(-(2**31), 2**31 - 1))
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("add_entry"), SOME_CIDS, INT32, INT32, st.booleans()),
        st.tuples(st.sampled_from(["cancel", "remove", "remove", "add_have", "add_dont_have"]), SOME_CIDS),
        st.tuples(st.just("add_presence"), SOME_CIDS, INT32),
        st.tuples(st.just("add_block"), SOME_CIDS, st.binary(max_size=200)),
        st.tuples(st.just("pending_bytes"), INT32),
        st.tuples(st.sampled_from(["reset", "full"]), st.booleans()),
        st.tuples(st.sampled_from(["clone", "read again"])),
    ),
    max_size=60,
)


def apply(codec: ModuleType, calls: list[tuple[Any, ...]]) -> list[Any]:
    from bitswap.block import Block
    from bitswap.cid import CID

    message = codec.Message()
    seen: list[Any] = []
    for name, *arguments in calls:
        if name == "clone":
            message = message.clone()
        elif name == "read again":
            message = codec.Message.from_body(message.to_body())
        elif name in ("full", "pending_bytes"):
            setattr(message, name, *arguments)
        elif name == "add_block":
            message.add_block(Block(CID(arguments[0]), arguments[1]))
        elif name == "reset":
            message.reset(*arguments)
        else:
            seen.append(getattr(message, name)(CID(arguments[0]), *arguments[1:]))
        if len(seen) % 8 == 0:
            seen.append(contents(message))
    return [*seen, contents(message), [frames(message, limit) for limit in (60, 200, 1000)]]


@FUZZ
@given(CALLS)
def test_calls(calls: list[tuple[Any, ...]]) -> None:
    first, *others = (apply(codec, calls) for codec in CODECS.values())
    for other in others:
        assert other == first


# Streams

FRAMES = st.lists(
    st.one_of(
        st.binary(max_size=300).map(lambda body: varint(len(body)) + body),
        st.builds(varint, st.integers(0, 2**64 - 1), PADDING),
        st.binary(max_size=4),
    ),
    max_size=8,
).map(b"".join)


def stream(codec: ModuleType, data: bytes, sizes: list[int], limit: int) -> list[Any]:
    reader = codec.FrameReader(limit)
    seen: list[Any] = []
    at = 0
    steps = iter(sizes)
    while at < len(data):
        part = data[at : at + next(steps, len(data))]
        at += len(part)
        try:
            seen.append(reader.feed(part))
        except BitswapError as error:
            seen.append((type(error), str(error)))
        seen.append((reader.buffered, str(reader.error)))
    try:
        reader.eof()
        seen.append("clean")
    except BitswapError as error:
        seen.append((type(error), str(error)))
    return seen


def bodies(seen: list[Any]) -> list[bytes]:
    return [body for item in seen if isinstance(item, list) for body in item]


@FUZZ
@given(FRAMES, st.lists(st.integers(1, 40), max_size=30), st.sampled_from([0, 10, 200, 4 * 1024 * 1024]))
def test_streams(data: bytes, sizes: list[int], limit: int) -> None:
    found = [stream(codec, data, sizes, limit) for codec in CODECS.values()]
    assert found[1:] == found[:-1]
    whole = stream(CODECS["py"], data, [], limit)
    assert bodies(found[0]) == bodies(whole)
    assert found[0][-1] == whole[-1]
