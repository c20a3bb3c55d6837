from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitswap.network.libp2p.protobuf import ProtobufError, bytes_field, fields, varint_field

VALUES = st.one_of(st.integers(0, 2**63 - 1), st.binary(max_size=200))


@given(st.lists(st.tuples(st.integers(1, 2**20), VALUES)))
def test_what_is_written_is_read(entries: list[tuple[int, int | bytes]]) -> None:
    data = b"".join(
        varint_field(number, value) if isinstance(value, int) else bytes_field(number, value)
        for number, value in entries
    )
    assert list(fields(data)) == entries


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    try:
        list(fields(data))
    except ProtobufError:
        return


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("0a", "cut inside"),
        ("0a05", "longer than its message"),
        ("0a0541", "longer than its message"),
        ("0d000000", "longer than its message"),
        ("08ff", "cut inside"),
        ("08ffffffffffffffffffff01", "ten bytes"),
        ("0b", "wire type 3"),
        ("0f", "wire type 7"),
        ("0000", "field number 0"),
    ],
)
def test_broken_messages(data: str, words: str) -> None:
    with pytest.raises(ProtobufError, match=words):
        list(fields(bytes.fromhex(data)))


def test_fixed_width_fields_are_passed_over() -> None:
    assert list(fields(bytes.fromhex("0d010203041101020304050607081801"))) == [
        (1, bytes.fromhex("01020304")),
        (2, bytes.fromhex("0102030405060708")),
        (3, 1),
    ]
