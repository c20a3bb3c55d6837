"""Blocks: named from data, named by a prefix, verified."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitswap import multihash, varint
from bitswap.block import Block
from bitswap.cid import CID, DAG_PB, RAW
from bitswap.errors import HashMismatch, WireError
from bitswap.multihash import BLAKE3, IDENTITY, MD5, SHA2_256, SHA2_512, BadDigestLength, UnknownHash
from bitswap.varint import VarintError

DATA = b"foobar"
V0 = "1220c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2"


def test_names_data() -> None:
    assert Block.of(DATA).cid.hex() == "0155" + V0
    assert Block.of(DATA, version=0).cid.hex() == V0
    assert Block.of(DATA, codec=0x0129).cid.hex() == "01a902" + V0
    assert Block.of(DATA, hash_code=IDENTITY).cid.hex() == "01550006" + DATA.hex()
    assert Block.of(DATA, hash_code=SHA2_512).cid.digest == hashlib.sha512(DATA).digest()


def test_names_that_there_are_none_of() -> None:
    with pytest.raises(WireError, match="sha2-256"):
        Block.of(DATA, version=0, hash_code=SHA2_512)
    with pytest.raises(WireError, match="version 2"):
        Block.of(DATA, version=2)
    with pytest.raises(UnknownHash):
        Block.of(DATA, hash_code=0x1A)


def test_equal_and_hashed_by_cid_and_never_false() -> None:
    block, other = Block.of(DATA), Block(Block.of(DATA).cid, b"else")
    assert block == other
    assert len({block, other}) == 1
    assert block != Block.of(DATA, version=0)
    assert block != DATA
    assert len(block) == 6
    assert not len(Block.of(b""))
    assert Block.of(b"")
    assert str(block.cid) in repr(block)


@pytest.mark.parametrize(
    ("prefix", "cid"),
    [
        ("01551220", "0155" + V0),
        ("00701220", V0),
        # The codec of a CIDv0 is ignored, and so is what follows the prefix.
        ("00551220", V0),
        ("01551220ffff", "0155" + V0),
        ("01701214", "01701214" + V0[4:44]),
        ("01551200", "01551200"),
        # An identity digest is the data, whatever its declared length.
        ("01550000", "01550006" + DATA.hex()),
        ("0155007f", "01550006" + DATA.hex()),
        ("0155001b", "01550006" + DATA.hex()),
        ("0155d50110", "0155d50110" + hashlib.md5(DATA).hexdigest()),
    ],
)
def test_named_by_a_prefix(prefix: str, cid: str) -> None:
    block = Block.from_prefix(bytes.fromhex(prefix), DATA)
    assert block.cid.hex() == cid
    assert CID(block.cid.bytes) == block.cid
    block.verify()
    assert block.data is DATA


@pytest.mark.parametrize(
    ("prefix", "error"),
    [
        ("", VarintError),
        ("015512", VarintError),
        ("015512a000", VarintError),
        ("8100551220", VarintError),
        ("ffffffffffffffffff0155551220", VarintError),
        ("0070121f", WireError),
        ("00701320", WireError),
        ("02551220", WireError),
        ("12551220", WireError),
        ("01551221", BadDigestLength),
        ("015512ffffffffffffffff7f", BadDigestLength),
        ("01551e00", BadDigestLength),
        ("01551e8101", BadDigestLength),
        ("01551a1c", UnknownHash),
    ],
)
def test_prefixes_that_name_nothing(prefix: str, error: type[WireError]) -> None:
    with pytest.raises(error):
        Block.from_prefix(bytes.fromhex(prefix), DATA)


@settings(deadline=None)
@given(
    st.sampled_from([IDENTITY, SHA2_256, SHA2_512, BLAKE3, MD5, 0xB220]),
    st.integers(0, 2**63 - 1),
    st.integers(1, 16),
    st.binary(max_size=300),
)
def test_a_prefix_names_what_its_cid_verifies(code: int, codec: int, length: int, data: bytes) -> None:
    prefix = b"\x01" + varint.encode(codec) + varint.encode(code) + varint.encode(length)
    block = Block.from_prefix(prefix, data)
    block.verify()
    assert block.cid == CID.v1(codec, multihash.multihash(code, data, length))
    other = data[:-1] + bytes((data[-1] ^ 1,)) if data else b"x"
    # Of short digests two can be alike.
    if multihash.multihash(code, other, length) != block.cid.multihash:
        with pytest.raises(HashMismatch):
            Block(block.cid, other).verify()


def test_data_that_its_cid_does_not_name() -> None:
    for block in (Block.of(DATA), Block.of(DATA, version=0), Block.of(DATA, hash_code=IDENTITY)):
        block.verify()
        for data in (b"", DATA + b"x", b"fooba"):
            with pytest.raises(HashMismatch, match=str(block.cid)):
                Block(block.cid, data).verify()


def test_what_cannot_be_computed_cannot_be_verified() -> None:
    with pytest.raises(UnknownHash):
        Block(CID.v1(RAW, multihash.wrap(0x1A, bytes(28))), DATA).verify()
    with pytest.raises(BadDigestLength):
        Block(CID.v1(DAG_PB, multihash.wrap(SHA2_256, bytes(33))), DATA).verify()
