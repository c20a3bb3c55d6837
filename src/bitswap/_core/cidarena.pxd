# cython: language_level=3
"""Records of CIDs in chunks, addressed by 30-bit unit numbers that stay the same as long as the record lives.

A unit has four bytes; a record never reaches from one chunk into the next. What is freed goes on a list for its size, and a
chunk without records goes back. Of the keys that nearly all CIDs have only the digest is kept, the `kind` of the record says
what comes before it. A key above LONG_KEY bytes is kept outside of the chunks.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from bitswap._core.memory cimport grab, regrab, release

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #define BITSWAP_NIL 0x3FFFFFFFu
    #define BITSWAP_UNIT_BITS 12
    #define BITSWAP_CHUNK_UNITS 4096u
    #define BITSWAP_MAX_CHUNKS 0x40000u
    #define BITSWAP_LONG_KEY 251u
    #define BITSWAP_SIZES 67
    #if defined(__GNUC__)
    #define BITSWAP_SHARED __attribute__((may_alias))
    #else
    #define BITSWAP_SHARED
    #endif
    /* What the kind says follows: a key, a digest of 32 bytes, or a pointer to a key. */
    typedef struct BITSWAP_SHARED {
        uint32_t head : 30, indexed : 1, known : 1;
        uint32_t size : 23, sized : 1, kind : 8;
    } bitswap_cid;
    /* Above BITSWAP_LONG_KEY: SHA-256 of a raw block, of a DAG-PB node, of one under a CIDv0; then long keys. */
    enum { BITSWAP_LONG_KIND = 255 };
    static const uint8_t bitswap_starts[3][4] = {{1, 0x55, 0x12, 0x20}, {1, 0x70, 0x12, 0x20}, {0x12, 0x20, 0, 0}};
    static inline const uint8_t *bitswap_start(uint32_t kind) { return bitswap_starts[kind - BITSWAP_LONG_KEY - 1]; }
    static inline uint32_t bitswap_kind(const uint8_t *key, uint32_t length) {
        uint32_t kind = BITSWAP_LONG_KEY + 1;
        if (length == 36) {
            for (; kind < BITSWAP_LONG_KEY + 3; kind++)
                if (memcmp(key, bitswap_start(kind), 4) == 0) return kind;
        } else if (length == 34 && key[0] == 0x12 && key[1] == 0x20) {
            return BITSWAP_LONG_KEY + 3;
        }
        return length <= BITSWAP_LONG_KEY ? length : BITSWAP_LONG_KIND;
    }
    typedef struct BITSWAP_SHARED { uint32_t next, prev, units; } bitswap_hole;
    """
    const uint32_t NIL "BITSWAP_NIL"  # the id of no record
    const uint32_t UNIT_BITS "BITSWAP_UNIT_BITS"
    const uint32_t CHUNK_UNITS "BITSWAP_CHUNK_UNITS"
    const uint32_t MAX_CHUNKS "BITSWAP_MAX_CHUNKS"
    const uint32_t LONG_KEY "BITSWAP_LONG_KEY"  # bytes of the longest key in a chunk
    const int SIZES "BITSWAP_SIZES"  # units of the largest record, plus one
    ctypedef struct Cid "bitswap_cid":
        uint32_t head       # first want, or NIL
        uint32_t indexed    # its wants are in an index
        uint32_t known      # the block is known to be in the store
        uint32_t size       # bytes of the block, below 2^23
        uint32_t sized      # `size` is known
        uint32_t kind       # bytes of the key, or how it is kept
    const uint32_t LONG_KIND "BITSWAP_LONG_KIND"
    uint32_t kind_of "bitswap_kind"(const uint8_t* key, uint32_t length) noexcept nogil
    const uint8_t* start_of_kind "bitswap_start"(uint32_t kind) noexcept nogil  # what comes before the digest
    ctypedef struct Hole "bitswap_hole":  # where a record was
        uint32_t next
        uint32_t prev
        uint32_t units


cdef enum:
    DIGEST = 32     # bytes of a key that are kept, if not all of it is
    KEY_ROOM = 40   # of a key that is put together


cdef struct LongKey:
    LongKey* next       # while it waits for its CID
    uint32_t length
    # the key follows


cdef struct ChunkUse:
    uint32_t live       # records in use
    uint32_t used       # units given out so far, free again or not
    uint32_t next       # chunk on the same list


cdef struct Arena:
    uint8_t** chunks    # NULL for numbers that are not in use
    ChunkUse* uses
    uint32_t capacity   # of these two
    uint32_t count      # numbers that have been in use
    uint32_t held       # chunks that have memory
    uint32_t top        # chunk that new records go to, or NIL
    uint32_t fresh      # list of chunks without records
    uint32_t fresh_count
    uint32_t promised   # fresh chunks that were reserved
    uint32_t vacant     # list of numbers without chunks
    uint32_t holes[67]  # by units
    LongKey* waiting    # long keys that were reserved
    size_t long_bytes


