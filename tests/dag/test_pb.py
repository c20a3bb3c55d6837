"""dag-pb: the canonical form, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.dag import MalformedNode, pb
from bitswap.dag.pb import Link

RAW = Block.of(b"a").cid
V0 = Block.of(b"b", version=0).cid
ODD = Block.of(b"c", codec=0x0129, hash_code=0x14).cid
NAMES = st.binary(max_size=5)
LINKS = st.lists(
    st.builds(Link, st.sampled_from([RAW, V0, ODD]), NAMES, st.integers(0, 2**64 - 1)), max_size=8
)


def field(tag: int, body: bytes) -> bytes:
    return bytes([tag]) + pb.varint(len(body)) + body


def hashed(cid: bytes = RAW) -> bytes:
    return field(0x0A, cid)


@given(LINKS, st.none() | st.binary(max_size=300))
def test_round_trip(links: list[Link], data: bytes | None) -> None:
    ordered = sorted(links, key=lambda link: link.name)
    encoded = pb.encode(links, data)
    assert pb.decode(encoded) == (ordered, data)
    assert pb.decode(memoryview(encoded)) == (ordered, data)
    assert all(
        type(link.cid) is CID and type(link.name) is bytes for link in pb.decode(memoryview(encoded)).links
    )


def test_names_are_sorted_by_bytes_and_equal_names_stay_in_order() -> None:
    links = [
        Link(RAW, b"b", 1),
        Link(RAW, b"", 2),
        Link(V0, b"", 3),
        Link(RAW, "é".encode(), 4),
        Link(RAW, b"B", 5),
    ]
    assert [link.tsize for link in pb.decode(pb.encode(links, None)).links] == [2, 3, 5, 1, 4]


def test_known_bytes() -> None:
    """The empty node, the empty directory, and the two CIDs that the specification gives for zero bytes."""
    assert pb.encode([], None) == b""
    assert pb.decode(b"") == ([], None)
    assert str(Block.of(b"", version=0).cid) == "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"
    assert (
        str(Block.of(pb.encode([], b"\x08\x01"), version=0).cid)
        == "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
    )


def test_data_may_stand_first_and_links_unsorted() -> None:
    body = field(0x0A, b"data") + field(0x12, hashed() + field(0x12, b"z")) + field(0x12, hashed(V0))
    assert pb.decode(body) == ([Link(RAW, b"z", 0), Link(V0, b"", 0)], b"data")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (field(0x12, hashed()) + field(0x0A, b"") + field(0x12, hashed()), "both sides"),
        (field(0x0A, b"1") + field(0x0A, b"2"), "twice"),
        (field(0x1A, b""), "field 3 of wire type 2 does not belong in a dag-pb node"),
        (b"\x08\x01", "field 1 of wire type 0"),
        (b"\x12", "cut short"),
        (b"\x12\x05\x0a", "cut short: 1 are there"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a", "cut short"),
        (b"\x0a" + b"\xff" * 10 + b"\x01", "longer than 64 bits"),
        (b"\x0a" + b"\xff" * 9 + b"\x02", "longer than 64 bits"),
        (field(0x12, b""), "no CID"),
        (field(0x12, field(0x12, b"name")), "no CID"),
        (field(0x12, hashed(b"")), "no valid CID"),
        (field(0x12, hashed(b"nonsense")), "no valid CID"),
        (field(0x12, hashed(RAW + b"\0")), "no valid CID"),
        (field(0x12, hashed() + hashed()), "repeated or out of order"),
        (field(0x12, field(0x12, b"name") + hashed()), "repeated or out of order"),
        (field(0x12, hashed() + b"\x18\x01" + field(0x12, b"n")), "repeated or out of order"),
        (field(0x12, hashed() + b"\x18\x01\x18\x01"), "repeated or out of order"),
        (field(0x12, hashed() + b"\x20\x01"), "field 4 of wire type 0 does not belong in a dag-pb link"),
        (field(0x12, b"\x08\x01" + hashed()), "does not belong in a dag-pb link"),
        (field(0x12, hashed())[:-1], "cut short"),
    ],
)
def test_refused(body: bytes, message: str) -> None:
    with pytest.raises(MalformedNode, match=message):
        pb.decode(body)
    with pytest.raises(MalformedNode, match=message):
        pb.decode(memoryview(body))


def test_links_are_bounded() -> None:
    body = pb.encode([Link(RAW)] * 11, None)
    assert len(pb.decode(body, max_links=11).links) == 11
    with pytest.raises(MalformedNode, match="more than 10 links"):
        pb.decode(body, max_links=10)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_node_or_a_typed_error(data: bytes) -> None:
    try:
        pb.decode(data)
    except MalformedNode:
        pass


@given(LINKS, st.binary(max_size=20), st.data())
def test_damaged_nodes_give_a_node_or_a_typed_error(
    links: list[Link], data: bytes, chance: st.DataObject
) -> None:
    encoded = bytearray(pb.encode(links, data))
    encoded[chance.draw(st.integers(0, len(encoded) - 1))] ^= chance.draw(st.integers(1, 255))
    try:
        pb.decode(bytes(encoded[: chance.draw(st.integers(0, len(encoded)))]))
    except MalformedNode:
        pass
