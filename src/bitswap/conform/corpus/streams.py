"""Streams of several messages, messages in pieces, and large ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from bitswap.cid import CID
from bitswap.conform import wire
from bitswap.conform.case import (
    BAD_CID,
    CUT_BODY,
    LENGTH_LIMIT,
    LENGTH_PADDED,
    MAY_CLOSE,
    PROTOBUF,
    Case,
    Content,
    Draft,
    key,
)
from bitswap.options import MAX_BLOCK, MAX_FRAME

SEVERAL, PIECES, LARGE = "several-messages", "pieces", "large"

_RAW = b"\x01\x55\x12\x20"


def cases() -> Iterator[Case]:
    yield from _several()
    yield from _spoilt()
    yield from _pieces()
    yield from _large()


def _wants(label: str, count: int) -> list[Draft]:
    return [Draft().want(key(f"{label} {number}"), 1, number % 2) for number in range(count)]


def _stream(theme: str, name: str, about: str, drafts: list[Draft], pieces: int = 0) -> Case:
    data = b"".join(wire.frame(draft.body) for draft in drafts)
    asks = any(draft.content.entries for draft in drafts)
    contents = tuple(draft.content for draft in drafts)
    peer = "answer" if asks else "ignore"
    return Case(name, theme, about, ((data, 1),), contents, peer=peer, pieces=pieces)


def _several() -> Iterator[Case]:
    for count in (2, 3, 10, 64):
        about = f"{count} messages on one stream"
        yield _stream(SEVERAL, f"messages-{count}", about, _wants(f"of {count}", count))
    empty = [Draft()] * 20
    yield _stream(SEVERAL, "empties", "twenty empty messages", empty)
    about = "empty messages, then a want"
    yield _stream(SEVERAL, "empties-then-want", about, empty + _wants("after empties", 1))
    first, second = (
        _wants("want, cancel", 1),
        [Draft().want(key("want, cancel 0"), 0, cancel=True, dont_have=False)],
    )
    case = _stream(SEVERAL, "want-then-cancel", "a want, and its cancel in the next message", first + second)
    yield Case(case.name, case.theme, case.about, case.parts, case.messages)
    unknown = [Draft([wire.content(99, b"?")])]
    about = "a message of unknown fields between two wants"
    drafts = _wants("round unknown", 2)
    yield _stream(SEVERAL, "unknown-between", about, [drafts[0], *unknown, drafts[1]])


def _spoilt() -> Iterator[Case]:
    """Good messages before the bad one are taken; nothing behind it is."""
    good = _wants("before the bad one", 2)
    tail = wire.frame(_wants("behind the bad one", 1)[0].body)
    told = {
        "bad-cid": (wire.frame(wire.wantlist(wire.entry(b"rubbish"))), BAD_CID),
        "no-protobuf": (wire.frame(b"\xff" * 12), PROTOBUF),
        "too-long": (wire.varint(MAX_FRAME + 1), LENGTH_LIMIT),
        "padded-length": (b"\x82\x00\x0a\x00", LENGTH_PADDED),
    }
    for name, (bad, error) in told.items():
        for count in (0, 1, 2):
            head = b"".join(wire.frame(draft.body) for draft in good[:count])
            contents = tuple(draft.content for draft in good[:count])
            yield Case(
                f"{count}-good-then-{name}",
                SEVERAL,
                f"{count} good messages, a bad one, and a good one that nobody may read",
                ((head + bad + tail, 1),),
                contents,
                error,
                MAY_CLOSE,
            )


def _pieces() -> Iterator[Case]:
    for size in (1, 2, 3, 7, 13):
        about = f"two messages in writes of {size} bytes"
        yield _stream(PIECES, f"pieces-{size}", about, _wants(f"pieces {size}", 2), size)
    data = b"\x5b" * 200
    block = Draft().block(CID.from_trusted(_RAW + hashlib.sha256(data).digest()), data)
    yield _stream(PIECES, "block-in-pieces", "a block in writes of 3 bytes", [block], 3)
    head = wire.frame(_wants("cut in pieces", 1)[0].body)[:-5]
    about = "most of a message in writes of one byte, then the end"
    yield Case("cut-in-pieces", PIECES, about, ((head, 1),), (), CUT_BODY, MAY_CLOSE, 1)


def _large() -> Iterator[Case]:
    yield _padded("frame-4-mib", "a message of exactly 4 MiB", MAX_FRAME)
    about = "a message of 4 MiB and one byte, sent whole"
    parts = _padding(MAX_FRAME + 1)
    yield Case("frame-4-mib-1", LARGE, about, parts, (), LENGTH_LIMIT, MAY_CLOSE)
    for name, size in (("block-1-mib", MAX_BLOCK // 2), ("block-2-mib", MAX_BLOCK)):
        yield _block(name, f"a block of {size:,} bytes; up to 2 MiB must be taken", size, "ignore")
    about = "a block of 2 MiB and one byte, which nobody has to take"
    yield _block("block-2-mib-1", about, MAX_BLOCK + 1, MAY_CLOSE)
    yield _block("block-most", "the largest block that a frame holds", MAX_FRAME - 16, MAY_CLOSE)
    cid = key("a thousand times")
    item = wire.content(wire.ENTRIES, wire.entry(cid, 1, 1, dont_have=True))
    head = wire.tag(1, wire.BYTES) + wire.varint(1000 * len(item))
    meaning = Draft().means(entries=[(cid, 1, 1, False, True)]).content
    yield _repeated(
        "one-want-1000-times", "the same want a thousand times", head, item, 1000, meaning, "answer"
    )
    item = wire.presence(cid, 1)
    meaning = Draft().means(presences=[(cid, 1)]).content
    yield _repeated("one-presence-10000-times", "the same presence 10,000 times", b"", item, 10_000, meaning)
    yield _repeated(
        "wantlists-100000", "a hundred thousand empty wantlists", b"", wire.wantlist(), 100_000, Content()
    )
    empty = wire.payload(_RAW, b"")
    none = Draft().means(blocks=[(CID.from_trusted(_RAW + hashlib.sha256(b"").digest()), b"")]).content
    yield _repeated("empty-blocks-10000", "the block of no bytes 10,000 times", b"", empty, 10_000, none)
    item = wire.number(77, 1)
    yield _repeated("unknown-100000", "a hundred thousand unknown numbers", b"", item, 100_000, Content())
    size = 1_000_000
    raw = b"\x01\x55\x12" + wire.varint(size)
    inside = len(raw) + size
    entry = wire.tag(1, wire.BYTES) + wire.varint(inside)
    outer = wire.tag(1, wire.BYTES) + wire.varint(len(entry) + inside)
    body = wire.tag(1, wire.BYTES) + wire.varint(len(outer) + len(entry) + inside) + outer + entry + raw
    meaning = Draft().means(entries=[(CID.from_trusted(raw + b"\x07" * size), 0, 0, False, False)]).content
    parts = ((wire.varint(len(body) + size) + body, 1), (b"\x07", size))
    yield Case("cid-1-mb", LARGE, "a CID of a million bytes", parts, (meaning,))


def _repeated(
    name: str, about: str, head: bytes, item: bytes, times: int, meaning: Content, peer: str = "ignore"
) -> Case:
    size = len(head) + len(item) * times
    return Case(name, LARGE, about, ((wire.varint(size) + head, 1), (item, times)), (meaning,), peer=peer)


def frame_of(size: int) -> bytes:
    """A frame whose body has `size` bytes and says nothing."""
    return b"".join(part * times for part, times in _padding(size))


def _padding(size: int) -> tuple[tuple[bytes, int], ...]:
    """A frame of `size` bytes that is one unknown field."""
    field = wire.tag(1000, wire.BYTES)
    rest = size - len(field) - 4
    head = wire.varint(size) + field + wire.varint(rest)
    assert len(head) == len(wire.varint(size)) + len(field) + 4
    return ((head, 1), (b"x", rest))


def _padded(name: str, about: str, size: int) -> Case:
    return Case(name, LARGE, about, _padding(size), (Content(),))


def _block(name: str, about: str, size: int, peer: str) -> Case:
    data = b"\xb5" * size
    head = wire.content(wire.PREFIX, _RAW) + wire.tag(wire.DATA, wire.BYTES) + wire.varint(size)
    body = wire.tag(wire.PAYLOAD, wire.BYTES) + wire.varint(len(head) + size) + head
    meaning = Draft().means(blocks=[(CID.from_trusted(_RAW + hashlib.sha256(data).digest()), data)]).content
    parts = ((wire.varint(len(body) + size) + body, 1), (b"\xb5", size))
    return Case(name, LARGE, about, parts, (meaning,), peer=peer)