cdef inline void init_arena(Arena* arena) noexcept nogil:
    cdef int i
    arena.chunks = NULL
    arena.uses = NULL
    arena.capacity = arena.count = arena.held = arena.fresh_count = arena.promised = 0
    arena.top = arena.fresh = arena.vacant = NIL
    for i in range(SIZES):
        arena.holes[i] = NIL
    arena.waiting = NULL
    arena.long_bytes = 0


cdef inline uint8_t* unit_at(const Arena* arena, uint32_t id) noexcept nogil:
    return arena.chunks[id >> UNIT_BITS] + <size_t>(id & (CHUNK_UNITS - 1)) * 4


cdef inline Cid* record_at(const Arena* arena, uint32_t id) noexcept nogil:
    return <Cid*>unit_at(arena, id)


cdef inline LongKey* long_key(const Cid* cid) noexcept nogil:
    cdef LongKey* key
    memcpy(&key, cid + 1, sizeof(key))  # records are aligned to four bytes only
    return key


cdef inline uint32_t start_size(uint32_t kind) noexcept nogil:
    """Bytes of a key that are not kept."""
    if kind <= LONG_KEY or kind == LONG_KIND:
        return 0
    return 4 if kind < LONG_KIND - 1 else 2


cdef inline uint32_t kept_size(uint32_t kind) noexcept nogil:
    """Bytes that follow a record."""
    if kind <= LONG_KEY:
        return kind
    return <uint32_t>sizeof(LongKey*) if kind == LONG_KIND else DIGEST


cdef inline const uint8_t* key_of(const Cid* cid, uint8_t* room) noexcept nogil:
    """The key, for which KEY_ROOM bytes at `room` may be used."""
    if cid.kind <= LONG_KEY:
        return <const uint8_t*>(cid + 1)
    if cid.kind == LONG_KIND:
        return <const uint8_t*>(long_key(cid) + 1)
    memcpy(room, start_of_kind(cid.kind), 4)
    memcpy(room + start_size(cid.kind), cid + 1, DIGEST)
    return room


cdef inline uint32_t length_of(const Cid* cid) noexcept nogil:
    if cid.kind <= LONG_KEY:
        return cid.kind
    return long_key(cid).length if cid.kind == LONG_KIND else start_size(cid.kind) + DIGEST


cdef inline uint32_t record_units(uint32_t kind) noexcept nogil:
    """Units of the record of a key; a hole needs three."""
    cdef uint32_t units = (<uint32_t>sizeof(Cid) + kept_size(kind) + 3) // 4
    return units if units > 3 else 3


# Chunks


cdef inline int number_chunks(Arena* arena) noexcept nogil:
    """Room for the numbers of one more chunk; -1 when memory is short."""
    cdef uint32_t capacity = arena.capacity * 2 if arena.capacity else 4
    cdef uint8_t** chunks
    cdef ChunkUse* uses
    if arena.count < arena.capacity:
        return 0
    if arena.count == MAX_CHUNKS:
        return -1
    chunks = <uint8_t**>regrab(arena.chunks, capacity * sizeof(uint8_t*))
    if chunks == NULL:
        return -1
    arena.chunks = chunks
    uses = <ChunkUse*>regrab(arena.uses, capacity * sizeof(ChunkUse))
    if uses == NULL:
        return -1
    arena.uses = uses
    arena.capacity = capacity
    return 0


cdef inline int add_chunk(Arena* arena) noexcept nogil:
    """One more chunk on the list of fresh ones; -1 when memory or numbers are short."""
    cdef uint32_t number = arena.vacant
    cdef uint8_t* chunk
    if number == NIL and number_chunks(arena) < 0:
        return -1
    chunk = <uint8_t*>grab(<size_t>CHUNK_UNITS * 4)
    if chunk == NULL:
        return -1
    if number == NIL:
        number = arena.count
        arena.count += 1
    else:
        arena.vacant = arena.uses[number].next
    arena.chunks[number] = chunk
    arena.held += 1
    put_fresh(arena, number)
    return 0


cdef inline void put_fresh(Arena* arena, uint32_t number) noexcept nogil:
    arena.uses[number].live = arena.uses[number].used = 0
    arena.uses[number].next = arena.fresh
    arena.fresh = number
    arena.fresh_count += 1


cdef inline uint32_t take_fresh(Arena* arena) noexcept nogil:
    cdef uint32_t number = arena.fresh
    arena.fresh = arena.uses[number].next
    arena.fresh_count -= 1
    return number


cdef inline void drop_fresh(Arena* arena) noexcept nogil:
    """Give one chunk back."""
    cdef uint32_t number = take_fresh(arena)
    release(arena.chunks[number])
    arena.chunks[number] = NULL
    arena.uses[number].next = arena.vacant
    arena.vacant = number
    arena.held -= 1


