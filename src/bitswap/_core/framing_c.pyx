# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Frames of a Bitswap stream, compiled: varint length, then the protobuf body. No I/O."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from bitswap._core.ahead_c cimport Arrival, HashAhead

import sys

from bitswap._core.ahead_c import AVAILABLE, LEAST
from bitswap._core.interface import (
    FRAME_LENGTH_CUT,
    FRAME_LENGTH_LONG,
    FRAME_LENGTH_PADDED,
    frame_cut,
    frame_too_large,
)
from bitswap.errors import WireError
from bitswap.options import MAX_FRAME

__all__ = ["FrameReader"]

cdef enum:
    MAX_LENGTH_BYTES = 9  # of a 63-bit varint

cdef Py_ssize_t least = LEAST


cdef class FrameReader:
    """Splits a stream into bodies; see `FrameReaderType`."""

    cdef uint64_t limit
    cdef uint64_t value
    cdef int read               # bytes of the length so far
    cdef Py_ssize_t length      # of the body, -1 until its length is complete
    cdef Py_ssize_t have
    cdef bytes body             # being filled; nobody else sees it
    cdef HashAhead ahead
    cdef Arrival arrival        # the body again, where its blocks are worked on ahead
    cdef object failure

    def __cinit__(self, limit=MAX_FRAME, HashAhead ahead=None):
        self.limit = min(max(limit, 0), sys.maxsize - 64)
        self.length = -1
        self.ahead = ahead if AVAILABLE else None

    @property
    def buffered(self):
        return self.read + self.have

    @property
    def error(self):
        return self.failure

    def feed(self, data):
        cdef Py_buffer view
        cdef list bodies = []
        if self.failure is not None:
            raise WireError(str(self.failure))
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            if view.len:
                self.take(<const uint8_t*>view.buf, view.len, bodies)
        except WireError as error:
            self.failure = error
            if not bodies:
                raise
        finally:
            PyBuffer_Release(&view)
        return bodies

    def eof(self):
        if self.failure is not None:
            raise WireError(str(self.failure))
        if self.length >= 0:
            raise frame_cut(self.have, self.length)
        if self.read:
            raise WireError(FRAME_LENGTH_CUT)

    cdef int take(self, const uint8_t* p, Py_ssize_t size, list bodies) except -1:
        cdef const uint8_t* end = p + size
        cdef Py_ssize_t chunk
        cdef object body
        while True:
            if self.length < 0:
                p = self.take_length(p, end)
                if self.length < 0:
                    return 0
            if self.body is None:
                self.body = PyBytes_FromStringAndSize(NULL, self.length)
                if self.ahead is not None and self.length >= least:
                    self.arrival = Arrival(self.body, self.ahead)
            chunk = min(self.length - self.have, end - p)
            if self.arrival is None:
                memcpy(PyBytes_AS_STRING(self.body) + self.have, p, chunk)
            else:
                self.arrival.take(p, chunk)
            self.have += chunk
            p += chunk
            if self.have < self.length:
                return 0
            body = self.body if self.arrival is None else self.arrival
            self.body = self.arrival = None
            self.have = self.read = 0
            self.value = 0
            self.length = -1
            bodies.append(body)
            if p == end:
                return 0

    cdef const uint8_t* take_length(self, const uint8_t* p, const uint8_t* end) except NULL:
        """Read the length as far as the data goes; leaves `length` at -1 while it is not complete."""
        cdef uint64_t byte
        while p < end:
            byte = p[0]
            p += 1
            self.read += 1
            self.value |= (byte & 0x7F) << 7 * (self.read - 1)
            if byte & 0x80:
                if self.read == MAX_LENGTH_BYTES:
                    raise WireError(FRAME_LENGTH_LONG)
            elif byte == 0 and self.read > 1:
                raise WireError(FRAME_LENGTH_PADDED)
            elif self.value > self.limit:
                raise frame_too_large(self.value, self.limit)
            else:
                self.length = self.value
                break
        return p
