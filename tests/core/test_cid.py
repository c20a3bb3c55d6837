"""CIDs: their parts, forms and order."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitswap import multibase, multihash, varint
from bitswap.cid import CID, DAG_CBOR, DAG_PB, RAW, Prefix
from bitswap.errors import InvalidCid, UsageError
from bitswap.multihash import IDENTITY, SHA2_256, BadDigestLength, UnknownHash

DIGEST = bytes(range(32))
V0 = CID.v0(DIGEST)
V1 = CID.v1(RAW, b"\x12\x20" + DIGEST)


def cids() -> st.SearchStrategy[CID]:
    codes, digests = st.integers(0, 2**63 - 1), st.binary(max_size=70)
    v1 = st.builds(
        lambda codec, code, digest: CID.v1(codec, multihash.wrap(code, digest)), codes, codes, digests
    )
    return st.one_of(v1, st.builds(CID.v0, st.binary(min_size=32, max_size=32)))


def test_parts_of_a_v0() -> None:
    assert (V0.version, V0.codec, V0.hash_code, V0.digest) == (0, DAG_PB, SHA2_256, DIGEST)
    assert V0.bytes == V0.multihash == b"\x12\x20" + DIGEST
    assert V0.prefix == b"\x00\x70\x12\x20"
    assert str(V0).startswith("Qm")
    assert repr(V0) == f"CID('{V0}')"


def test_parts_of_a_v1() -> None:
    assert (V1.version, V1.codec, V1.hash_code, V1.digest) == (1, RAW, SHA2_256, DIGEST)
    assert V1.bytes == b"\x01\x55\x12\x20" + DIGEST
    assert V1.multihash == b"\x12\x20" + DIGEST
    assert V1.prefix == b"\x01\x55\x12\x20"
    assert str(V1).startswith("bafkrei")
    assert f"{V1:>70}" == str(V1).rjust(70)


def test_parts_with_long_varints() -> None:
    cid = CID.v1(0x0129, multihash.wrap(0xB220, bytes(200)))
    assert (cid.codec, cid.hash_code, len(cid.digest)) == (0x0129, 0xB220, 200)
    assert cid.prefix == bytes.fromhex("01a902a0e402c801")
    assert cid.multihash == multihash.wrap(0xB220, bytes(200))


@settings(deadline=None)
@given(cids())
def test_every_form_leads_back(cid: CID) -> None:
    assert CID(cid) is cid
    assert CID(bytes(cid)) == CID(str(cid)) == CID.from_trusted(bytes(cid)) == cid
    assert CID.from_bytes(memoryview(cid)) == cid
    assert type(cid.bytes) is type(cid.multihash) is type(cid.digest) is type(cid.prefix) is bytes
    assert cid.multihash == multihash.wrap(cid.hash_code, cid.digest)
    assert Prefix.parse(cid.prefix) == (cid.version, cid.codec, cid.hash_code, len(cid.digest))
    assert Prefix.parse(cid.prefix).to_bytes() == cid.prefix
    for base in multibase.PREFIXES:
        if cid.version == 1 and base != "identity":
            assert CID(cid.encode(base)) == cid


@settings(deadline=None)
@given(cids(), cids())
def test_order_and_hash_are_those_of_the_bytes(one: CID, other: CID) -> None:
    assert (one < other) == (one.bytes < other.bytes)
    assert (one == other) == (one.bytes == other.bytes)
    assert hash(one) == hash(CID.from_trusted(one.bytes))
    assert one in {one.bytes: None}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("cid", [V0, V1])
def test_pickles_and_copies(cid: CID, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(cid, protocol))
    assert again == cid
    assert type(again) is type(copy.deepcopy(cid)) is CID


def test_decodes_as_any_bytes() -> None:
    assert V1.decode("latin-1") == V1.bytes.decode("latin-1")  # type: ignore[comparison-overlap]
    assert CID.decode(str(V1)) == V1


def test_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        V1.codec = DAG_PB  # type: ignore[misc]
    with pytest.raises(AttributeError):
        V1.extra = 1  # type: ignore[attr-defined]


def test_versions_of_one_block() -> None:
    assert V0.to_v1() == CID.v1(DAG_PB, V0.multihash)
    assert V0.to_v1().to_v0() == V0.to_v0() == V0
    assert V1.to_v1() is V1
    for cid in (
        V1,
        CID.v1(DAG_CBOR, V0.multihash),
        CID.v1(DAG_PB, multihash.wrap(SHA2_256, DIGEST[:20])),
        CID.v1(DAG_PB, multihash.wrap(0x16, DIGEST)),
    ):
        with pytest.raises(UsageError, match="has no CIDv0"):
            cid.to_v0()


def test_a_v0_has_one_text() -> None:
    assert V0.encode("base58btc") == V0.encode("z") == str(V0)
    for base in ("base32", "base58flickr", "nothing"):
        with pytest.raises(UsageError, match="base58btc only"):
            V0.encode(base)
    with pytest.raises(UsageError, match="not a base"):
        V1.encode("base31")


@pytest.mark.parametrize("value", [None, 5, 5.0, ["b"]])
def test_other_types_make_no_cid(value: object) -> None:
    with pytest.raises(UsageError, match=type(value).__name__):
        CID(value)  # type: ignore[arg-type]


def test_parts_that_make_no_cid() -> None:
    with pytest.raises(InvalidCid, match="32 bytes"):
        CID.v0(DIGEST[:31])
    for bad in (b"", b"\x12", b"\x12\x20" + DIGEST[:31], b"\x12\x20" + DIGEST + b"\x00"):
        with pytest.raises(InvalidCid):
            CID.v1(RAW, bad)
    with pytest.raises(InvalidCid):
        CID.v1(2**63, V0.multihash)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        cid = CID(data)
    except InvalidCid:
        return
    assert cid.bytes == data
    assert CID(str(cid)) == cid


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        cid = CID(text)
    except InvalidCid:
        return
    assert CID(str(cid)) == cid


def test_errors_stay_short() -> None:
    for bad in ("b" + "a" * 10_000 + "!", b"\x01\x55\x12\x20" + bytes(10_000)):
        with pytest.raises(InvalidCid) as caught:
            CID(bad)
        assert len(str(caught.value)) < 300


def test_prefix_hashes() -> None:
    assert Prefix(1, RAW, SHA2_256, 32).sum(b"x") == CID.v1(RAW, multihash.multihash(SHA2_256, b"x"))
    assert Prefix(0, 0x99, SHA2_256, 32).sum(b"x").version == 0
    assert Prefix(1, RAW, IDENTITY, 99).sum(b"x") == bytes.fromhex("0155000178")
    assert Prefix(1, RAW, SHA2_256, 0).sum(b"x") == bytes.fromhex("01551200")


@pytest.mark.parametrize(
    ("prefix", "error"),
    [
        (Prefix(0, DAG_PB, SHA2_256, 31), InvalidCid),
        (Prefix(0, DAG_PB, 0x16, 32), InvalidCid),
        (Prefix(2, RAW, SHA2_256, 32), InvalidCid),
        (Prefix(1, RAW, SHA2_256, 33), BadDigestLength),
        (Prefix(1, RAW, 0x1A, 28), UnknownHash),
    ],
)
def test_prefixes_without_a_cid(prefix: Prefix, error: type[Exception]) -> None:
    with pytest.raises(error):
        prefix.sum(b"x")


@settings(deadline=None)
@given(
    st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)
)
def test_what_follows_a_prefix_is_ignored(version: int, codec: int, code: int, length: int) -> None:
    parts = Prefix(version, codec, code, length)
    assert Prefix.parse(parts.to_bytes() + DIGEST) == parts
    with pytest.raises(InvalidCid):
        Prefix.parse(
            parts.to_bytes()[:-1] if length < 0x80 else parts.to_bytes()[: -len(varint.encode(length))]
        )