cdef inline int reserve_units(Arena* arena, size_t cids, size_t key_bytes) noexcept nogil:
    """Make that many records with that many bytes of keys a certainty; -1 when memory is short.

    Gives back what an earlier call reserved beyond it.
    """
    cdef size_t units, room
    cdef size_t chunks = 0
    if cids > NIL or key_bytes > NIL:
        return -1
    units = cids * 3 + key_bytes // 4
    room = CHUNK_UNITS - arena.uses[arena.top].used if arena.top != NIL else 0
    if units > room:
        # The end of a chunk, into which a record does not fit, is lost.
        chunks = (units + CHUNK_UNITS - SIZES - 1) // (CHUNK_UNITS - SIZES)
    while arena.fresh_count < chunks:
        if add_chunk(arena) < 0:
            return -1
    arena.promised = <uint32_t>chunks
    while arena.fresh_count > chunks + 1:
        drop_fresh(arena)
    return 0


# Records


cdef inline void unlink_hole(Arena* arena, const Hole* hole) noexcept nogil:
    if hole.prev == NIL:
        arena.holes[hole.units] = hole.next
    else:
        (<Hole*>unit_at(arena, hole.prev)).next = hole.next
    if hole.next != NIL:
        (<Hole*>unit_at(arena, hole.next)).prev = hole.prev


cdef inline uint32_t grab_record(Arena* arena, uint32_t units) noexcept nogil:
    """The id of a new record; `reserve_units` has seen to it that there is one."""
    cdef uint32_t id = arena.holes[units]
    if id != NIL:
        unlink_hole(arena, <Hole*>unit_at(arena, id))
        arena.uses[id >> UNIT_BITS].live += 1
        return id
    if arena.top == NIL or CHUNK_UNITS - arena.uses[arena.top].used < units:
        arena.top = take_fresh(arena)
    id = (arena.top << UNIT_BITS) + arena.uses[arena.top].used
    arena.uses[arena.top].used += units
    arena.uses[arena.top].live += 1
    return id


cdef inline void release_record(Arena* arena, uint32_t id, uint32_t units) noexcept nogil:
    cdef uint32_t number = id >> UNIT_BITS
    cdef ChunkUse* use = &arena.uses[number]
    cdef Hole* hole = <Hole*>unit_at(arena, id)
    hole.prev = NIL
    hole.next = arena.holes[units]
    hole.units = units
    if hole.next != NIL:
        (<Hole*>unit_at(arena, hole.next)).prev = id
    arena.holes[units] = id
    use.live -= 1
    if use.live == 0:
        clear_chunk(arena, number)


cdef inline void clear_chunk(Arena* arena, uint32_t number) noexcept nogil:
    """Take the holes of a chunk without records from their lists, and the chunk from use."""
    cdef uint32_t id = number << UNIT_BITS
    cdef uint32_t end = id + arena.uses[number].used
    cdef Hole* hole
    while id < end:
        hole = <Hole*>unit_at(arena, id)
        unlink_hole(arena, hole)
        id += hole.units
    arena.uses[number].used = 0
    if number == arena.top:
        return
    put_fresh(arena, number)
    # One is kept, so that chunks do not come and go with single records.
    if arena.fresh_count > 1 + arena.promised:
        drop_fresh(arena)


# Long keys


cdef inline int reserve_long(Arena* arena, uint32_t length) noexcept nogil:
    """Make room for one key above LONG_KEY bytes; -1 when memory is short."""
    cdef LongKey* key = NULL
    if length > LONG_KEY:
        key = <LongKey*>grab(sizeof(LongKey) + length)
        if key == NULL:
            return -1
        key.length = length
        key.next = arena.waiting
        arena.waiting = key
        arena.long_bytes += length
    return 0


cdef inline LongKey* take_long(Arena* arena, uint32_t length) noexcept nogil:
    cdef LongKey** place = &arena.waiting
    cdef LongKey* key
    while place[0].length != length:
        place = &place[0].next
    key = place[0]
    place[0] = key.next
    return key


cdef inline void drop_long(Arena* arena, LongKey* key) noexcept nogil:
    arena.long_bytes -= key.length
    release(key)


cdef inline void drop_waiting(Arena* arena) noexcept nogil:
    """Give back long keys that were reserved for nothing."""
    cdef LongKey* key
    while arena.waiting != NULL:
        key = arena.waiting
        arena.waiting = key.next
        drop_long(arena, key)


cdef inline void free_chunks(Arena* arena) noexcept nogil:
    """Free everything but the long keys of records."""
    cdef uint32_t i
    drop_waiting(arena)
    for i in range(arena.count):
        release(arena.chunks[i])
    release(arena.chunks)
    release(arena.uses)
    init_arena(arena)
