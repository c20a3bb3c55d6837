# cython: language_level=3
from libc.stdint cimport uint8_t

cdef int sha256(const uint8_t* data, size_t size, uint8_t* out) except -1

# A hash in pieces, on any thread. None of these touches Python; 0 or NULL means that it cannot be done.
cdef bint in_pieces() noexcept nogil
cdef void* sha256_begin() noexcept nogil
cdef bint sha256_more(void* state, const uint8_t* data, size_t size) noexcept nogil
cdef bint sha256_end(void* state, uint8_t* out) noexcept nogil
cdef void sha256_drop(void* state) noexcept nogil
