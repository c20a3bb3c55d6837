# cython: language_level=3
"""XXH64, by which ties between peers are broken; the pure core takes it from `xxhash`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from *:
    """
    #define BITSWAP_XXH_1 0x9E3779B185EBCA87ULL
    #define BITSWAP_XXH_2 0xC2B2AE3D27D4EB4FULL
    #define BITSWAP_XXH_3 0x165667B19E3779F9ULL
    #define BITSWAP_XXH_4 0x85EBCA77C2B2AE63ULL
    #define BITSWAP_XXH_5 0x27D4EB2F165667C5ULL
    """
    const uint64_t FIRST "BITSWAP_XXH_1"
    const uint64_t SECOND "BITSWAP_XXH_2"
    const uint64_t THIRD "BITSWAP_XXH_3"
    const uint64_t FOURTH "BITSWAP_XXH_4"
    const uint64_t FIFTH "BITSWAP_XXH_5"


cdef inline uint64_t turned(uint64_t value, int bits) noexcept nogil:
    return value << bits | value >> (64 - bits)


cdef inline uint32_t read_32(const uint8_t* p) noexcept nogil:
    """Little-endian on every machine."""
    return p[0] | <uint32_t>p[1] << 8 | <uint32_t>p[2] << 16 | <uint32_t>p[3] << 24


cdef inline uint64_t read_64(const uint8_t* p) noexcept nogil:
    return read_32(p) | <uint64_t>read_32(p + 4) << 32


cdef inline uint64_t lane(uint64_t value, uint64_t input) noexcept nogil:
    return turned(value + input * SECOND, 31) * FIRST


cdef inline uint64_t stripes(const uint8_t** place, const uint8_t* end, uint64_t seed) noexcept nogil:
    """Take in all whole stripes of 32 bytes, of which there is one at least."""
    cdef uint64_t lanes[4]
    cdef uint64_t all
    cdef const uint8_t* p = place[0]
    cdef int i
    lanes[0] = seed + FIRST + SECOND
    lanes[1] = seed + SECOND
    lanes[2] = seed
    lanes[3] = seed - FIRST
    while end - p >= 32:
        for i in range(4):
            lanes[i] = lane(lanes[i], read_64(p + 8 * i))
        p += 32
    place[0] = p
    all = turned(lanes[0], 1) + turned(lanes[1], 7) + turned(lanes[2], 12) + turned(lanes[3], 18)
    for i in range(4):
        all = (all ^ lane(0, lanes[i])) * FIRST + FOURTH
    return all


cdef inline uint64_t xxh64(const uint8_t* p, size_t length, uint64_t seed) noexcept nogil:
    cdef const uint8_t* end = p + length
    cdef uint64_t value = seed + FIFTH
    if length >= 32:
        value = stripes(&p, end, seed)
    value += length
    while end - p >= 8:
        value = turned(value ^ lane(0, read_64(p)), 27) * FIRST + FOURTH
        p += 8
    if end - p >= 4:
        value = turned(value ^ read_32(p) * FIRST, 23) * SECOND + THIRD
        p += 4
    while p < end:
        value = turned(value ^ p[0] * FIFTH, 11) * FIRST
        p += 1
    value = (value ^ value >> 33) * SECOND
    value = (value ^ value >> 29) * THIRD
    return value ^ value >> 32
