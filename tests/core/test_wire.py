"""The wire format: exact bytes both ways, what is refused and why, splitting into frames.

What a body may look like is as google.golang.org/protobuf and boxo 0.43 have it; many recorded cases are in
tests/vectors.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bitswap.block import Block
from bitswap.cid import CID, DAG_PB
from bitswap.errors import UsageError, WireError
from bitswap.message import Entry, MessageTooLarge, encoder_version, protocols, supports_have
from bitswap.options import KIB, MAX_FRAME, MIB
from bitswap.varint import encode

V0 = CID(bytes.fromhex("1220c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2"))
V1 = CID(bytes.fromhex("0155") + V0.bytes)
C = V1.hex()
HELLO = Block.of(b"hello")


def message(codec: ModuleType, *, full: bool = False, pending: int = 0) -> Any:
    made = codec.Message(full)
    made.pending_bytes = pending
    return made


# Exact bytes


def test_frames_of_known_bytes(codec: ModuleType) -> None:
    empty, full = message(codec), message(codec, full=True)
    want = message(codec)
    want.add_entry(V1, 1, 1, True)
    block = message(codec, pending=5)
    block.add_block(HELLO)
    have, dont_have = message(codec), message(codec)
    have.add_have(V1)
    dont_have.add_dont_have(V1)
    assert empty.to_frame().hex() == "020a00"
    assert empty.to_frame(0).hex() == "020a00"
    assert full.to_frame().hex() == "040a021001"
    assert want.to_frame().hex() == f"300a2e0a2c0a24{C}100120012801"
    assert block.to_frame().hex() == "130a001a0d0a0401551220120568656c6c6f2805"
    assert block.to_frame(0).hex() == "090a00120568656c6c6f"
    assert dont_have.to_frame().hex() == f"2c0a0022280a24{C}1001"
    assert have.to_frame().hex() == f"2a0a0022260a24{C}"
    assert have.to_frame(0).hex() == "020a00"


def test_bodies_are_frames_without_their_length(codec: ModuleType) -> None:
    want = message(codec, full=True)
    for number in range(200):
        want.add_entry(Block.of(bytes([number])).cid, number)
    body, frame = want.to_body(), want.to_frame()
    assert frame[2:] == body
    assert frame[:2] == bytes([len(body) & 0x7F | 0x80, len(body) >> 7])
    assert want.body_size == len(body)


def test_a_cancel_and_a_negative_priority(codec: ModuleType) -> None:
    want = message(codec)
    want.cancel(V1)
    assert want.to_body().hex() == f"0a2a0a280a24{C}1801"
    want.reset(False)
    want.add_entry(V0, -1, -2)
    body = f"0a3c0a3a0a22{V0.hex()}10ffffffffffffffffff0120feffffffffffffffff01"
    assert want.to_body().hex() == body


def test_old_versions_get_raw_blocks_and_no_presences(codec: ModuleType) -> None:
    made = message(codec, full=True, pending=9)
    made.add_entry(V0, 1, 1, True)
    made.add_block(HELLO)
    made.add_block(Block.of(b"", codec=DAG_PB))
    made.add_have(V1)
    assert made.to_body(0).hex() == f"0a2e0a2a0a22{V0.hex()}1001200128011001120568656c6c6f1200"


@pytest.mark.parametrize("version", [2, -1, None, "1"])
def test_other_versions_have_no_encoding(codec: ModuleType, version: Any) -> None:
    made = message(codec)
    for write in (made.to_body, made.to_frame, made.to_frames):
        with pytest.raises(UsageError, match="no encoding for message version"):
            write(version)


def test_everything_survives_the_way_there_and_back(codec: ModuleType) -> None:
    made = message(codec, full=True, pending=-7)
    made.add_entry(V0, 2**31 - 1, 1, True)
    made.add_entry(V1, -(2**31), 5, False)
    made.cancel(HELLO.cid)
    identity = Block.of(b"some words", hash_code=0)
    blocks = [
        HELLO,
        identity,
        Block.of(b"hello", version=0),
        Block.of(b"x" * 3000, codec=0x0129, hash_code=0xB220),
    ]
    for block in blocks:
        made.add_block(block)
    made.add_presence(V1, 3)
    made.add_dont_have(V0)
    read = codec.Message.from_body(made.to_body())
    assert read.wantlist() == made.wantlist()
    assert [(block.cid, block.data) for block in read.blocks()] == [(b.cid, b.data) for b in blocks]
    assert read.presences() == [(V1, 3), (V0, 1)]
    assert (read.full, read.pending_bytes, read.body_size) == (True, -7, made.body_size)
    assert read.to_body() == made.to_body()


# Reading


def read(codec: ModuleType, body: str) -> Any:
    return codec.Message.from_body(bytes.fromhex(body))


def test_a_body_without_a_wantlist_is_a_message(codec: ModuleType) -> None:
    assert read(codec, "").empty()
    assert read(codec, "2805").pending_bytes == 5
    assert read(codec, "").to_body().hex() == "0a00"


def test_wantlists_merge(codec: ModuleType) -> None:
    made = read(codec, f"0a2c0a2a0a24{C}10012001" + "0a021001" + f"0a2a0a280a24{C}1002")
    assert made.full
    assert made.wantlist() == [Entry(V1, 1, 0, False, False)]
    assert not read(codec, "0a0210010a021000").full


def test_presences_of_blocks_in_the_message_are_dropped_wherever_they_stand(codec: ModuleType) -> None:
    block = "1a0d0a0401551220120568656c6c6f"
    presence = f"22280a24{HELLO.cid.hex()}1001"
    other = f"22280a24{C}1001"
    made = read(codec, presence + block + other)
    assert made.presences() == [(V1, 1)]
    assert made.to_body() == read(codec, block + other).to_body()


def test_legacy_blocks_become_cidv0(codec: ModuleType) -> None:
    (block,) = read(codec, "1203" + b"abc".hex()).blocks()
    assert block.cid == CID.v0(hashlib.sha256(b"abc").digest())
    assert block.data == b"abc"


def test_a_body_may_be_any_buffer(codec: ModuleType) -> None:
    body = bytes.fromhex(f"0a280a260a24{C}1a0d0a0401551220120568656c6c6f")
    buffer = bytearray(body)
    made = codec.Message.from_body(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert made.to_body() == body
    with pytest.raises(TypeError):
        codec.Message.from_body("text")
    with pytest.raises(TypeError):
        codec.Message.from_body(5)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("80", "bad protobuf at byte 0: varint cut short"),
        ("28", "bad protobuf at byte 1: varint cut short"),
        ("28ffffffffffffffffff02", "bad protobuf at byte 1: varint exceeds 64 bits"),
        ("2880808080808080808080", "bad protobuf at byte 1: varint exceeds 64 bits"),
        ("2801 00", "bad protobuf at byte 2: field number out of range"),
        ("808080801000", "bad protobuf at byte 0: field number out of range"),
        ("0a03 0e01", "bad protobuf at byte 1: length exceeds what is left"),
        ("0a02 0e01", "bad protobuf at byte 2: reserved wire type"),
        ("34", "bad protobuf at byte 0: group end without its start"),
        ("33 3c", "bad protobuf at byte 1: group end without its start"),
        ("33 0801", "bad protobuf at byte 3: group not closed"),
        ("33 35010203", "bad protobuf at byte 2: fixed-size value cut short"),
        ("31 01020304050607", "bad protobuf at byte 1: fixed-size value cut short"),
        ("12ffffffff0f", "bad protobuf at byte 1: length exceeds what is left"),
        ("12808080808080808080 01", "bad protobuf at byte 1: length exceeds what is left"),
        ("1a06 0a0401551220 1a03 0a0401", "bad protobuf at byte 11: length exceeds what is left"),
    ],
)
def test_bodies_that_are_not_protobuf(codec: ModuleType, body: str, text: str) -> None:
    with pytest.raises(WireError, match=f"^{text}$"):
        read(codec, body)


@pytest.mark.parametrize(
    "body",
    [
        "a880808080808080800005",  # a tag of ten bytes
        "2885808080808080808000",  # a value of ten bytes
        "2805 12838080808000616263",  # a length of six bytes
        "2805 3b434b08014c4443443c",  # groups in groups
        "2805 0805 1005 1805 2005 2a0105",  # known fields with other wire types
        "2805 f8ffffff0f01",  # the highest field number
        "2805 3b f8ffffff3f00 3c",  # a higher one, which passes in a group
        "2805 2d05000000 290500000000000000",
    ],
)
def test_bodies_that_are_odd_and_pass(codec: ModuleType, body: str) -> None:
    assert read(codec, body).pending_bytes == 5


def test_integers_keep_their_low_32_bits(codec: ModuleType) -> None:
    assert read(codec, "288080808010").pending_bytes == 0
    assert read(codec, "288180808010").pending_bytes == 1
    assert read(codec, "28ffffffff0f").pending_bytes == -1
    assert read(codec, "0a0310 8002").full


@pytest.mark.parametrize(("depth", "passes"), [(100, True), (101, True), (10_001, True), (10_002, False)])
def test_groups_may_nest_deep(codec: ModuleType, depth: int, passes: bool) -> None:
    body = b"\x3b" * depth + b"\x3c" * depth
    if passes:
        assert codec.Message.from_body(body).body_size == 2 * depth
        return
    with pytest.raises(WireError, match=r"^bad protobuf at byte 10001: groups nested too deep$"):
        codec.Message.from_body(body)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("0a020a00", "wantlist entry 0: missing CID"),
        (f"0a2c 0a260a24{C} 0a021001", "wantlist entry 1: missing CID"),
        ("0a060a040a020155", "wantlist entry 0: bytes 0155 are not a CID: .*"),
        (f"2200 22260a24{C}", "block presence 0: missing CID"),
        (f"22260a24{C} 22040a020155", "block presence 1: bytes 0155 are not a CID: .*"),
        ("1a06 0a0402551220", "payload block 0: there is no CID version 2"),
        ("1a00", "payload block 0: varint is cut short"),
        (
            "1a0d0a0401551220120568656c6c6f 1a060a0401551a20",
            "payload block 1: hash function 0x1a is not supported",
        ),
        ("1a060a0401551221", "payload block 0: hash function 0x12 has 32 bytes of digest, 33 were asked for"),
        # A bad want is named before a bad block, that before a bad presence, and bad protobuf before all.
        ("2200 1a00 0a020a00", "wantlist entry 0: missing CID"),
        ("2200 1a00", "payload block 0: varint is cut short"),
        ("2200 1a00 0a020a00 28", "bad protobuf at byte 9: varint cut short"),
    ],
)
def test_one_bad_element_refuses_the_message(codec: ModuleType, body: str, text: str) -> None:
    with pytest.raises(WireError, match=f"^{text}$"):
        read(codec, body)


def test_wants_and_presences_take_exactly_the_bytes_that_are_cids(codec: ModuleType) -> None:
    lines = (
        (Path(__file__).parents[1] / "vectors" / "cid.open.jsonl").read_text(encoding="utf-8").splitlines()
    )
    records = [record for record in map(json.loads, lines) if record["kind"] == "bytes"]
    verdicts = set()
    for record in records:
        raw = bytes.fromhex(record["hex"])
        field = b"\x0a" + encode(len(raw)) + raw
        entry = b"\x0a" + encode(len(field)) + field
        for body in (b"\x0a" + encode(len(entry)) + entry, b"\x22" + encode(len(field)) + field):
            try:
                made = codec.Message.from_body(body)
            except WireError:
                got = "error"
            else:
                got = "ok"
                assert [item.cid for item in made.wantlist()] + made.haves() == [raw]
            assert got == record["verdict"], record["name"]
            verdicts.add(got)
    assert verdicts == {"ok", "error"}


def test_every_cut_of_a_body_is_read_or_refused(codec: ModuleType) -> None:
    made = message(codec, full=True, pending=300)
    made.add_entry(V1, 1, 1, True)
    made.add_block(HELLO)
    made.add_dont_have(V0)
    body = made.to_body()
    texts = set()
    for size in range(len(body)):
        try:
            codec.Message.from_body(body[:size])
        except WireError as error:
            texts.add(str(error).split(": ")[1])
    assert texts == {"varint cut short", "length exceeds what is left"}


# Splitting


def join(codec: ModuleType, frames: list[bytes]) -> list[Any]:
    reader = codec.FrameReader()
    return [codec.Message.from_body(body) for frame in frames for body in reader.feed(frame)]


def test_a_message_that_fits_is_one_frame(codec: ModuleType) -> None:
    made = message(codec, full=True, pending=3)
    made.add_block(HELLO)
    assert made.to_frames() == [made.to_frame()]
    assert made.to_frames(0) == [made.to_frame(0)]
    assert message(codec).to_frames() == [b"\x02\x0a\x00"]
    assert made.to_frames(1, made.body_size) == [made.to_frame()]
    made.add_have(V1)
    assert len(made.to_frames(1, made.body_size - 1)) == 2


def test_sixteen_blocks_of_256_kib_are_two_messages(codec: ModuleType) -> None:
    made = message(codec, full=True)
    blocks = [Block.of(bytes([number]) * (256 * KIB)) for number in range(16)]
    for block in blocks:
        made.add_block(block)
    frames = made.to_frames()
    parts = join(codec, frames)
    assert [len(part.blocks()) for part in parts] == [15, 1]
    assert [part.full for part in parts] == [True, False]
    assert [block for part in parts for block in part.blocks()] == blocks
    assert max(part.body_size for part in parts) <= MAX_FRAME


def test_two_blocks_of_2_mib_do_not_fit_in_one(codec: ModuleType) -> None:
    made = message(codec)
    for number in range(2):
        made.add_block(Block.of(bytes([number]) * (2 * MIB)))
    for version in (0, 1):
        assert [len(part.blocks()) for part in join(codec, made.to_frames(version))] == [1, 1]


def test_wants_and_presences_are_spread_too(codec: ModuleType) -> None:
    made = message(codec, full=True, pending=77)
    cids = [Block.of(number.to_bytes(2, "big")).cid for number in range(500)]
    for number, cid in enumerate(cids):
        made.add_entry(cid, number, number % 2, True)
        made.add_presence(cid, number % 3)
    made.add_block(HELLO)
    limit = 1000
    parts = join(codec, made.to_frames(1, limit))
    assert max(part.body_size for part in parts) <= limit
    assert min(part.body_size for part in parts[:-1]) > limit - 60
    assert [part.full for part in parts] == [True] + [False] * (len(parts) - 1)
    assert [entry for part in parts for entry in part.wantlist()] == made.wantlist()
    assert [presence for part in parts for presence in part.presences()] == made.presences()
    assert [block for part in parts for block in part.blocks()] == [HELLO]
    assert {part.pending_bytes for part in parts} == {77}


def test_the_old_version_does_not_split_for_presences(codec: ModuleType) -> None:
    made = message(codec)
    for number in range(100):
        made.add_have(Block.of(bytes([number])).cid)
    assert made.to_frames(0, 10) == [b"\x02\x0a\x00"]
    assert len(made.to_frames(1, 100)) == 50


@pytest.mark.parametrize("version", [0, 1])
def test_limits_are_met_exactly(codec: ModuleType, version: int) -> None:
    made = message(codec, full=True)
    made.add_block(Block.of(bytes(200)))
    size = len(made.to_body(version))
    assert len(made.to_frames(version, size)) == 1
    with pytest.raises(
        MessageTooLarge,
        match=f"^a message with one block alone takes {size} bytes, above the limit of {size - 1}$",
    ):
        made.to_frames(version, size - 1)


def test_an_element_too_large_alone_is_refused(codec: ModuleType) -> None:
    made = message(codec)
    made.add_entry(V1, 1)
    with pytest.raises(MessageTooLarge, match="one want alone takes 44 bytes, above the limit of 43"):
        made.to_frames(1, 43)
    made.reset(False)
    made.add_dont_have(V1)
    with pytest.raises(MessageTooLarge, match="one presence alone takes 44 bytes, above the limit of 43"):
        made.to_frames(1, 43)
    made.reset(False)
    made.add_have(V1)
    made.add_block(Block.of(bytes(MAX_FRAME)))
    with pytest.raises(MessageTooLarge, match="one block alone"):
        made.to_frames()


def test_a_block_of_the_largest_size_fits(codec: ModuleType) -> None:
    made = message(codec, full=True)
    made.add_block(Block.of(bytes(2 * MIB)))
    (frame,) = made.to_frames()
    assert len(frame) == 2_097_176
    assert join(codec, [frame])[0].blocks() == made.blocks()


# What is held


def test_blocks_do_not_keep_the_body(codec: ModuleType) -> None:
    made = message(codec)
    made.add_entry(V1, 1)
    made.add_have(V0)
    made.add_block(Block.of(bytes(MIB)))
    body = made.to_body()
    before = sys.getrefcount(body)
    kept = codec.Message.from_body(body)
    assert sys.getrefcount(body) == before
    del body
    assert kept.wantlist() == made.wantlist()
    assert kept.haves() == [V0]


def test_freed_memory_is_not_read(codec: ModuleType) -> None:
    wants = message(codec)
    for number in range(100):
        wants.add_entry(Block.of(bytes([number])).cid, number)
    expected = wants.wantlist()
    kept = codec.Message.from_body(bytes(bytearray(wants.to_body())))
    for _ in range(50):
        bytearray(len(wants.to_body()))
        codec.Message.from_body(message(codec, full=True).to_body())
    assert kept.wantlist() == expected
    entries = kept.wantlist()
    del kept
    assert entries == expected


# Protocols


def test_protocols_and_what_they_carry() -> None:
    assert protocols.PROTOCOLS == (
        "/ipfs/bitswap/1.2.0",
        "/ipfs/bitswap/1.1.0",
        "/ipfs/bitswap/1.0.0",
        "/ipfs/bitswap",
    )
    assert [encoder_version(protocol) for protocol in protocols.PROTOCOLS] == [1, 1, 0, 0]
    assert [supports_have(protocol) for protocol in protocols.PROTOCOLS] == [True, False, False, False]
    assert supports_have("/ipfs/bitswap/9.0.0")
    with pytest.raises(UsageError, match=r"'/ipfs/bitswap/9\.0\.0' is not a Bitswap protocol"):
        encoder_version("/ipfs/bitswap/9.0.0")
