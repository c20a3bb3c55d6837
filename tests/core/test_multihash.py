"""Digests of every supported hash function, their lengths, and what is refused."""

from __future__ import annotations

import hashlib
import re
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitswap import multihash
from bitswap.errors import WireError
from bitswap.multihash import (
    BLAKE3,
    IDENTITY,
    MURMUR3_X64_64,
    SHA2_256,
    SUPPORTED,
    BadDigestLength,
    UnknownHash,
)

DATA = b"hello, blocks"
# Hash code and the whole multihash of DATA (go-multihash 0.2.3).
KNOWN = """
0x0 000d68656c6c6f2c20626c6f636b73
0x11 1114edfd72973d888ee6cfea9bfd457cb8c9ce649478
0x12 1220d7a03b7e19a1cf7c79b8f57fd61a47aba49a0a8dd16ffaa428edfc1cf61f9664
0x13 13406b2c4e6962100f83b3a2aff6b31236e00f2478f4b0329a0095b9cb83be661b7c32ca8b05dd836a4904eec3
  eba28ed6bbcf1ddd444f53378b48694f60413044af
0x14 14400b7de2014cc5cb6d3993750a9afd9c2fe8d8031d1fcfa78978958fba2cce50233880c446b8078011ca80d5
  122c2c025ff85eabcb4d8f8a073027c1b4160cc58f
0x15 15304ad7a6b3dae4030c182a86c4be28551ca2cbb796201bcec0f656f7cc7fde81f5642e731fb066f34dec2040
  e560ef990d
0x16 16202d69be3dd37e59f1edf48b3fb5772d82e20822a94c34825ea3e659906fc81fca
0x17 171c75e2acab69cfbde5e0059dcbfbae066d3a3b1bb16c1c59864972e8a8
0x18 1820a1e32bb26f6763da4907d9c5831c7bd8f3502233d8e51ee2155d44433975dd82
0x19 194082ca0a8906ef281a4ae3612db0d662955b7d55284b3a663e789c2ba33788ad08a130744a744fd57adbe1ff
  83bc4e8df2143e8a753651ca98cfdc3ecba70501af
0x1b 1b20e6f8d5abec4bf0d8e00916f40efd4636a979dfdbf0e23bdf773159c69ed696d0
0x1d 1d40f309c9155e2b6842612e45c88f62b060ed1c28c52e47e67bad4963265a3fe98d2590eb84325d9f24c42e75
  34f51c82bbeb840a46331fea8acf50826a6eef9edb
0x1e 1e20807ccdd84687ca8c0a248b16cd8ae099aed1f5bb5df67bec0dae8dbe2809c5dd
0x20 2030bb66e187e17a466e262072b62f8e64695f2b8a545ed73d3cf3ccf5f43cfc91e286cee24d92297987c3a8bd
  afc68a65f6
0x22 2208436a0aa41d253085
0x56 56208e1ec0f2b6346d4e26013960052f890251c39e445807ba118bc1851f27e3e702
0xd5 d501107ddf963d419c84c669edede273255b30
0x1013 93201c727630e714cf0996a2713293977baebfc5ec8ba50f64bdd002826709
0x1014 94201ce9979c15ba01c79770c17a439cd768763b3dc84ef007e5d662282195
0x1015 9520201b32043b77e12b9ce3d02ffcc15f9866faf43bad4a1da830bc745c465c073031
0xb260 e0e40220ae373d94a447e6a82b02773dab1eb37b0216bcbdf05cf3c31d982cf8282784c1
0xb201 81e4020197
0xb214 94e4021438b68f1e8c9d72901acd7a2e7bb3f2352bef6b3a
0xb220 a0e40220f297bed31305dd11ce39006bd688f669ea8908eb9a1162061d08a4f2176c8728
0xb240 c0e40240f5031c4ccea1f6cb0bf8f7996e6479c6b2ea00111f433589d224070e124c1bc01fdc325d1038aaeace
  da511ab6527aefcb8a92ad4e068247f436ea35cd832866
"""
MULTIHASHES = {
    int(code, 16): bytes.fromhex(text)
    for code, text in re.findall(r"^0x([0-9a-f]+) ([0-9a-f\s]+?)$(?=\n0x|\n\Z)", KNOWN, re.MULTILINE)
}


