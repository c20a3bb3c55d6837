"""The header of a CAR: a DAG-CBOR map of `roots` and `version` (CARv1 specification, Header)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bitswap.car import cbor
from bitswap.car.cbor import CborError, Item
from bitswap.cid import CID

_ROOTS, _VERSION = b"roots", b"version"


class Header(NamedTuple):
    """`roots` is None where the header has none, as the fixed one at the beginning of a CARv2."""

    version: int
    roots: tuple[CID, ...] | None


def encode(roots: Sequence[CID]) -> bytes:
    """The header of a CARv1, without the length before it."""
    parts = [b"\xa2", _text(_ROOTS), cbor.head(cbor.ARRAY, len(roots))]
    for root in roots:
        parts += (cbor.head(cbor.TAG, cbor.CID_TAG), cbor.head(cbor.BYTES, len(root) + 1), b"\0", root)
    parts += (_text(_VERSION), cbor.head(cbor.UINT, 1))
    return b"".join(parts)


def _text(text: bytes) -> bytes:
    return cbor.head(cbor.TEXT, len(text)) + text


def decode(data: bytes) -> Header:
    """The header in these bytes; keys may stand in any order. Raises CborError."""
    found = cbor.items(data)
    version: int | None = None
    roots: tuple[CID, ...] | None = None
    for _ in range(_next(found, data, cbor.MAP).value):
        key = _next(found, data, cbor.TEXT)
        name = data[key.start : key.start + key.value]
        if name == _VERSION and version is None:
            version = _next(found, data, cbor.UINT).value
        elif name == _ROOTS and roots is None:
            count = _next(found, data, cbor.ARRAY).value
            roots = tuple(_root(found, data) for _ in range(count))
        else:
            raise CborError(f"the header has a key {name[:20]!r} that is unknown or there twice", key.offset)
    next(found, None)  # raises for what follows the map
    if version is None:
        raise CborError("the header has no version", 0)
    return Header(version, roots)


def _next(found: Iterator[Item], data: bytes, major: int) -> Item:
    item = next(found)
    if item.major != major:
        raise CborError("the header is not a map of roots and version", item.offset)
    return item


def _root(found: Iterator[Item], data: bytes) -> CID:
    _next(found, data, cbor.TAG)
    return cbor.link(data, next(found))
