"""Varints: value, length, and the three ways to be none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitswap import varint
from bitswap.errors import WireError
from bitswap.varint import VarintError


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (16384, "808001"),
        (0x0129, "a902"),
        (2**63 - 1, "ffffffffffffffff7f"),
    ],
)
def test_known_values(value: int, encoded: str) -> None:
    assert varint.encode(value).hex() == encoded
    assert varint.decode(bytes.fromhex(encoded)) == (value, len(encoded) // 2)


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1), st.binary(max_size=5), st.binary(max_size=5))
def test_round_trip_at_an_offset(value: int, before: bytes, after: bytes) -> None:
    buffer = before + varint.encode(value) + after
    assert varint.decode(buffer, len(before)) == (value, len(buffer) - len(after))
    assert varint.decode(memoryview(buffer), len(before))[0] == value


@pytest.mark.parametrize("value", [-1, 2**63, 2**64])
def test_values_without_a_varint(value: int) -> None:
    with pytest.raises(VarintError):
        varint.encode(value)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        ("", "cut short"),
        ("80", "cut short"),
        ("ffffffffffffffff", "cut short"),
        ("8000", "not minimal"),
        ("ac8200", "not minimal"),
        ("80808080808080808001", "longer than 9 bytes"),
        ("ffffffffffffffffff", "longer than 9 bytes"),
        ("ffffffffffffffffff01", "longer than 9 bytes"),
    ],
)
def test_bytes_that_are_none(encoded: str, reason: str) -> None:
    with pytest.raises(VarintError, match=reason) as caught:
        varint.decode(bytes.fromhex(encoded))
    assert isinstance(caught.value, WireError)


@settings(deadline=None)
@given(st.binary(max_size=12))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value, end = varint.decode(data)
    except VarintError:
        return
    assert data[:end] == varint.encode(value)
