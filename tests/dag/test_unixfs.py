"""UnixFS messages: as boxo writes them, read as go's protobuf reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitswap.dag import MalformedNode, unixfs
from bitswap.dag.unixfs import FSNode, Mtime, Type

U64 = st.integers(0, 2**64 - 1)
NODES = st.builds(
    FSNode,
    st.sampled_from(Type),
    st.none() | st.binary(max_size=50),
    st.none() | U64,
    st.lists(U64, max_size=5),
    st.none() | U64,
    st.none() | U64,
    st.none() | st.integers(0, 2**32 - 1),
    st.none() | st.builds(Mtime, st.integers(-(2**63), 2**63 - 1), st.integers(0, 999_999_999)),
)


@given(NODES)
def test_round_trip(node: FSNode) -> None:
    assert unixfs.decode(unixfs.encode(node)) == node
    assert unixfs.decode(memoryview(unixfs.encode(node))) == node


def test_known_bytes() -> None:
    assert unixfs.encode(FSNode(Type.FILE, filesize=0)) == bytes.fromhex("08021800")
    assert unixfs.encode(FSNode(Type.FILE, b"\xf2", 1)) == bytes.fromhex("08021201f21801")
    assert unixfs.encode(FSNode(Type.HAMT_SHARD, hash_type=0x22, fanout=256)) == bytes.fromhex(
        "08052822308002"
    )
    assert unixfs.encode(FSNode(Type.DIRECTORY, mode=0o755)) == bytes.fromhex("080138ed03")


def test_unknown_fields_are_skipped_and_the_last_of_a_field_counts() -> None:
    body = (
        b"\x08\x01\x08\x02\x18\x05\x18\x07\x50\x01\x5a\x01x\x61"
        + b"8bytes.."
        + b"\x6d"
        + b"4byt"
        + b"\x12\x01a\x12\x02bc"
    )
    assert unixfs.decode(body) == FSNode(Type.FILE, b"bc", 7, [])


def test_sizes_may_be_packed() -> None:
    assert unixfs.decode(b"\x08\x02\x20\x03\x22\x03\x01\x80\x01\x20\x04").blocksizes == [3, 1, 128, 4]


def test_a_known_field_of_another_wire_type_is_unknown() -> None:
    assert unixfs.decode(b"\x08\x02\x10\x05\x1a\x00\x45....") == FSNode(Type.FILE, blocksizes=[])


@pytest.mark.parametrize("body", [b"\x42\x00", b"\x42\x02\x10\x01", b"\x42\x07\x08\x01\x15\xff\xff\xff\xff"])
def test_times_that_make_no_sense_are_left_out(body: bytes) -> None:
    assert unixfs.decode(b"\x08\x02" + body).mtime is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no type"),
        (b"\x18\x01", "no type"),
        (b"\x08\x06", "no node type 6"),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "no node type"),
        (b"\x08", "cut short"),
        (b"\x08\x02\x12\x05abc", "cut short: 3 are there"),
        (b"\x08\x02\x15abc", "cut short"),
        (b"\x08\x02\x0b\x0c", "wire type 3"),
        (b"\x00\x01", "numbered 0"),
        (b"\x08\x02\x22\x01\x80", "cut short"),
        (b"\x08\x02\x42\x01\x08", "cut short"),
    ],
)
def test_refused(body: bytes, message: str) -> None:
    with pytest.raises(MalformedNode, match=message):
        unixfs.decode(body)


def test_sizes_are_bounded() -> None:
    with pytest.raises(MalformedNode, match="more than 3 block sizes"):
        unixfs.decode(b"\x08\x02" + b"\x20\x01" * 4, max_links=3)


@given(st.binary(max_size=100))
def test_any_bytes_give_a_node_or_a_typed_error(data: bytes) -> None:
    try:
        unixfs.decode(data)
    except MalformedNode:
        pass
