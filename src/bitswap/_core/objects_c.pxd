# cython: language_level=3
"""CIDs, entries and blocks between their C form and Python's."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int32_t, uint8_t, uint32_t

from bitswap._core.ahead_c cimport Arrival
from bitswap._core.messagewrite cimport Content, Part
from bitswap._core.protowire cimport Span


cdef inline const uint8_t* start_of(object data) noexcept:
    """The first byte of a bytes object."""
    return <const uint8_t*>PyBytes_AS_STRING(data)


cdef bint is_same_cid(object a, object b) noexcept  # False too where one of them is no CID
cdef object new_cid(const uint8_t* p, size_t length)  # of bytes that are known to be a CID
cdef object new_entry(tuple fields)
cdef int32_t to_int32(object value, str name) except? -1  # `name` is what an error calls it
cdef object cid_object(object value)  # a CID as it is, anything else made one
cdef object read_payload(const Span* prefix, const Span* data, uint32_t position, Arrival arrival)  # `arrival` or None


cdef object cid_of_block(object block)
cdef object data_of_block(object block)
cdef void expect_block(object block) noexcept  # tell the processor that its data will be read


cdef class Outgoing:
    cdef list held
    cdef Span* prefixes
    cdef Span* data
    cdef Content content

    cdef int add(self, object block) except -1
    cdef int put(self, object cid, object data, object block) except -1
    cdef int name_blocks(self, dict blocks) except -1
    cdef bint rest(self, const Part* part) noexcept
    cdef bytes write(self, const Part* part, bint framed)
