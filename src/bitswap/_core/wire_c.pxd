# cython: language_level=3
"""The compiled message as other compiled modules see it.

A decision engine reads `wants` in one call: `rows[0 .. count)`, skipping those with DROPPED in `flags` (`compact` removes
them). Duplicates are merged already. A row's CID stays where it is until the message is changed or freed, so hold the
message while the pointer is in use. `Row.hash` is `hash_cid` under `secret`, the same for all messages of the process; a
table of CIDs elsewhere may use it as it is. `put_want`, `put_presence` and `append_presence` copy the CID they are given.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t

from bitswap._core.ahead_c cimport Arrival
from bitswap._core.cidtable cimport Chunk, Secret, Table
from bitswap._core.objects_c cimport Outgoing

cdef Secret secret


cdef class Message:
    cdef Table wants
    cdef Table told             # presences; `kind` is the presence type
    cdef Chunk* arena           # CIDs that are not in `body`
    cdef bytes body             # what the message was read from, while rows point into it
    cdef dict block_map         # CID -> Block; None while there is none, or while all are packed
    cdef Outgoing packed        # the blocks ready to be written, and nowhere else as long as `block_map` is None
    cdef bint is_full
    cdef int32_t pending
    cdef Py_ssize_t read_size   # bytes of the body it was read from, -1 if made here

    cdef int put_want(
        self, const uint8_t* cid, size_t length, int32_t priority, int32_t want_type, uint32_t flags
    ) except -1
    cdef int put_presence(self, const uint8_t* cid, size_t length, int32_t presence_type) except -1
    cdef int expect_presences(self, uint32_t count) except -1
    cdef int append_presence(self, const uint8_t* cid, uint32_t length, int32_t presence_type) except -1
    cdef dict unpacked(self)
    cdef list block_list(self)
    cdef bint has_blocks(self) noexcept
    cdef void forget(self) noexcept
    cdef bint recycle(self) noexcept
    cdef int read(self, object body) except -1
    cdef int take_blocks(self, const uint8_t* p, const uint8_t* end, bint payload, Arrival arrival) except -1
    cdef int drop_told_blocks(self) except -1
    cdef int let_go_of_body(self) except -1
    cdef bytes encode(self, object version, bint framed)
    cdef Outgoing outgoing(self, object version)
