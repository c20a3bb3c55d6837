# cython: language_level=3
from libc.stdint cimport uint8_t

cdef int sha256(const uint8_t* data, size_t size, uint8_t* out) except -1
