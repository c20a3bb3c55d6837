"""Multihashes: which hash function, how many bytes of digest, the digest.

The codes are those that go-multihash 0.2.3 can compute; any other code parses but cannot be computed.
`hashlib`, `blake3` and `pycryptodome` release the interpreter lock while they hash more than about 2 KiB, so
that several threads verify blocks at once. `mmh3` (murmur3-x64-64) does not; it is not for blocks.
Libraries other than `hashlib` are imported when one of their functions is first asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeAlias

from bitswap import varint
from bitswap.errors import WireError

Buffer: TypeAlias = bytes | bytearray | memoryview

IDENTITY = 0x00
SHA1 = 0x11
SHA2_256 = 0x12
SHA2_512 = 0x13
SHA3_512 = 0x14
SHA3_384 = 0x15
SHA3_256 = 0x16
SHA3_224 = 0x17
SHAKE_128 = 0x18
SHAKE_256 = 0x19
KECCAK_256 = 0x1B
KECCAK_512 = 0x1D
BLAKE3 = 0x1E
SHA2_384 = 0x20
MURMUR3_X64_64 = 0x22
DBL_SHA2_256 = 0x56
MD5 = 0xD5
SHA2_224 = 0x1013
SHA2_512_224 = 0x1014
SHA2_512_256 = 0x1015
BLAKE2B_8 = 0xB201
BLAKE2B_256 = 0xB220
BLAKE2B_512 = 0xB240
BLAKE2S_256 = 0xB260

MAX_DIGEST = 2**31 - 1
"""Bytes of the longest digest that a multihash may declare (go-multihash)."""
BLAKE3_MAX = 128
"""Bytes of the longest blake3 digest (go-multihash); its output could be of any length."""


class UnknownHash(WireError):
    """A hash code that cannot be computed here."""


class BadDigestLength(WireError):
    """A digest length that the hash function does not have."""


def _sha256(data: Buffer) -> bytes:
    return hashlib.sha256(data).digest()


def _hashlib(name: str) -> Callable[[Buffer], bytes]:
    """A function of `hashlib`, for addressing and not for security, so that a FIPS build has md5 too."""
    return lambda data: hashlib.new(name, data, usedforsecurity=False).digest()


def _sha512_truncated(bits: int) -> Callable[[Buffer], bytes]:
    """SHA-512/224 and /256: from OpenSSL through `hashlib`, or from pycryptodome where OpenSSL lacks them."""
    name = f"sha512_{bits}"
    if name in hashlib.algorithms_available:
        return _hashlib(name)

    def compute(data: Buffer) -> bytes:
        from Crypto.Hash import SHA512

        return bytes(SHA512.new(data, truncate=str(bits)).digest())

    return compute


def _keccak(bits: int) -> Callable[[Buffer], bytes]:
    """The Keccak of 2011, as Ethereum has it (`hashlib` has the SHA-3 of 2015, which pads differently)."""

    def compute(data: Buffer) -> bytes:
        from Crypto.Hash import keccak

        return bytes(keccak.new(data=data, digest_bits=bits).digest())

    return compute


def _blake2b(size: int) -> Callable[[Buffer], bytes]:
    return lambda data: hashlib.blake2b(data, digest_size=size).digest()


def _murmur3_x64_64(data: Buffer) -> bytes:
    import mmh3

    first, _ = mmh3.hash64(bytes(data), seed=0, x64arch=True, signed=False)
    return int(first).to_bytes(8, "big")


_FUNCTIONS: dict[int, Callable[[Buffer], bytes]] = {
    SHA1: _hashlib("sha1"),
    SHA2_256: _sha256,
    SHA2_512: _hashlib("sha512"),
    SHA3_512: _hashlib("sha3_512"),
    SHA3_384: _hashlib("sha3_384"),
    SHA3_256: _hashlib("sha3_256"),
    SHA3_224: _hashlib("sha3_224"),
    SHAKE_128: lambda data: hashlib.shake_128(data).digest(32),
    SHAKE_256: lambda data: hashlib.shake_256(data).digest(64),
    KECCAK_256: _keccak(256),
    KECCAK_512: _keccak(512),
    SHA2_384: _hashlib("sha384"),
    MURMUR3_X64_64: _murmur3_x64_64,
    DBL_SHA2_256: lambda data: _sha256(_sha256(data)),
    MD5: _hashlib("md5"),
    SHA2_224: _hashlib("sha224"),
    SHA2_512_224: _sha512_truncated(224),
    SHA2_512_256: _sha512_truncated(256),
    BLAKE2S_256: lambda data: hashlib.blake2s(data).digest(),
    **{BLAKE2B_8 + size - 1: _blake2b(size) for size in range(1, 65)},
}

SUPPORTED: frozenset[int] = frozenset(_FUNCTIONS) | {IDENTITY, BLAKE3}
"""Codes that `digest` computes."""


def digest(code: int, data: Buffer, length: int | None = None) -> bytes:
    """`length` bytes of the digest of `data` (None: the function's own length).

    A shorter length cuts the digest, to nothing if 0; identity ignores `length` and returns the data; blake3
    has 1 to 128 bytes. Raises UnknownHash, BadDigestLength (go-cid `Prefix.Sum`, go-multihash `Sum`).
    """
    if code == SHA2_256:
        whole = hashlib.sha256(data).digest()
        if length is None or length == 32:
            return whole
    elif code == IDENTITY:
        return bytes(data)
    elif code == BLAKE3:
        return _blake3(data, 32 if length is None else length)
    else:
        function = _FUNCTIONS.get(code)
        if function is None:
            raise UnknownHash(f"hash function 0x{code:x} is not supported")
        whole = function(data)
        if length is None:
            return whole
    if not 0 <= length <= len(whole):
        raise BadDigestLength(
            f"hash function 0x{code:x} has {len(whole)} bytes of digest, {length} were asked for"
        )
    return whole[:length]


def _blake3(data: Buffer, length: int) -> bytes:
    if not 1 <= length <= BLAKE3_MAX:
        raise BadDigestLength(f"blake3 digests have 1 to {BLAKE3_MAX} bytes, {length} were asked for")
    from blake3 import blake3

    return blake3(data).digest(length=length)


def multihash(code: int, data: Buffer, length: int | None = None) -> bytes:
    """The multihash of `data`: code, digest length and digest; errors as `digest`."""
    value = digest(code, data, length)
    return wrap(code, value)


def wrap(code: int, value: bytes) -> bytes:
    """The multihash that holds the digest `value`."""
    return varint.encode(code) + varint.encode(len(value)) + value


def parse(buf: bytes | memoryview, offset: int = 0) -> tuple[int, int, int]:
    """Code, offset of the digest and offset after it, of the multihash at `offset`.

    The length is not compared with what the function has. Raises WireError (go-multihash `MHFromBytes`).
    """
    if len(buf) - offset < 2:
        raise WireError("multihash is cut short: it has at least 2 bytes")
    code, offset = varint.decode(buf, offset)
    length, offset = varint.decode(buf, offset)
    if length > MAX_DIGEST:
        raise WireError(f"multihash declares a digest of {length} bytes; at most 2**31 - 1 are allowed")
    if length > len(buf) - offset:
        raise WireError(
            f"multihash is cut short: {length} bytes of digest declared, {len(buf) - offset} there"
        )
    return code, offset, offset + length
