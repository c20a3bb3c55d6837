"""Content identifiers: version, codec and multihash of a block, as bytes and as text.

Which texts and bytes are CIDs is as go-cid 0.6.2 has it (`Decode`, `Parse`, `Cast`, `PrefixFromBytes`).
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from bitswap import multibase, multihash, varint
from bitswap.errors import InvalidCid, UsageError, WireError

RAW = 0x55
DAG_PB = 0x70
DAG_CBOR = 0x71
LIBP2P_KEY = 0x72
DAG_JSON = 0x0129

_V0_HEAD = b"\x12\x20"
_V0_PREFIX = b"\x00\x70\x12\x20"
_V0_LENGTH = 34
_SHOWN = 100  # characters of a bad text that an error repeats


class _Decode:
    """`CID.decode(text)` parses; a CID itself decodes as any `bytes` does."""

    def __get__(self, cid: CID | None, owner: type[CID]) -> Callable[..., CID | str]:
        return owner._decode if cid is None else functools.partial(bytes.decode, cid)


class CID(bytes):
    """A CID. It is its own binary form, so that hashing, comparing and ordering cost what those of bytes do.

    `CID(text)` parses as go-cid `Parse`, `CID(data)` as `Cast`; both raise InvalidCid. The parts are read
    from the bytes when asked for.
    """

    __slots__ = ()

    def __new__(cls, value: CID | str | builtins.bytes) -> CID:
        if type(value) is cls:
            return value
        if isinstance(value, str):
            return cls.parse(value)
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise UsageError(f"a CID is made of text or bytes, not of {type(value).__name__}")
        return cls.from_bytes(value)

    @classmethod
    def parse(cls, text: str) -> CID:
        """As `decode`, of a text or of what stands in it after `/ipfs/`, up to the next (go-cid `Parse`)."""
        parts = text.split("/ipfs/", 2)
        return cls._decode(parts[1] if len(parts) > 1 else text)

    if TYPE_CHECKING:

        @classmethod
        def decode(cls, text: str) -> CID:  # type: ignore[override]
            """The CID of a text, a CIDv0 (Qm…) or multibase; raises InvalidCid (go-cid `Decode`)."""
    else:
        decode = _Decode()

    @classmethod
    def _decode(cls, text: str) -> CID:
        try:
            # Lengths are in UTF-8, so that one emoji is not too short.
            if len(text) < 2 and len(text.encode("utf-8", "surrogatepass")) < 2:
                raise multibase.BadText("it is too short")
            if len(text) == 46 and text.startswith("Qm"):
                return cls._from_bare_multihash(multibase.decode_base58(text))
            if text.startswith("Qm"):
                raise multibase.BadText(f"a CIDv0 has 46 characters, this has {len(text)}")
            data = multibase.decode(text)
        except multibase.BadText as error:
            raise InvalidCid(f"{_quoted(text)} is not a CID: {error}") from None
        try:
            return cls._cast(data)
        except InvalidCid as error:
            raise InvalidCid(f"{_quoted(text)} is not a CID: {error}") from None

    @classmethod
    def from_bytes(cls, data: builtins.bytes | bytearray | memoryview) -> CID:
        """The CID of exactly these bytes; raises InvalidCid (go-cid `Cast`)."""
        data = builtins.bytes(data)
        try:
            return cls._cast(data)
        except InvalidCid as error:
            raise InvalidCid(f"bytes {_shown(data)} are not a CID: {error}") from None

    @classmethod
    def from_trusted(cls, data: builtins.bytes | memoryview) -> CID:
        """The CID of bytes that are known to be one; nothing is checked."""
        return bytes.__new__(cls, data)

    @classmethod
    def v0(cls, digest: builtins.bytes) -> CID:
        """The CIDv0 of a sha2-256 digest (32 bytes)."""
        if len(digest) != 32:
            raise InvalidCid(f"a CIDv0 holds a digest of 32 bytes, not of {len(digest)}")
        return bytes.__new__(cls, _V0_HEAD + digest)

    @classmethod
    def v1(cls, codec: int, hash: builtins.bytes) -> CID:
        """The CIDv1 of a codec and a multihash."""
        try:
            _, _, end = multihash.parse(hash)
            if end != len(hash):
                raise InvalidCid("there are bytes after the multihash")
            return bytes.__new__(cls, b"\x01" + varint.encode(codec) + hash)
        except WireError as error:
            raise InvalidCid(f"no CID has this codec and multihash: {error}") from None

    @classmethod
    def _from_bare_multihash(cls, data: builtins.bytes) -> CID:
        if len(data) != _V0_LENGTH or data[:2] != _V0_HEAD:
            raise multibase.BadText("it does not hold a sha2-256 multihash of 32 bytes")
        return bytes.__new__(cls, data)

    @classmethod
    def _cast(cls, data: builtins.bytes) -> CID:
        if len(data) > 2 and data[:2] == _V0_HEAD:
            end = _V0_LENGTH
            if len(data) < end:
                raise InvalidCid(f"a CIDv0 has {end} bytes, these are {len(data)}")
        else:
            try:
                version, offset = varint.decode(data)
                if version != 1:
                    raise InvalidCid(f"its version is {version}, not 1")
                _, offset = varint.decode(data, offset)
                _, _, end = multihash.parse(data, offset)
            except WireError as error:
                raise InvalidCid(str(error)) from None
        if end != len(data):
            raise InvalidCid(f"{len(data) - end} bytes follow its end")
        return bytes.__new__(cls, data)

    @property
    def bytes(self) -> builtins.bytes:
        """The binary form as a plain `bytes`."""
        return self[:]

    @property
    def version(self) -> int:
        return 0 if self[0] == 0x12 else 1

    @property
    def codec(self) -> int:
        """How the block is encoded: RAW, DAG_PB…; a CIDv0 is always DAG_PB."""
        if self[0] == 0x12:
            return DAG_PB
        second = self[1]
        return second if second < 0x80 else varint.decode(self, 1)[0]

    @property
    def multihash(self) -> builtins.bytes:
        """Hash code, digest length and digest: the key under which stores keep the block."""
        if self[0] == 0x12:
            return self[:]
        if self[1] < 0x80:
            return self[2:]
        return self[varint.decode(self, 1)[1] :]

    @property
    def hash_code(self) -> int:
        return self._hash_parts()[0]

    @property
    def digest(self) -> builtins.bytes:
        return self[self._hash_parts()[1] :]

    @property
    def prefix(self) -> builtins.bytes:
        """Version, codec, hash code and digest length as varints: what a block travels with (wire format)."""
        if self[0] == 0x12:
            return _V0_PREFIX
        return self[: self._hash_parts()[1]]

    def _hash_parts(self) -> tuple[int, int]:
        """Hash code and offset of the digest."""
        if self[0] == 0x12:
            return multihash.SHA2_256, 2
        if self[1] < 0x80 and self[2] < 0x80 and self[3] < 0x80:
            return self[2], 4
        code, offset = varint.decode(self, varint.decode(self, 1)[1])
        return code, varint.decode(self, offset)[1]

    def encode(self, base: str) -> str:
        """The text in a base of multibase ("base36", "base64url", or its prefix character).

        A CIDv0 exists in base58btc only, without prefix. Raises UsageError.
        """
        if self[0] == 0x12:
            if base not in ("base58btc", "z"):
                raise UsageError(f"a CIDv0 is written in base58btc only, not in {base}; use to_v1() first")
            return multibase.encode_base58(self)
        return multibase.encode(base, self)

    def to_v0(self) -> CID:
        """The CIDv0 of the same block; raises UsageError unless it is dag-pb with 32 bytes of sha2-256."""
        if self[0] == 0x12:
            return self
        if self.codec != DAG_PB or self.multihash[:2] != _V0_HEAD:
            raise UsageError(f"{self} has no CIDv0: that needs codec dag-pb and 32 bytes of sha2-256")
        return bytes.__new__(type(self), self.multihash)

    def to_v1(self) -> CID:
        """The CIDv1 of the same block."""
        if self[0] != 0x12:
            return self
        return bytes.__new__(type(self), b"\x01\x70" + self)

    def __str__(self) -> str:
        return multibase.encode_base58(self) if self[0] == 0x12 else multibase.encode("base32", self)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr__(self) -> str:
        return f"CID('{self}')"


class Prefix(NamedTuple):
    """A CID without its digest; `length` is the digest's."""

    version: int
    codec: int
    hash_code: int
    length: int

    @classmethod
    def parse(cls, data: bytes) -> Prefix:
        """Four varints; what follows them is ignored. Raises InvalidCid (go-cid `PrefixFromBytes`)."""
        try:
            version, offset = varint.decode(data)
            codec, offset = varint.decode(data, offset)
            hash_code, offset = varint.decode(data, offset)
            length, _ = varint.decode(data, offset)
        except WireError as error:
            raise InvalidCid(f"bytes {_shown(data)} are not a CID prefix: {error}") from None
        return cls(version, codec, hash_code, length)

    def to_bytes(self) -> bytes:
        return b"".join(varint.encode(part) for part in self)

    def sum(self, data: bytes) -> CID:
        """The CID of `data` with this prefix; raises InvalidCid, UnknownHash, BadDigestLength."""
        if self.version == 0 and (self.hash_code != multihash.SHA2_256 or self.length != 32):
            raise InvalidCid("a CIDv0 has 32 bytes of sha2-256")
        if self.version > 1:
            raise InvalidCid(f"there is no CID version {self.version}")
        digest = multihash.digest(self.hash_code, data, self.length)
        if self.version == 0:
            return CID.v0(digest)
        return CID.from_trusted(b"\x01" + varint.encode(self.codec) + multihash.wrap(self.hash_code, digest))


def _shown(data: bytes) -> str:
    return (data[: _SHOWN // 2].hex() or "(none)") + "…" * (len(data) > _SHOWN // 2)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
