# cython: language_level=3
"""Records of one size, found by number. A record stays where it is until it is freed.

They lie in segments that are added one at a time, so that growing never moves anything. A free record is linked to the
next one by its first four bytes.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from bitswap._core.cidarena cimport NIL
from bitswap._core.memory cimport grab, regrab, release, usable


cdef struct Slab:
    uint8_t** segments
    uint32_t room       # of that array
    uint32_t count      # segments
    uint32_t bits       # a segment holds 1 << bits records
    uint32_t size       # bytes of a record
    uint32_t fresh      # records from this number on were never used
    uint32_t free       # the first free one, or NIL
    uint32_t used


cdef inline void init_slab(Slab* slab, uint32_t size, uint32_t bits) noexcept nogil:
    slab.segments = NULL
    slab.room = slab.count = slab.fresh = slab.used = 0
    slab.free = NIL
    slab.size = size
    slab.bits = bits


cdef inline uint8_t* record_of(const Slab* slab, uint32_t number) noexcept nogil:
    return slab.segments[number >> slab.bits] + <size_t>(number & ((1U << slab.bits) - 1)) * slab.size


cdef inline int add_segment(Slab* slab) noexcept nogil:
    cdef uint8_t** segments
    cdef uint32_t room
    if slab.count == slab.room:
        room = slab.room * 2 if slab.room else 4
        segments = <uint8_t**>regrab(slab.segments, room * sizeof(uint8_t*))
        if segments == NULL:
            return -1
        slab.segments = segments
        slab.room = room
    slab.segments[slab.count] = <uint8_t*>grab(<size_t>slab.size << slab.bits)
    if slab.segments[slab.count] == NULL:
        return -1
    slab.count += 1
    return 0


cdef inline int reserve_records(Slab* slab, size_t records) noexcept nogil:
    """Make that many `take_record` a certainty until the slab is trimmed; -1 when memory or numbers are short."""
    if slab.used + records >= NIL:
        return -1
    while slab.used + records > <size_t>slab.count << slab.bits:
        if add_segment(slab) < 0:
            return -1
    return 0


cdef inline uint32_t take_record(Slab* slab) noexcept nogil:
    """The number of a record, which is not zeroed."""
    cdef uint32_t number = slab.free
    slab.used += 1
    if number == NIL:
        slab.fresh += 1
        return slab.fresh - 1
    memcpy(&slab.free, record_of(slab, number), sizeof(uint32_t))
    return number


cdef inline void free_record(Slab* slab, uint32_t number) noexcept nogil:
    memcpy(record_of(slab, number), &slab.free, sizeof(uint32_t))
    slab.free = number
    slab.used -= 1


cdef inline void trim_slab(Slab* slab) noexcept nogil:
    """Give back what was reserved and not needed, and all once there are no records.

    One segment more is kept, so that memory does not come and go with single records.
    """
    if slab.used == 0 and slab.fresh:
        slab.free = NIL
        slab.fresh = 0
    while slab.count > (slab.fresh >> slab.bits) + 1:
        slab.count -= 1
        release(slab.segments[slab.count])


cdef inline void clear_slab(Slab* slab) noexcept nogil:
    cdef uint32_t i
    for i in range(slab.count):
        release(slab.segments[i])
    release(slab.segments)
    init_slab(slab, slab.size, slab.bits)


cdef inline size_t slab_bytes(const Slab* slab) noexcept nogil:
    cdef size_t total = usable(slab.segments) if slab.segments != NULL else 0
    cdef uint32_t i
    for i in range(slab.count):
        total += usable(slab.segments[i])
    return total
