"""Streams into bodies: lengths, splits, limits."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from bitswap.errors import WireError
from bitswap.options import MAX_FRAME
from bitswap.varint import encode

LONG = "frame length exceeds 63 bits"
PADDED = "frame length is not minimally encoded"


def frame(body: bytes) -> bytes:
    return encode(len(body)) + body


BODIES = [b"", b"a", b"x" * 127, b"y" * 128, b"", b"z" * 70_000, b"end"]
STREAM = b"".join(map(frame, BODIES))


def splits(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 127, 128, 129, 4096, 65536, len(STREAM)])
def test_bodies_come_out_whatever_the_split(codec: ModuleType, size: int) -> None:
    reader = codec.FrameReader()
    found = [body for part in splits(STREAM, size) for body in reader.feed(part)]
    assert found == BODIES
    assert reader.buffered == 0
    reader.eof()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_can_be_fed(codec: ModuleType, kind: type) -> None:
    reader = codec.FrameReader()
    assert reader.feed(kind(frame(b"one") + frame(b"two"))) == [b"one", b"two"]


def test_bodies_do_not_share_memory_with_what_was_fed(codec: ModuleType) -> None:
    buffer = bytearray(frame(b"steady"))
    (body,) = codec.FrameReader().feed(buffer)
    buffer[:] = bytes(len(buffer))
    assert body == b"steady"
    assert type(body) is bytes


def test_buffered_counts_the_frame_under_way(codec: ModuleType) -> None:
    reader = codec.FrameReader()
    stream = frame(b"x" * 300)
    for fed, byte in enumerate(stream[:-1], 1):
        assert reader.feed(bytes([byte])) == []
        assert reader.buffered == fed
    assert reader.feed(stream[-1:]) == [b"x" * 300]
    assert reader.buffered == 0


def test_nothing_fed_is_nothing_read(codec: ModuleType) -> None:
    reader = codec.FrameReader()
    assert reader.feed(b"") == []
    assert reader.feed(bytearray()) == []
    assert reader.feed(memoryview(b"")) == []
    reader.eof()


def test_a_body_of_exactly_the_limit_passes(codec: ModuleType) -> None:
    body = bytes(MAX_FRAME)
    assert codec.FrameReader().feed(frame(body)) == [body]
    assert codec.FrameReader(5).feed(frame(b"12345")) == [b"12345"]
    assert codec.FrameReader(0).feed(b"\x00") == [b""]


@pytest.mark.parametrize(
    ("length", "limit"), [(MAX_FRAME + 1, MAX_FRAME), (6, 5), (1, 0), (2**63 - 1, MAX_FRAME)]
)
def test_a_length_above_the_limit_is_refused_before_the_body(
    codec: ModuleType, length: int, limit: int
) -> None:
    reader = codec.FrameReader(limit)
    head = encode(length)
    for byte in head[:-1]:
        assert reader.feed(bytes([byte])) == []
    with pytest.raises(WireError, match=f"^frame of {length} bytes exceeds the limit of {limit}$"):
        reader.feed(head[-1:])


@pytest.mark.parametrize(
    ("head", "refused_at", "text"),
    [
        ("8000", 2, PADDED),
        ("828000", 3, PADDED),
        ("8280808080808000", 8, PADDED),
        ("828080808080808000", 9, PADDED),
        ("ffffffffffffffffff01", 9, LONG),
        ("80808080808080808000", 9, LONG),
    ],
)
def test_bad_lengths_are_refused_at_once(codec: ModuleType, head: str, refused_at: int, text: str) -> None:
    reader = codec.FrameReader()
    data = bytes.fromhex(head)
    for byte in data[: refused_at - 1]:
        assert reader.feed(bytes([byte])) == []
    with pytest.raises(WireError, match=f"^{text}$"):
        reader.feed(data[refused_at - 1 :])


def test_the_longest_length_is_read(codec: ModuleType) -> None:
    reader = codec.FrameReader()
    with pytest.raises(WireError, match=r"^frame of 9223372036854775807 bytes exceeds the limit of 4194304$"):
        reader.feed(bytes.fromhex("ffffffffffffffff7f"))


def test_frames_before_a_bad_one_are_not_lost(codec: ModuleType) -> None:
    reader = codec.FrameReader()
    assert reader.error is None
    assert reader.feed(frame(b"good") + b"\x80\x00" + frame(b"lost")) == [b"good"]
    assert str(reader.error) == PADDED
    with pytest.raises(WireError, match=PADDED):
        reader.feed(frame(b"later"))
    with pytest.raises(WireError, match=PADDED):
        reader.eof()


def test_a_broken_reader_stays_broken(codec: ModuleType) -> None:
    reader = codec.FrameReader()
    for _ in range(3):
        with pytest.raises(WireError, match=PADDED):
            reader.feed(b"\x81\x00")
    assert type(reader.error) is WireError


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (b"\x80", "stream ended inside a frame length"),
        (b"\x05", "stream ended after 0 of 5 bytes of a frame"),
        (b"\x05abc", "stream ended after 3 of 5 bytes of a frame"),
        (frame(b"whole") + b"\x02a", "stream ended after 1 of 2 bytes of a frame"),
    ],
)
def test_an_end_inside_a_frame_is_an_error(codec: ModuleType, stream: bytes, text: str) -> None:
    reader = codec.FrameReader()
    reader.feed(stream)
    with pytest.raises(WireError, match=f"^{text}$"):
        reader.eof()


def test_only_bytes_can_be_fed(codec: ModuleType) -> None:
    with pytest.raises(TypeError):
        codec.FrameReader().feed("text")
