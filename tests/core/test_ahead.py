"""Blocks hashed by a second thread: the same messages as without, however the bytes are cut."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from bitswap import Block
from bitswap._core import implementations
from bitswap._core.framing_py import FrameReader as PlainReader
from bitswap._core.wire_py import Message as PlainMessage
from bitswap.errors import WireError
from bitswap.multihash import SHA2_256
from bitswap.varint import encode

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif("c" not in implementations(), reason="the core is not compiled"),
]

LIMIT = 1 << 24
SIZES = (0, 1, 5_000, 16_383, 16_384, 16_400, 100_000, 262_144, 700_001)
PREFIX = bytes((1, 0x55, SHA2_256, 32))


@pytest.fixture(scope="module")
def ahead_c() -> ModuleType:
    compiled = pytest.importorskip("bitswap._core.ahead_c")
    if not compiled.AVAILABLE:
        pytest.skip("OpenSSL cannot be reached from the core")
    return compiled


@pytest.fixture(params=["running", "never-started", "stopped"])
def ahead(ahead_c: ModuleType, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Whether the second thread helps or not, all must come out alike."""
    shared = ahead_c.HashAhead()
    thread = threading.Thread(target=shared.run, name="ahead")
    if request.param != "never-started":
        thread.start()
    if request.param == "stopped":
        shared.stop()
    yield shared
    shared.stop()
    if thread.ident is not None:
        thread.join()


def reader_of(ahead: Any) -> Any:
    return implementations()["c"].FrameReader(LIMIT, ahead=ahead)


def cut(frame: bytes, step: int) -> Iterator[bytes]:
    return (frame[at : at + step] for at in range(0, len(frame), step))


def read(ahead: Any, frame: bytes, step: int) -> list[Any]:
    reader = reader_of(ahead)
    return [body for part in cut(frame, step) for body in reader.feed(part)]


def decoded(body: Any) -> Any:
    return implementations()["c"].Message.from_body(body)


def pairs(message: Any) -> list[tuple[bytes, bytes]]:
    return [(bytes(block.cid), block.data) for block in message.blocks()]


