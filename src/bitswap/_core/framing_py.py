"""Frames of a Bitswap stream, in Python: varint length, then the protobuf body. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bitswap._core.interface import (
    FRAME_LENGTH_CUT,
    FRAME_LENGTH_LONG,
    FRAME_LENGTH_PADDED,
    frame_cut,
    frame_too_large,
)
from bitswap.errors import WireError
from bitswap.options import MAX_FRAME

if TYPE_CHECKING:
    from bitswap._core.ahead_c import HashAhead

_MAX_LENGTH_BYTES = 9  # of a 63-bit varint


class FrameReader:
    """Splits a stream into bodies; see `FrameReaderType`."""

    __slots__ = ("_chunks", "_error", "_have", "_length", "_limit", "_read", "_value")

    def __init__(self, limit: int = MAX_FRAME, ahead: HashAhead | None = None) -> None:
        self._limit = limit
        self._error: WireError | None = None
        self._value = 0
        self._read = 0  # bytes of the length so far
        self._length = -1  # of the body, once its length is complete
        self._chunks: list[bytes] = []
        self._have = 0

    @property
    def buffered(self) -> int:
        return self._read + self._have

    @property
    def error(self) -> WireError | None:
        return self._error

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        if self._error is not None:
            raise WireError(str(self._error))
        view = memoryview(data).cast("B")
        bodies: list[bytes] = []
        at, end = 0, len(view)
        try:
            while True:
                if self._length < 0:
                    at = self._take_length(view, at)
                    if self._length < 0:
                        return bodies
                wanted = self._length - self._have
                chunk = bytes(view[at : at + wanted])
                at += len(chunk)
                if len(chunk) < wanted:
                    if chunk:
                        self._chunks.append(chunk)
                        self._have += len(chunk)
                    return bodies
                bodies.append(self._finish(chunk))
                if at == end:
                    return bodies
        except WireError as error:
            self._error = error
            if not bodies:
                raise
            return bodies

    def eof(self) -> None:
        if self._error is not None:
            raise WireError(str(self._error))
        if self._length >= 0:
            raise frame_cut(self._have, self._length)
        if self._read:
            raise WireError(FRAME_LENGTH_CUT)

    def _take_length(self, view: memoryview, at: int) -> int:
        """Read the length as far as `view` goes; leaves `_length` at -1 while it is not complete."""
        while at < len(view):
            byte = view[at]
            at += 1
            self._read += 1
            if byte & 0x80:
                if self._read == _MAX_LENGTH_BYTES:
                    raise WireError(FRAME_LENGTH_LONG)
                self._value |= (byte & 0x7F) << 7 * (self._read - 1)
                continue
            if byte == 0 and self._read > 1:
                raise WireError(FRAME_LENGTH_PADDED)
            length = self._value | byte << 7 * (self._read - 1)
            if length > self._limit:
                raise frame_too_large(length, self._limit)
            self._length = length
            break
        return at

    def _finish(self, last: bytes) -> bytes:
        if self._chunks:
            self._chunks.append(last)
            last = b"".join(self._chunks)
            self._chunks = []
        self._value = self._read = self._have = 0
        self._length = -1
        return last
