"""UnixFS: what the data of a dag-pb node says of a file, directory or link (UnixFS specification, `Data`).

Read as go's protobuf does: unknown fields are skipped, of repeated single fields the last counts, block sizes
may be packed or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from bitswap.dag.errors import MalformedNode
from bitswap.dag.pb import MAX_LINKS, read_varint, varint

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_FIELD = 2**29 - 1


class Type(IntEnum):
    """Kinds of node, with their numbers on the wire."""

    RAW = 0
    DIRECTORY = 1
    FILE = 2
    METADATA = 3
    SYMLINK = 4
    HAMT_SHARD = 5


class Mtime(NamedTuple):
    """Time of last change since 1970."""

    seconds: int
    nanoseconds: int = 0


class FSNode(NamedTuple):
    """`data` is content of a file, target of a symbolic link or bit field of a shard, `filesize` and
    `blocksizes` are in bytes of content, `mode` holds Unix permission bits. None is what is not there.
    """

    type: Type
    data: bytes | memoryview | None = None
    filesize: int | None = None
    blocksizes: Sequence[int] = ()
    hash_type: int | None = None
    fanout: int | None = None
    mode: int | None = None
    mtime: Mtime | None = None

    @property
    def content(self) -> bytes | memoryview:
        """The data, empty when there is none."""
        return b"" if self.data is None else self.data


def encode(node: FSNode) -> bytes:
    """The protobuf message, fields in order, as boxo writes it."""
    parts = [b"\x08", varint(node.type)]
    if node.data is not None:
        parts += (b"\x12", varint(len(node.data)), bytes(node.data))
    if node.filesize is not None:
        parts += (b"\x18", varint(node.filesize))
    for size in node.blocksizes:
        parts += (b"\x20", varint(size))
    for tag, value in ((b"\x28", node.hash_type), (b"\x30", node.fanout), (b"\x38", node.mode)):
        if value is not None:
            parts += (tag, varint(value))
    if node.mtime is not None:
        seconds, nanoseconds = node.mtime
        body = b"\x08" + varint(seconds % 2**64)
        if nanoseconds:
            body += b"\x15" + nanoseconds.to_bytes(4, "little")
        parts += (b"\x42", varint(len(body)), body)
    return b"".join(parts)


def decode(buf: bytes | memoryview, max_links: int = MAX_LINKS) -> FSNode:
    """The message of these bytes, `data` a slice of them; raises MalformedNode, also for more sizes than
    `max_links`.
    """
    kind: Type | None = None
    data: bytes | memoryview | None = None
    numbers: dict[int, int] = {}
    sizes: list[int] = []
    mtime: Mtime | None = None
    for field, wire, value in _fields(buf):
        if isinstance(value, int):
            if wire != _VARINT:
                continue
            if field == 1:
                kind = _type(value)
            elif field == 4:
                sizes.append(value)
            else:
                numbers[field] = value
        elif field == 2:
            data = value
        elif field == 4:
            _packed(value, sizes)
        elif field == 8:
            mtime = _mtime(value)
    if kind is None:
        raise MalformedNode("a UnixFS node has no type")
    if len(sizes) > max_links:
        raise MalformedNode(f"a UnixFS node has more than {max_links} block sizes")
    mode = numbers.get(7)
    return FSNode(
        kind,
        data,
        numbers.get(3),
        sizes,
        numbers.get(5),
        numbers.get(6),
        None if mode is None else mode & 0xFFFFFFFF,
        mtime,
    )


def _fields(buf: bytes | memoryview) -> Iterator[tuple[int, int, int | bytes | memoryview]]:
    """Field number, wire type and value of every field."""
    at, end = 0, len(buf)
    while at < end:
        tag, at = read_varint(buf, at, end)
        field, wire = tag >> 3, tag & 7
        if not 0 < field <= _MAX_FIELD:
            raise MalformedNode(f"a UnixFS node has a field numbered {field}")
        if wire == _VARINT:
            number, at = read_varint(buf, at, end)
            yield field, wire, number
            continue
        if wire == _BYTES:
            size, at = read_varint(buf, at, end)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise MalformedNode(f"a UnixFS node has a field of wire type {wire}")
        if size > end - at:
            raise MalformedNode(f"a UnixFS field of {size} bytes is cut short: {end - at} are there")
        value = buf[at : at + size]
        at += size
        yield field, wire, value if wire == _BYTES else int.from_bytes(value, "little")


def _type(value: int) -> Type:
    try:
        return Type(value)
    except ValueError:
        raise MalformedNode(f"UnixFS has no node type {value}") from None


def _packed(buf: bytes | memoryview, sizes: list[int]) -> None:
    at, end = 0, len(buf)
    while at < end:
        size, at = read_varint(buf, at, end)
        sizes.append(size)


def _mtime(buf: bytes | memoryview) -> Mtime | None:
    """None for a time that makes no sense: content is read all the same (boxo `FSNode.ModTime`)."""
    seconds: int | None = None
    nanoseconds = 0
    for field, wire, value in _fields(buf):
        if field == 1 and wire == _VARINT and isinstance(value, int):
            seconds = value - 2**64 if value >> 63 else value
        elif field == 2 and wire == _FIXED32 and isinstance(value, int):
            nanoseconds = value
    if seconds is None or nanoseconds > 999_999_999:
        return None
    return Mtime(seconds, nanoseconds)
