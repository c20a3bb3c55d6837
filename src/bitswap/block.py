"""A block: some bytes and the CID that names them."""

from __future__ import annotations

import functools
import hashlib

from bitswap import multihash, varint
from bitswap.cid import CID, RAW
from bitswap.errors import HashMismatch, WireError
from bitswap.multihash import IDENTITY, SHA2_256

_SHA256_32 = b"\x12\x20"
_PREFIX_BYTES = 4 * varint.MAX_LENGTH
_PREFIXES_KEPT = 256  # distinct prefixes whose reading is remembered; peers use a handful


class Block:
    """A CID and its data; equal and hashed by CID. `Block(cid, data)` trusts the pair, `verify` does not."""

    __slots__ = ("cid", "data")

    def __init__(self, cid: CID, data: bytes) -> None:
        self.cid = cid
        self.data = data

    @classmethod
    def of(cls, data: bytes, *, version: int = 1, codec: int = RAW, hash_code: int = SHA2_256) -> Block:
        """Hash `data` and name it; raises UnknownHash, WireError for a version or hash that no CID has."""
        if version == 0:
            if hash_code != SHA2_256:
                raise WireError("a CIDv0 has 32 bytes of sha2-256")
            return cls(CID.from_trusted(_SHA256_32 + hashlib.sha256(data).digest()), data)
        if version != 1:
            raise WireError(f"there is no CID version {version}")
        hashed = multihash.multihash(hash_code, data)
        return cls(CID.from_trusted(b"\x01" + varint.encode(codec) + hashed), data)

    @classmethod
    def from_prefix(cls, prefix: bytes, data: bytes) -> Block:
        """Hash `data` and name it as `prefix` says (go-cid `PrefixFromBytes`, `Prefix.Sum`).

        Raises WireError: VarintError for a prefix that is none, UnknownHash, BadDigestLength.
        """
        head, code, length = _read_prefix(bytes(prefix[:_PREFIX_BYTES]))
        if code == SHA2_256 and length == 32:
            return cls(CID.from_trusted(head + hashlib.sha256(data).digest()), data)
        digest = multihash.digest(code, data, length)
        if code == IDENTITY:
            head += varint.encode(len(digest))
        return cls(CID.from_trusted(head + digest), data)

    def verify(self) -> None:
        """Hash the data; raises HashMismatch when the CID names other data, UnknownHash when it cannot."""
        cid, data = self.cid, self.data
        code, length = cid.hash_code, len(cid.digest)
        if code == IDENTITY:
            # An identity digest is the data, so its length counts too.
            if cid.digest == data:
                return
        elif multihash.digest(code, data, length) == cid.digest:
            return
        raise HashMismatch(f"{len(data)} bytes of data do not hash to {cid}")

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        # A block of zero bytes is a block.
        return True

    def __eq__(self, other: object) -> bool:
        return self.cid == other.cid if isinstance(other, Block) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.cid)

    def __repr__(self) -> str:
        return f"<Block {self.cid} of {len(self.data)} bytes>"


@functools.lru_cache(maxsize=_PREFIXES_KEPT)
def _read_prefix(prefix: bytes) -> tuple[bytes, int, int]:
    """What precedes the digest in the CID (for identity: its length too), hash code, digest length."""
    version, offset = varint.decode(prefix)
    codec, offset = varint.decode(prefix, offset)
    code, offset = varint.decode(prefix, offset)
    length, _ = varint.decode(prefix, offset)
    if version == 0:
        if code != SHA2_256 or length != 32:
            raise WireError("a CIDv0 prefix has 32 bytes of sha2-256")
        return _SHA256_32, code, length
    if version != 1:
        raise WireError(f"there is no CID version {version}")
    head = b"\x01" + varint.encode(codec) + varint.encode(code)
    return (head if code == IDENTITY else head + varint.encode(length)), code, length
