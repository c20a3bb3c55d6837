"""Reading a CAR: a stream of sections, each a CID and its block, verified one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from bitswap import multihash, varint
from bitswap.block import Block
from bitswap.car import header
from bitswap.car.cbor import CborError
from bitswap.car.errors import CarError, CarMismatch, CarTruncated
from bitswap.cid import CID
from bitswap.errors import HashMismatch, InvalidCid, WireError
from bitswap.multihash import UnknownHash
from bitswap.options import DagOptions

_V0_HEAD, _V0_LENGTH = b"\x12\x20", 34
_V2_HEADER = 40
"""Bytes of the second header of a CARv2: characteristics, then three numbers of 8 bytes."""
_SKIP = 1 << 16


def read_car(file: BinaryIO, bounds: DagOptions | None = None) -> CarReader:
    """The header of a CAR, and an iterator over its blocks; nothing is read ahead or sought, so that a pipe
    will do. Raises CarError.
    """
    return CarReader(file, bounds or DagOptions())


class CarReader(Iterator[Block]):
    """An iterator over the blocks of a CAR in their order, each verified against its CID.

    Raises CarError: CarTruncated where the file ends early, CarMismatch for a block that is not what its CID
    says. What was given out before is right, and `blocks` and `bytes` say how much that is.
    """

    def __init__(self, file: BinaryIO, bounds: DagOptions) -> None:
        self.version = 1
        """Of the file; the blocks of a CARv2 stand in a CARv1 inside it."""
        self.blocks = 0
        """Blocks given out."""
        self.bytes = 0
        """Bytes of the same, without CIDs."""
        self.offset = 0
        """Bytes of the file that were read."""
        self._file = file
        self._bounds = bounds
        self._end: int | None = None
        start, found = 0, self._header()
        if found.version == 2 and found.roots is None:
            self.version = 2
            self._enter_v2()
            start, found = self.offset, self._header()
        if found.version != 1 or found.roots is None:
            roots = "without" if found.roots is None else "with"
            raise CarError(
                f"a header of version {found.version} {roots} roots; 1 with roots is read, and 2", start
            )
        self.roots = found.roots
        """As the header says; nothing promises that they are among the blocks."""

    def __iter__(self) -> CarReader:
        return self

    def __next__(self) -> Block:
        start = self.offset
        size = self._length("block", self._bounds.max_car_section)
        if size is None:
            raise StopIteration
        section = self._read(size, start, "a block")
        try:
            end = _cid_end(section)
            cid = CID.from_bytes(section[:end])
        except (InvalidCid, WireError) as error:
            raise CarError(f"a block without a CID: {error}", start) from None
        block = Block(cid, section[end:])
        try:
            block.verify()
        except (HashMismatch, UnknownHash, multihash.BadDigestLength) as error:
            raise CarMismatch(
                f"{error} ({cid})" if str(cid) not in str(error) else f"{error}", start
            ) from None
        self.blocks += 1
        self.bytes += len(block.data)
        return block

    def _header(self) -> header.Header:
        start = self.offset
        size = self._length("header", self._bounds.max_car_header)
        if size is None:
            raise CarTruncated("the file ends where a header belongs", start)
        at = self.offset
        data = self._read(size, start, "the header")
        try:
            return header.decode(data)
        except CborError as error:
            raise CarError(f"no CAR: {error}", at + error.offset) from None

    def _enter_v2(self) -> None:
        """Go to the CARv1 inside a CARv2, and end where it ends; the index after it is not read."""
        at = self.offset
        data = self._read(_V2_HEADER, at, "the header of a CARv2")
        first, size = (int.from_bytes(data[place : place + 8], "little") for place in (16, 24))
        if first < self.offset:
            raise CarError(f"the blocks begin at byte {first}, inside the header", at + 16)
        if not size:
            raise CarError("a CARv2 whose blocks have no bytes: it was never finished", at + 24)
        while self.offset < first:
            self._read(min(_SKIP, first - self.offset), self.offset, "the padding of a CARv2")
        self._end = first + size

    def _length(self, what: str, limit: int) -> int | None:
        """The length that a section begins with; None at the end of the file."""
        start, data = self.offset, b""
        while len(data) < varint.MAX_LENGTH:
            byte = b"" if self.offset == self._end else self._file.read(1)
            if not byte:
                if data or (self._end is not None and self.offset < self._end):
                    raise CarTruncated(f"the file ends inside the length of a {what}", start)
                return None
            data += byte
            self.offset += 1
            if byte[0] < 0x80:
                break
        try:
            size, _ = varint.decode(data)
        except varint.VarintError as error:
            raise CarError(f"no length of a {what}: {error}", start) from None
        if size > limit:
            raise CarError(f"a {what} of {size} bytes; at most {limit} are read", start)
        if self._end is not None and size > self._end - self.offset:
            raise CarError(f"a {what} of {size} bytes reaches beyond the blocks of the CARv2", start)
        return size

    def _read(self, size: int, start: int, what: str) -> bytes:
        parts = []
        left = size
        while left:
            part = self._file.read(left)
            if not part:
                raise CarTruncated(
                    f"{what} is cut short: {size} bytes belong here, {size - left} are there", start
                )
            parts.append(part)
            left -= len(part)
            self.offset += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _cid_end(section: bytes) -> int:
    """Where the CID at the beginning of a section ends; raises WireError."""
    if section[:2] == _V0_HEAD:
        return _V0_LENGTH
    _, at = varint.decode(section)
    _, at = varint.decode(section, at)
    return multihash.parse(section, at)[2]
