# cython: language_level=3
"""Peers by name over the records of `lanes`; what a decision core and a queue of its own have in common."""

from libc.stdint cimport uint32_t, uint64_t

from bitswap._core.records cimport Queues


cdef class Lanes:
    cdef Queues q
    cdef uint64_t seed

    cdef uint32_t find(self, object peer) except? 0xFFFFFFFFU
    cdef uint32_t admit(self, object peer) except? 0xFFFFFFFFU
    cdef void expect(self, object peer, int step) noexcept
    cdef str name_of(self, uint32_t number)
    cdef int leave(self, object peer) except -1
    cdef void part(self, uint32_t number) noexcept
    cdef list wanted_keys(self, uint32_t number)
