"""Protobuf bodies that the runtime's parser refuses or reads otherwise than peers do, checked and made plain.

The rules are those of google.golang.org/protobuf, which most peers run: varints of up to ten bytes even for
tags and lengths, but no bit beyond the 64th; a known field with another wire type is an unknown field;
unknown fields and groups are checked and skipped, groups up to 10,001 deep; field numbers go up to 2**29 - 1
in messages and 2**31 - 1 in groups.
"""

from __future__ import annotations

from typing import Final

from bitswap._core.interface import (
    BAD_FIELD,
    BAD_TYPE,
    CUT_FIXED,
    CUT_VARINT,
    DEEP_GROUP,
    LONG_LENGTH,
    LONG_VARINT,
    OPEN_GROUP,
    STRAY_END,
    malformed,
)

_VARINT, _FIXED64, _BYTES, _GROUP, _END_GROUP, _FIXED32 = range(6)
_MAX_FIELD = 2**29 - 1
_MAX_GROUP_FIELD = 2**31 - 1
_MAX_DEPTH = 10_001

_Schema = dict[int, "int | _Schema"]
_ENTRY: Final[_Schema] = {1: _BYTES, 2: _VARINT, 3: _VARINT, 4: _VARINT, 5: _VARINT}
_WANTLIST: Final[_Schema] = {1: _ENTRY, 2: _VARINT}
_BLOCK: Final[_Schema] = {1: _BYTES, 2: _BYTES}
_PRESENCE: Final[_Schema] = {1: _BYTES, 2: _VARINT}
_MESSAGE: Final[_Schema] = {1: _WANTLIST, 2: _BYTES, 3: _BLOCK, 4: _PRESENCE, 5: _VARINT}


def normalise(body: bytes) -> bytes:
    """The known fields of `body` in order, minimally encoded; WireError if the body is not protobuf."""
    out = bytearray()
    _message(body, 0, len(body), _MESSAGE, out)
    return bytes(out)


def check(body: bytes) -> None:
    """WireError if the body is not protobuf."""
    _message(body, 0, len(body), _MESSAGE, None)


def append_varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _message(body: bytes, at: int, end: int, schema: _Schema, out: bytearray | None) -> None:
    """Check a message and append its known fields to `out`."""
    while at < end:
        start = at
        tag, at = _varint(body, at, end)
        field, wire_type = tag >> 3, tag & 7
        if not 0 < field <= _MAX_FIELD:
            raise malformed(BAD_FIELD, start)
        kind = schema.get(field)
        if kind is None or wire_type != (kind if isinstance(kind, int) else _BYTES):
            at = _skip(body, start, at, end, field, wire_type)
            continue
        if kind == _VARINT:
            value, at = _varint(body, at, end)
            if out is not None:
                out.append(tag)
                append_varint(out, value)
            continue
        begin, at = _length(body, at, end)
        if out is None:
            if not isinstance(kind, int):
                _message(body, begin, at, kind, None)
            continue
        content = bytearray(body[begin:at]) if isinstance(kind, int) else bytearray()
        if not isinstance(kind, int):
            _message(body, begin, at, kind, content)
        out.append(tag)
        append_varint(out, len(content))
        out += content


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for count in range(10):
        if at + count >= end:
            raise malformed(CUT_VARINT, at)
        byte = body[at + count]
        if count == 9 and byte > 1:
            break
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, at + count + 1
    raise malformed(LONG_VARINT, at)


def _length(body: bytes, at: int, end: int) -> tuple[int, int]:
    """Where the content of a length-delimited field begins and ends."""
    size, begin = _varint(body, at, end)
    if size > end - begin:
        raise malformed(LONG_LENGTH, at)
    return begin, begin + size


def _skip(body: bytes, start: int, at: int, end: int, field: int, wire_type: int) -> int:
    """Past the value of an unknown field; `start` is where its tag is, `at` where its value begins."""
    groups: list[int] = []
    while True:
        if wire_type == _VARINT:
            _, at = _varint(body, at, end)
        elif wire_type == _BYTES:
            _, at = _length(body, at, end)
        elif wire_type in (_FIXED32, _FIXED64):
            size = 4 if wire_type == _FIXED32 else 8
            if end - at < size:
                raise malformed(CUT_FIXED, at)
            at += size
        elif wire_type == _GROUP:
            if len(groups) == _MAX_DEPTH:
                raise malformed(DEEP_GROUP, start)
            groups.append(field)
        elif wire_type == _END_GROUP:
            if not groups or groups.pop() != field:
                raise malformed(STRAY_END, start)
        else:
            raise malformed(BAD_TYPE, start)
        if not groups:
            return at
        if at == end:
            raise malformed(OPEN_GROUP, at)
        start = at
        tag, at = _varint(body, at, end)
        field, wire_type = tag >> 3, tag & 7
        if not 0 < field <= _MAX_GROUP_FIELD:
            raise malformed(BAD_FIELD, start)