def test_every_supported_function_is_known_here() -> None:
    assert {code for code in SUPPORTED if not 0xB201 <= code <= 0xB240} <= set(MULTIHASHES)


@pytest.mark.parametrize("code", MULTIHASHES, ids=hex)
def test_known_digests(code: int) -> None:
    expected = MULTIHASHES[code]
    assert multihash.multihash(code, DATA) == expected
    found, start, end = multihash.parse(expected)
    assert (found, end) == (code, len(expected))
    assert multihash.digest(code, memoryview(DATA)) == expected[start:]


@pytest.mark.parametrize("size", [1, 20, 32, 48, 64])
def test_blake2b_has_a_code_for_every_size(size: int) -> None:
    assert multihash.digest(0xB200 + size, DATA) == hashlib.blake2b(DATA, digest_size=size).digest()


@pytest.mark.parametrize("code", sorted(set(MULTIHASHES) - {IDENTITY, BLAKE3}), ids=hex)
def test_a_shorter_length_cuts_and_a_longer_one_is_refused(code: int) -> None:
    whole = multihash.digest(code, DATA)
    for length in (0, 1, len(whole) - 1, len(whole)):
        assert multihash.digest(code, DATA, length) == whole[:length]
    for length in (len(whole) + 1, 2**31, -1):
        with pytest.raises(BadDigestLength, match=str(length)):
            multihash.digest(code, DATA, length)


def test_blake3_has_1_to_128_bytes_that_extend_each_other() -> None:
    longest = multihash.digest(BLAKE3, DATA, 128)
    assert len(longest) == 128
    assert multihash.digest(BLAKE3, DATA) == longest[:32]
    assert multihash.digest(BLAKE3, DATA, 1) == longest[:1]
    for length in (0, 129, -1):
        with pytest.raises(BadDigestLength):
            multihash.digest(BLAKE3, DATA, length)


@pytest.mark.parametrize("length", [None, 0, 5, 128, 2**31])
def test_identity_is_the_data_whatever_the_length(length: int | None) -> None:
    assert multihash.digest(IDENTITY, DATA, length) == DATA


# keccak-224 and -384, murmur3-x64-128, blake2s of other sizes and others: in the table, not computed.
@pytest.mark.parametrize("code", [0x01, 0x1A, 0x1C, 0x23, 0x1012, 0xB241, 0xB25F, 0xB261, 2**62])
def test_functions_that_are_not_computed(code: int) -> None:
    assert code not in SUPPORTED
    with pytest.raises(UnknownHash, match=f"0x{code:x}"):
        multihash.digest(code, DATA)
    assert issubclass(UnknownHash, WireError)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cut short"),
        ("12", "cut short"),
        ("1280", "cut short"),
        ("1220ab", "32 bytes of digest declared, 1 there"),
        ("128000", "not minimal"),
        ("12ffffffffffffffff7f", "at most"),
        ("128080808008ab", "at most"),
    ],
)
def test_bytes_that_are_no_multihash(text: str, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        multihash.parse(bytes.fromhex(text))


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1), st.binary(max_size=80), st.binary(max_size=3), st.binary(max_size=3))
def test_any_code_and_digest_parse(code: int, digest: bytes, before: bytes, after: bytes) -> None:
    buffer = before + multihash.wrap(code, digest) + after
    found, start, end = multihash.parse(buffer, len(before))
    assert (found, buffer[start:end], buffer[end:]) == (code, digest, after)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("code", sorted(set(MULTIHASHES) - {IDENTITY, MURMUR3_X64_64}), ids=hex)
def test_large_data_is_hashed_without_the_interpreter_lock(code: int) -> None:
    """While one thread hashes, another gets to run, although nobody is made to give the lock up."""
    data = bytes(1 << 20)
    multihash.digest(code, data)
    ready, go, ran = threading.Event(), threading.Event(), threading.Event()

    def other() -> None:
        ready.set()
        go.wait()
        ran.set()

    thread = threading.Thread(target=other, daemon=True)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        thread.start()
        ready.wait()
        go.set()
        for _ in range(1000):
            multihash.digest(code, data)
            if ran.is_set():
                break
        assert ran.is_set()
    finally:
        sys.setswitchinterval(interval)
        thread.join()


def test_sha2_256_is_that_of_hashlib() -> None:
    assert multihash.digest(SHA2_256, bytearray(DATA)) == hashlib.sha256(DATA).digest()
