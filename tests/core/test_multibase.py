"""Multibase texts: what is lenient, what is refused, and what the refusal says (go-multibase 0.3.0)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitswap import multibase
from bitswap.errors import UsageError
from bitswap.multibase import BadText, decode, encode

DATA = b"yes mani !"
# The multibase specification's example, in every base that is supported.
EXAMPLES = {
    "identity": "\0yes mani !",
    "base2": "001111001011001010111001100100000011011010110000101101110011010010010000000100001",
    "base16": "f796573206d616e692021",
    "base16upper": "F796573206D616E692021",
    "base32": "bpfsxgidnmfxgsibb",
    "base32upper": "BPFSXGIDNMFXGSIBB",
    "base32pad": "cpfsxgidnmfxgsibb",
    "base32padupper": "CPFSXGIDNMFXGSIBB",
    "base32hex": "vf5in683dc5n6i811",
    "base32hexupper": "VF5IN683DC5N6I811",
    "base32hexpad": "tf5in683dc5n6i811",
    "base32hexpadupper": "TF5IN683DC5N6I811",
    "base36": "k2lcpzo5yikidynfl",
    "base36upper": "K2LCPZO5YIKIDYNFL",
    "base58btc": "z7paNL19xttacUY",
    "base58flickr": "Z7Pznk19XTTzBtx",
    "base64": "meWVzIG1hbmkgIQ",
    "base64pad": "MeWVzIG1hbmkgIQ==",
    "base64url": "ueWVzIG1hbmkgIQ",
    "base64urlpad": "UeWVzIG1hbmkgIQ==",
    "base256emoji": "🚀🏃✋🌈😅🌷🤤😻🌟😅👏",
}


def test_all_bases_have_an_example() -> None:
    assert set(EXAMPLES) == set(multibase.PREFIXES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name: str) -> None:
    assert encode(name, DATA) == EXAMPLES[name]
    assert encode(multibase.PREFIXES[name], DATA) == EXAMPLES[name]
    assert decode(EXAMPLES[name]) == DATA


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "identity"])
@settings(deadline=None)
@given(data=st.binary(min_size=1, max_size=70))
def test_round_trip(name: str, data: bytes) -> None:
    assert decode(encode(name, data)) == data


@pytest.mark.parametrize("name", ["base2", "base36", "base58btc", "base58flickr", "base256emoji"])
def test_zero_bytes_in_front_are_kept(name: str) -> None:
    for data in (b"\0", b"\0\0", b"\0\0yes mani !"):
        assert decode(encode(name, data)) == data


def test_identity_is_text() -> None:
    assert decode("\0é") == "é".encode()
    with pytest.raises(UsageError, match="UTF-8"):
        encode("identity", b"\xff")


@pytest.mark.parametrize("prefix", "fFbBcCvVtTkK")
def test_case_does_not_matter_in_bases_without_two(prefix: str) -> None:
    body = encode(prefix, DATA)[1:]
    assert decode(prefix + body.swapcase()) == decode(prefix + body.title()) == DATA


@pytest.mark.parametrize("prefix", "bBcCvVtTmMuU")
def test_line_ends_are_skipped_in_bases_32_and_64(prefix: str) -> None:
    text = encode(prefix, DATA)
    assert decode(f"{text[:1]}\r\n{text[1:7]}\n{text[7:]}\r") == DATA


@pytest.mark.parametrize("text", ["fab\ncd", "z7pa\nNL", "k2lc\np", "001111001\n"])
def test_line_ends_are_refused_elsewhere(text: str) -> None:
    with pytest.raises(BadText):
        decode(text)


def test_spare_bits_may_be_anything() -> None:
    assert decode("bae") == decode("baf") == decode("bah") == b"\x01"
    assert decode("mAQ") == decode("mAf") == b"\x01"


@pytest.mark.parametrize("spare", [1, 3, 6])
def test_a_last_group_that_no_bytes_encode_to_is_dropped(spare: int) -> None:
    whole = base64.b32encode(b"12345").decode()
    assert decode("b" + whole + "a" * spare) == b"12345"
    assert decode("v" + "0" * 8 + "1" * spare) == bytes(5)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("cae======", b"\x01"),
        ("caebag===", b"\x01\x02\x03"),
        # Up to as many characters as the group had may follow the padding.
        ("cae======é", b"\x01"),
        ("cae=======", b"\x01"),
        ("caebag===zzzzz", b"\x01\x02\x03"),
        ("tae======\n", b"\x53"),
        ("MAQ==", b"\x01"),
        ("MAQ\n=\r=\n", b"\x01"),
    ],
)
def test_padding(text: str, data: bytes) -> None:
    assert decode(text) == data


@pytest.mark.parametrize(
    "text",
    [
        "bae======",
        "cae",
        "cae=====",
        "cae====a=",
        "caaa=====",
        "caaaaaa==",
        "ca=======",
        "cae=========",
        "caebag===zzzzzz",
        "mAQ==",
        "MAQ",
        "MAQ=",
        "MAQ==a",
        "MA===",
        "M====",
        "uAQ=",
    ],
)
def test_padding_that_is_not_that_of_the_base(text: str) -> None:
    with pytest.raises(BadText):
        decode(text)


@pytest.mark.parametrize(
    ("text", "data"), [("01", b"\x01"), ("0101", b"\x05"), ("0+0000001", b"\x01"), ("0-0000001", b"\xff")]
)
def test_base2_is_padded_to_the_left_and_takes_signs(text: str, data: bytes) -> None:
    assert decode(text) == data


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("7123", "begins with '7'"),
        ("9123", "begins with '9'"),
        ("hybndr", "begins with 'h'"),
        ("Ra", "begins with 'R'"),
        ("日本", "begins with '日'"),
        ("fabc", "one is missing"),
        ("fzz", "'z' is not a character of base16"),
        ("ba1", "'1' is not a character of base32"),
        ("baſ", "'ſ' is not a character of base32"),
        ("v" + "w" * 8, "'w' is not a character of base32hex"),
        ("kâ", "'â' is not a character of base36"),
        ("k", "nothing after"),
        ("z0", "'0' is not a character of base58btc"),
        ("z", "nothing after"),
        ("Zl", "'l' is not a character of base58flickr"),
        ("Z", "nothing after"),
        ("m-_", "'-' is not a character of base64"),
        ("u+/", "is not a character of base64url"),
        ("mA", "one character more"),
        ("🚀☉", "'☉' is not a character of base256emoji"),
        ("012", "is not a byte in base2"),
        ("0+1+00000", "is not a byte in base2"),
    ],
)
def test_what_is_wrong_is_said(text: str, reason: str) -> None:
    with pytest.raises(BadText, match=reason):
        decode(text)


def test_the_emoji_are_256_different_ones() -> None:
    assert len(set(multibase.EMOJI)) == len(multibase.EMOJI) == 256