def field(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + encode(len(content)) + content


def framed(body: bytes) -> bytes:
    return encode(len(body)) + body


def a_message(rng: random.Random) -> PlainMessage:
    message = PlainMessage()
    for _ in range(rng.randrange(1, 9)):
        data = rng.randbytes(rng.choice(SIZES))
        message.add_block(Block.of(data, codec=rng.choice((0x55, 0x70, 0x71))))
        rng.choice((message.add_have, message.add_dont_have))(Block.of(rng.randbytes(8)).cid)
        message.add_entry(Block.of(rng.randbytes(8)).cid, rng.randrange(9))
    message.pending_bytes = rng.randrange(1000)
    return message


@pytest.mark.parametrize("step", [1_000, 16_384, 65_536, 300_000, LIMIT])
def test_messages_are_the_same_as_without(ahead: Any, step: int) -> None:
    rng = random.Random(step)
    for _ in range(12):
        message = a_message(rng)
        (body,) = read(ahead, message.to_frame(), step)
        got = decoded(body)
        assert pairs(got) == pairs(PlainMessage.from_body(message.to_body()))
        assert len(body) == got.body_size == len(message.to_body())
        assert bytes(body) == message.to_body()
        for block in got.blocks():
            block.verify()


def test_frames_that_follow_each_other(ahead: Any) -> None:
    rng = random.Random(7)
    messages = [a_message(rng) for _ in range(20)]
    stream = b"".join(message.to_frame() for message in messages)
    bodies = read(ahead, stream, 50_000)
    assert [pairs(decoded(body)) for body in bodies] == [pairs(message) for message in messages]


def test_many_streams_in_turns(ahead: Any) -> None:
    """What is left of one message while others come is not mixed up with theirs."""
    rng = random.Random(3)
    messages = [a_message(rng) for _ in range(24)]
    streams = [(reader_of(ahead), cut(message.to_frame(), 40_000), message) for message in messages]
    while streams:
        at = rng.randrange(len(streams))
        reader, parts, message = streams[at]
        for body in reader.feed(next(parts, b"")):
            assert pairs(decoded(body)) == pairs(message)
            del streams[at]


def test_messages_that_are_never_complete_cost_nothing_afterwards(ahead: Any) -> None:
    rng = random.Random(5)
    for _ in range(200):
        frame = a_message(rng).to_frame()
        reader = reader_of(ahead)
        for part in cut(frame[: rng.randrange(len(frame))], 70_000):
            reader.feed(part)
    message = a_message(rng)
    (body,) = read(ahead, message.to_frame(), 10_000)
    assert pairs(decoded(body)) == pairs(message)


def test_a_body_that_nobody_decodes_is_let_go(ahead: Any) -> None:
    rng = random.Random(6)
    for _ in range(50):
        read(ahead, a_message(rng).to_frame(), LIMIT)


DATA = bytes(range(256)) * 128
ODD = {
    "data first": field(0x12, DATA) + field(0x0A, PREFIX),
    "data twice": field(0x0A, PREFIX) + field(0x12, DATA) + field(0x12, DATA[::-1]),
    "prefix twice": field(0x0A, PREFIX) + field(0x12, DATA) + field(0x0A, PREFIX[:1] + b"\x70" + PREFIX[2:]),
    "another hash": field(0x0A, bytes((1, 0x55, 0x13, 64))) + field(0x12, DATA),
    "a longer prefix": field(0x0A, b"\x01\x80\x01\x12\x20") + field(0x12, DATA),
    "a padded length": field(0x0A, PREFIX) + b"\x12\x80\x80\x82\x00" + DATA,
    "an unknown field": field(0x0A, PREFIX) + field(0x12, DATA) + field(0x3A, b"x" * 20_000),
    "something behind": field(0x0A, PREFIX) + field(0x12, DATA) + b"\x50\x01",
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("step", [500, 20_000, LIMIT])
def test_blocks_in_another_form_are_read_by_the_decoder(ahead: Any, odd: str, step: int) -> None:
    plain = field(0x1A, field(0x0A, PREFIX) + field(0x12, DATA[5:]))
    body = plain + field(0x1A, ODD[odd]) + field(0x1A, field(0x0A, PREFIX) + field(0x12, DATA[9:]))
    (arrived,) = read(ahead, framed(body), step)
    assert pairs(decoded(arrived)) == pairs(PlainMessage.from_body(body))


GOOD = field(0x1A, field(0x0A, PREFIX) + field(0x12, DATA))
BROKEN = {
    "a length beyond the end": GOOD + b"\x1a\xff\xff\x7f" + DATA,
    "data beyond its element": b"\x1a\x80\x80\x01" + field(0x0A, PREFIX) + b"\x12\xff\xff\x01" + DATA + DATA,
    "a bad tag": GOOD + b"\x07" + DATA,
    "a bad CID": GOOD + field(0x22, field(0x0A, b"\x00")),
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("step", [500, 20_000, LIMIT])
def test_broken_bodies_get_the_same_verdict(ahead: Any, broken: str, step: int) -> None:
    body = BROKEN[broken]
    (arrived,) = read(ahead, framed(body), step)
    with pytest.raises(WireError) as expected:
        PlainMessage.from_body(body)
    with pytest.raises(WireError) as found:
        decoded(arrived)
    assert str(found.value) == str(expected.value)


def test_a_bad_length_behind_a_large_block(ahead: Any) -> None:
    message = PlainMessage()
    message.add_block(Block.of(DATA))
    reader = reader_of(ahead)
    plain = PlainReader(LIMIT)
    stream = message.to_frame() + b"\xff" * 12
    (body,) = reader.feed(stream)
    assert pairs(decoded(body)) == pairs(decoded(plain.feed(stream)[0]))
    assert str(reader.error) == str(plain.error)


def test_small_bodies_stay_bytes(ahead: Any, ahead_c: ModuleType) -> None:
    message = PlainMessage()
    message.add_block(Block.of(bytes(ahead_c.LEAST - 100)))
    (body,) = read(ahead, message.to_frame(), LIMIT)
    assert type(body) is bytes


def test_decoded_twice(ahead: Any) -> None:
    """What was handed out once is read again from the body."""
    message = PlainMessage()
    message.add_block(Block.of(DATA))
    (body,) = read(ahead, message.to_frame(), 9_000)
    assert pairs(decoded(body)) == pairs(decoded(body)) == pairs(message)


def test_announced_and_never_sent(ahead: Any, ahead_c: ModuleType) -> None:
    """Memory for bytes that have not come stays within its limit, and is counted back."""
    size = 1 << 22
    head = encode(size + 16) + b"\x1a" + encode(size + 11) + field(0x0A, PREFIX) + b"\x12" + encode(size)
    readers = [reader_of(ahead) for _ in range(20)]
    for part in (head + bytes(40), bytes(100_000), bytes(100_000)):
        for reader in readers:
            assert reader.feed(part) == []
            come = sum(each.buffered for each in readers)
            assert ahead.early <= ahead_c.MOST_EARLY + 2 * come
    readers.clear()
    del reader
    assert ahead.early == 0


def test_kept_blocks_of_many_messages(ahead: Any) -> None:
    """Memory that grows for as long as blocks are kept."""
    rng = random.Random(8)
    kept = []
    for _ in range(40):
        message = PlainMessage()
        message.add_block(Block.of(rng.randbytes(700_001)))
        (body,) = read(ahead, message.to_frame(), 65_536)
        kept.append((pairs(decoded(body)), pairs(message)))
    assert all(got == sent for got, sent in kept)
