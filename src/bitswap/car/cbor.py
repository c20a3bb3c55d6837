"""DAG-CBOR as far as CAR files need it: the items of a block in order, and the CIDs it links to.

The scanner is our own because the decoders on PyPI either build objects of tags that DAG-CBOR does not have
(cbor2), do not tell links from texts (libipld), or raise IndexError and RecursionError on bad input
(dag-cbor 0.3.3). It keeps no item, so nesting and declared lengths cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bitswap.cid import CID
from bitswap.errors import InvalidCid

UINT, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
"""Major types."""
CID_TAG = 42
_SIMPLE_VALUES = (20, 21, 22)  # false, true, null
_FLOATS = (25, 26, 27)


class CborError(ValueError):
    """Bytes that are not DAG-CBOR; `offset` is where, counted from the first byte given."""

    def __init__(self, words: str, offset: int) -> None:
        super().__init__(words)
        self.offset = offset


class Item(NamedTuple):
    """One item. `value`: the number, the tag, how many items or pairs follow; for bytes and texts their size.

    `start`: where its content begins.
    """

    offset: int
    major: int
    value: int
    start: int


def items(data: bytes) -> Iterator[Item]:
    """All items of `data`, each container before what it contains; raises CborError (DAG-CBOR, strictness).

    Order and uniqueness of keys are not checked.
    """
    open_items = [1]
    at = 0
    while open_items:
        if not open_items[-1]:
            open_items.pop()
            continue
        open_items[-1] -= 1
        item = _head(data, at)
        at = item.start
        if item.major in (BYTES, TEXT):
            if item.value > len(data) - at:
                raise CborError(
                    f"{item.value} bytes are declared and {len(data) - at} are there", item.offset
                )
            at += item.value
        elif item.major == ARRAY:
            open_items.append(item.value)
        elif item.major == MAP:
            open_items.append(2 * item.value)
        elif item.major == TAG:
            open_items.append(1)
        yield item
    if at != len(data):
        raise CborError(f"{len(data) - at} bytes follow the end of the item", at)


def _head(data: bytes, at: int) -> Item:
    if at >= len(data):
        raise CborError("an item is missing", at)
    major, info = data[at] >> 5, data[at] & 0x1F
    if info < 24:
        value, start = info, at + 1
    elif info > 27:
        raise CborError("an item of unknown length, which DAG-CBOR does not have", at)
    else:
        start = at + 1 + (1 << (info - 24))
        if start > len(data):
            raise CborError("an item is cut short", at)
        value = int.from_bytes(data[at + 1 : start], "big")
        least = 24 if info == 24 else 1 << (4 << (info - 24))
        if major != SIMPLE and value < least:
            raise CborError("a number is longer than it needs to be", at)
    if major == SIMPLE and not (info in _FLOATS or (value in _SIMPLE_VALUES and info < 24)):
        raise CborError("a simple value that DAG-CBOR does not have", at)
    if major == TAG and value != CID_TAG:
        raise CborError(f"tag {value}, where DAG-CBOR has {CID_TAG} only", at)
    return Item(at, major, value, start)


def link(data: bytes, item: Item) -> CID:
    """The CID in the item after tag 42; raises CborError."""
    end = item.start + item.value
    if item.major != BYTES or not item.value or data[item.start]:
        raise CborError("a link that does not hold bytes that begin with a zero", item.offset)
    try:
        return CID.from_bytes(data[item.start + 1 : end])
    except InvalidCid as error:
        raise CborError(f"a link without a CID: {error}", item.offset) from None


def links(data: bytes) -> list[CID]:
    """What a DAG-CBOR block links to, in order; raises CborError."""
    found = []
    tagged = False
    for item in items(data):
        if tagged:
            found.append(link(data, item))
        tagged = item.major == TAG
    return found


def head(major: int, value: int) -> bytes:
    """How an item of this major type begins."""
    if value < 24:
        return bytes((major << 5 | value,))
    size = next(power for power in range(4) if value < 1 << (8 << power))
    return bytes((major << 5 | 24 + size,)) + value.to_bytes(1 << size, "big")
