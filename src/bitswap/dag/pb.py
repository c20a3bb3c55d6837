"""dag-pb: a node is a list of links and some data (IPLD specification of DAG-PB).

Written in the one canonical form: links before data, sorted by name, name and size always there. Read
strictly, with go-codec-dagpb's tolerance: data before links is accepted, links out of order stay as they are;
fields that are unknown, repeated or out of place are refused. Unlike there, bytes after the CID of a link are
refused too.

The codec is our own because none on PyPI is kept (ipld-dag-pb 0.0.1), and because the protobuf runtime
neither refuses what DAG-PB refuses nor writes fields in its order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bitswap.cid import CID
from bitswap.dag.errors import MalformedNode
from bitswap.errors import InvalidCid

MAX_LINKS = 65_536
"""Links of a node that `decode` accepts unless told otherwise."""

_DATA_TAG, _LINK_TAG = 0x0A, 0x12
_HASH_TAG, _NAME_TAG, _TSIZE_TAG = 0x0A, 0x12, 0x18
_USUAL_CIDS = {34: (b"\x12\x20",), 36: (b"\x01\x55\x12\x20", b"\x01\x70\x12\x20")}
"""By length, how CIDs with 32 bytes of sha2-256 begin: v0, v1 raw, v1 dag-pb."""


class Link(NamedTuple):
    """A named link; `tsize` is the cumulative size of what it leads to, in bytes, as its author says."""

    cid: CID
    name: bytes = b""
    tsize: int = 0


class Node(NamedTuple):
    """`data` is a slice of what was decoded, so a memoryview when that was one."""

    links: Sequence[Link]
    data: bytes | memoryview | None


def varint(n: int) -> bytes:
    """The protobuf varint of 0 <= n < 2**64."""
    if n < 0x80:
        return bytes((n,))
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def read_varint(buf: bytes | memoryview, at: int, end: int) -> tuple[int, int]:
    """The value at `at` and the offset after it; MalformedNode when cut short or above 64 bits."""
    if at < end and (first := buf[at]) < 0x80:
        return first, at + 1
    value = shift = 0
    while at < end:
        byte = buf[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return value, at
        shift += 7
        if shift > 63:
            break
    raise MalformedNode("a varint is cut short or longer than 64 bits")


def encode_link(link: Link) -> bytes:
    """A link as it stands in its node, tag and length included."""
    cid, name, tsize = link
    body = b"\x0a%b%b\x12%b%b\x18%b" % (varint(len(cid)), cid, varint(len(name)), name, varint(tsize))
    return b"\x12" + varint(len(body)) + body


def encode(links: Iterable[Link], data: bytes | None) -> bytes:
    """The canonical form; links are sorted by the bytes of their names, equal names stay in order."""
    parts = [encode_link(link) for link in sorted(links, key=lambda link: link.name)]
    if data is not None:
        parts += (b"\x0a", varint(len(data)), data)
    return b"".join(parts)


def decode(buf: bytes | memoryview, max_links: int = MAX_LINKS) -> Node:
    """The node of these bytes; raises MalformedNode (go-codec-dagpb `Unmarshal`)."""
    links: list[Link] = []
    data: bytes | memoryview | None = None
    at, end, closed = 0, len(buf), False
    while at < end:
        tag, at = read_varint(buf, at, end)
        if tag not in (_DATA_TAG, _LINK_TAG):
            raise MalformedNode(f"field {tag >> 3} of wire type {tag & 7} does not belong in a dag-pb node")
        start, at = _length(buf, at, end)
        if tag == _LINK_TAG:
            if closed:
                raise MalformedNode("links stand on both sides of the data of a dag-pb node")
            if len(links) >= max_links:
                raise MalformedNode(f"a dag-pb node has more than {max_links} links")
            links.append(_link(buf, start, at))
        elif data is not None:
            raise MalformedNode("a dag-pb node has its data twice")
        else:
            data = buf[start:at]
            closed = bool(links)
    return Node(links, data)


def _length(buf: bytes | memoryview, at: int, end: int) -> tuple[int, int]:
    """Where a length-delimited field begins and ends."""
    size, at = read_varint(buf, at, end)
    if size > end - at:
        raise MalformedNode(f"a field of {size} bytes is cut short: {end - at} are there")
    return at, at + size


def _link(buf: bytes | memoryview, at: int, end: int) -> Link:
    cid: CID | None = None
    name = b""
    tsize = last = 0
    while at < end:
        tag, at = read_varint(buf, at, end)
        if tag <= last:
            raise MalformedNode("fields of a dag-pb link are repeated or out of order")
        last = tag
        if tag == _TSIZE_TAG:
            tsize, at = read_varint(buf, at, end)
            continue
        if tag not in (_HASH_TAG, _NAME_TAG):
            raise MalformedNode(f"field {tag >> 3} of wire type {tag & 7} does not belong in a dag-pb link")
        start, at = _length(buf, at, end)
        if tag == _HASH_TAG:
            cid = _cid(bytes(buf[start:at]))
        else:
            name = bytes(buf[start:at])
    if cid is None:
        raise MalformedNode("a dag-pb link has no CID")
    return Link(cid, name, tsize)


def _cid(data: bytes) -> CID:
    if data.startswith(_USUAL_CIDS.get(len(data), ())):
        return CID.from_trusted(data)
    try:
        return CID.from_bytes(data)
    except InvalidCid as error:
        raise MalformedNode(f"a dag-pb link has no valid CID: {error}") from None
