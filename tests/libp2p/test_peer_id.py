from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitswap import multibase
from bitswap.errors import UsageError
from bitswap.network.libp2p.peer_id import (
    MAX_INLINE_KEY,
    peer_id_from_bytes,
    peer_id_from_text,
    peer_id_of,
    peer_id_to_bytes,
)

# Examples of the libp2p specification peer-ids/peer-ids.md.
HASHED = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
HASHED_CID = "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe"
INLINE = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"


def test_specification_examples() -> None:
    assert peer_id_from_text(HASHED) == HASHED
    assert peer_id_from_text(HASHED_CID) == HASHED
    assert peer_id_from_text(INLINE) == INLINE


@pytest.mark.parametrize("base", ["base32", "base36", "base58btc", "base16", "base64url"])
@pytest.mark.parametrize("text", [HASHED, INLINE])
def test_cid_in_any_base(text: str, base: str) -> None:
    assert peer_id_from_text(multibase.encode(base, b"\x01\x72" + peer_id_to_bytes(text))) == text


def test_short_keys_are_inlined_and_long_ones_hashed() -> None:
    short, long = bytes(MAX_INLINE_KEY), bytes(MAX_INLINE_KEY + 1)
    assert peer_id_to_bytes(peer_id_of(short)) == b"\x00\x2a" + short
    assert peer_id_to_bytes(peer_id_of(long)) == b"\x12\x20" + hashlib.sha256(long).digest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "11",
        "Qm",
        INLINE[:-1],
        HASHED[:-1] + "0",
        HASHED + "é",
        "12D3KooW" + "1" * 200,
        "hello",
        "zzz",
        "b",
        "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5NQm",
        # A CIDv1 of raw bytes, and one of a peer id's multihash with the wrong codec.
        "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
        multibase.encode("base32", b"\x01\x55" + peer_id_to_bytes(HASHED)),
        # Hash functions that peer ids are not made with.
        multibase.encode("base32", b"\x01\x72\x13\x40" + bytes(64)),
    ],
)
def test_bad_texts(text: str) -> None:
    with pytest.raises(UsageError, match="not a peer id"):
        peer_id_from_text(text)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x12", b"\x12\x20" + bytes(31), b"\x12\x1f" + bytes(31), b"\x00\x00", b"\x00\x2b" + bytes(43)],
)
def test_bad_bytes(data: bytes) -> None:
    with pytest.raises(UsageError, match="not a peer id"):
        peer_id_from_bytes(data)


@given(st.binary(min_size=1, max_size=MAX_INLINE_KEY))
def test_text_and_bytes_belong_together(key: bytes) -> None:
    data = bytes((0, len(key))) + key
    text = peer_id_from_bytes(data)
    assert peer_id_to_bytes(text) == data
    assert peer_id_from_text(text) == text


@given(st.text(max_size=60))
def test_any_text_is_a_peer_id_or_an_error(text: str) -> None:
    try:
        peer = peer_id_from_text(text)
    except UsageError:
        return
    assert peer_id_from_text(peer) == peer
