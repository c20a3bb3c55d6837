# cython: language_level=3
"""What is sent to one peer at a time, from the answers taken to the message."""

from bitswap._core.lanes_c cimport Lanes
from bitswap._core.objects_c cimport Outgoing
from bitswap._core.records cimport Flight
from bitswap._core.wire_c cimport Message

cdef enum:
    MESSAGE_OVERHEAD = 64   # bytes of a frame besides blocks and presences, at most


cdef class Envelope:
    cdef Lanes core
    cdef Flight flight
    cdef readonly str peer
    cdef readonly list cids
    cdef readonly Py_ssize_t block_count
    cdef readonly Py_ssize_t block_bytes
    cdef Py_ssize_t asked   # blocks to read
    cdef bint filled

    cdef int name_blocks(self) except -1
    cdef Outgoing look_at(self, object blocks)
    cdef int compose(self, Message message, Outgoing out, bint denials) except -1
    cdef Outgoing leave_out(self, Outgoing out)
    cdef void seal(self) noexcept
