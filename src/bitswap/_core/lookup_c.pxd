# cython: language_level=3
"""A message about to be taken in by a core."""

from libc.stdint cimport uint32_t, uint64_t

from bitswap._core.records cimport Queues
from bitswap._core.rows cimport Note, Wantlist
from bitswap._core.wire_c cimport Message


cdef class Lookup:
    cdef Message message
    cdef Wantlist list
    cdef Note few[4]
    cdef uint32_t room      # notes that there is memory for
    cdef uint32_t asked     # sizes that are to be given
    cdef uint32_t ignored
    cdef uint32_t largest   # bytes of a block that is wanted
    cdef uint64_t forgotten # of the blocks that the core had known when this was read
    cdef object found       # the CIDs that they are of, once somebody wants to know

    cdef bint recycle(self) noexcept
    cdef int read(self, const Queues* q, Message message, size_t longest) except -1
    cdef int make_room(self, uint32_t count) except -1
    cdef void recall(self, const Queues* q) noexcept
    cdef int take_sizes(self, object sizes) except -1
    cdef int ask_filter(self, object peer, object allowed) except -1
    cdef Wantlist* ready(self) except NULL
    cdef void check_ids(self, const Queues* q) noexcept


cdef Message own_message(object message)
cdef uint32_t block_bytes(object size) except? 0xFFFFFFFFU
cdef dict plain_sizes(object sizes)
