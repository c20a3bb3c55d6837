# cython: language_level=3
"""Wants and presences of one message as C records, found by CID.

Rows keep the order in which they were added. A dropped row stays in place, marked, until the table grows or is compacted.
CIDs are not owned by the rows: they point into a message's body or its arena.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

cdef extern from *:
    """
    #include <string.h>
    #if defined(_MSC_VER) && defined(_M_X64)
    #include <intrin.h>
    static __inline uint64_t bitswap_fold(uint64_t a, uint64_t b) {
        uint64_t high, low = _umul128(a, b, &high);
        return low ^ high;
    }
    #elif defined(__SIZEOF_INT128__)
    static inline uint64_t bitswap_fold(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    #else
    static uint64_t bitswap_fold(uint64_t a, uint64_t b) {
        uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
        uint64_t ll = al * bl, lh = al * bh, hl = ah * bl, hh = ah * bh;
        uint64_t middle = (ll >> 32) + (uint32_t)lh + (uint32_t)hl;
        uint64_t high = hh + (lh >> 32) + (hl >> 32) + (middle >> 32);
        return ((middle << 32) | (uint32_t)ll) ^ high;
    }
    #endif
    static uint64_t bitswap_load(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
    /* The first bytes of a key, up to eight, as a number. */
    static inline uint64_t bitswap_head(const void *p, size_t size) {
        uint64_t v = 0;
        uint32_t four;
        uint16_t two;
        if (size == 4) { memcpy(&four, p, 4); return four; }
        if (size == 2) { memcpy(&two, p, 2); return two; }
        memcpy(&v, p, size);
        return v;
    }
    enum { BITSWAP_CANCEL = 1, BITSWAP_SEND_DONT_HAVE = 2, BITSWAP_DROPPED = 4 };
    enum { BITSWAP_SMALL_TABLE = 8, BITSWAP_KEPT_ROWS = 64, BITSWAP_MAX_ROWS = 1 << 28, BITSWAP_CHUNK = 4096 };
    """
    uint64_t fold "bitswap_fold"(uint64_t a, uint64_t b) noexcept nogil
    uint64_t load "bitswap_load"(const void* p) noexcept nogil
    uint64_t head_of "bitswap_head"(const void* p, size_t size) noexcept nogil
    int CANCEL "BITSWAP_CANCEL"
    int SEND_DONT_HAVE "BITSWAP_SEND_DONT_HAVE"
    int DROPPED "BITSWAP_DROPPED"
    const uint32_t SMALL_TABLE "BITSWAP_SMALL_TABLE"
    const uint32_t KEPT_ROWS "BITSWAP_KEPT_ROWS"
    const uint32_t MAX_ROWS "BITSWAP_MAX_ROWS"
    const size_t CHUNK "BITSWAP_CHUNK"


cdef struct Row:
    const uint8_t* cid
    uint32_t length
    uint32_t hash       # hash_cid of the CID under the process's secret
    int32_t priority    # of a want; 0 in presences
    int32_t kind        # want type or presence type
    uint32_t flags      # CANCEL, SEND_DONT_HAVE, DROPPED


cdef struct Table:
    Row* rows
    uint32_t* slots     # row number + 1, open addressing; NULL while there are at most SMALL_TABLE rows
    uint32_t mask       # number of slots - 1
    uint32_t count      # rows, dropped ones included
    uint32_t live
    uint32_t capacity


cdef struct Secret:
    uint64_t first
    uint64_t second


cdef inline uint32_t hash_parts(
    const uint8_t* head, size_t size, const uint8_t* digest, const Secret* secret
) noexcept nogil:
    """The hash of a CID whose digest, of 32 bytes, and the bytes before it, eight at most, may lie apart."""
    cdef uint64_t h = fold(head_of(head, size) ^ secret.second, secret.first ^ (size + 32))
    h = fold(load(digest) ^ secret.second, load(digest + 8) ^ h)
    h = fold(load(digest + 16) ^ secret.second, load(digest + 24) ^ h)
    return <uint32_t>(h ^ (h >> 32))


cdef inline uint32_t hash_cid(const uint8_t* p, size_t length, const Secret* secret) noexcept nogil:
    """Keyed, because CIDs come from peers, who must not be able to aim for one slot."""
    cdef const uint8_t* end = p + length
    cdef uint64_t h = secret.first ^ length
    cdef uint64_t tail[2]
    if 32 < length <= 40:
        return hash_parts(p, length - 32, end - 32, secret)
    if length < 16:
        memset(tail, 0, 16)
        memcpy(tail, p, length)
        h = fold(tail[0] ^ secret.second, tail[1] ^ h)
    else:
        while end - p > 16:
            h = fold(load(p) ^ secret.second, load(p + 8) ^ h)
            p += 16
        # The last 16 bytes, of which some may have been read before: faster than to copy what is left.
        h = fold(load(end - 16) ^ secret.second, load(end - 8) ^ h)
    return <uint32_t>(h ^ (h >> 32))


cdef inline bint same_cid(const uint8_t* a, const uint8_t* b, size_t length) noexcept nogil:
    """Whether two CIDs of the same length are equal; faster than memcmp for as few bytes as they have."""
    cdef const uint8_t* end = a + length
    if length < 8:
        return memcmp(a, b, length) == 0
    while end - a > 8:
        if load(a) != load(b):
            return False
        a += 8
        b += 8
    return load(end - 8) == load(b - (8 - (end - a)))


cdef inline Row* find_row(const Table* table, const uint8_t* cid, size_t length, uint32_t hash) noexcept nogil:
    cdef Row* row
    cdef uint32_t i, slot
    if table.slots == NULL:
        for i in range(table.count):
            row = &table.rows[i]
            if row.hash == hash and row.length == length and not row.flags & DROPPED:
                if same_cid(row.cid, cid, length):
                    return row
        return NULL
    i = hash & table.mask
    while True:
        slot = table.slots[i]
        if slot == 0:
            return NULL
        row = &table.rows[slot - 1]
        if row.hash == hash and row.length == length and not row.flags & DROPPED:
            if same_cid(row.cid, cid, length):
                return row
        i = (i + 1) & table.mask


cdef inline void index_row(Table* table, uint32_t number) noexcept nogil:
    cdef uint32_t i = table.rows[number].hash & table.mask
    while table.slots[i]:
        i = (i + 1) & table.mask
    table.slots[i] = number + 1


cdef inline void compact(Table* table) noexcept nogil:
    """Close the gaps that dropped rows left."""
    cdef uint32_t i
    cdef uint32_t n = 0
    if table.live == table.count:
        return
    for i in range(table.count):
        if not table.rows[i].flags & DROPPED:
            table.rows[n] = table.rows[i]
            n += 1
    table.count = n
    if table.slots != NULL:
        memset(table.slots, 0, (<size_t>table.mask + 1) * sizeof(uint32_t))
        for i in range(n):
            index_row(table, i)


cdef inline int reserve(Table* table, uint32_t capacity) noexcept nogil:
    """Room for `capacity` rows, a power of two; -1 (and nothing changed) when memory is short."""
    cdef Row* rows
    cdef uint32_t* slots = NULL
    cdef uint32_t i
    if capacity <= table.capacity:
        return 0
    if capacity > MAX_ROWS:
        return -1
    if capacity > SMALL_TABLE:
        slots = <uint32_t*>calloc(<size_t>capacity * 2, sizeof(uint32_t))
        if slots == NULL:
            return -1
    rows = <Row*>realloc(table.rows, capacity * sizeof(Row))
    if rows == NULL:
        free(slots)
        return -1
    table.rows = rows
    table.capacity = capacity
    if slots != NULL:
        free(table.slots)
        table.slots = slots
        table.mask = capacity * 2 - 1
        for i in range(table.count):
            index_row(table, i)
    return 0


cdef inline Row* add_row(Table* table, const uint8_t* cid, uint32_t length, uint32_t hash) noexcept nogil:
    """A row for a CID that has none; NULL when memory is short. `cid` must outlive the table."""
    cdef Row* row
    if table.count == table.capacity:
        compact(table)
        # Growing while a quarter is free already would make compacting in turns with dropping cost too much.
        if table.count > table.capacity - table.capacity // 4 or table.capacity == 0:
            if reserve(table, table.capacity * 2 if table.capacity else SMALL_TABLE) < 0:
                return NULL
    row = &table.rows[table.count]
    row.cid = cid
    row.length = length
    row.hash = hash
    row.priority = 0
    row.kind = 0
    row.flags = 0
    if table.slots != NULL:
        index_row(table, table.count)
    table.count += 1
    table.live += 1
    return row


cdef inline void drop_row(Table* table, Row* row) noexcept nogil:
    row.flags |= DROPPED
    table.live -= 1


cdef inline void clear_table(Table* table) noexcept nogil:
    free(table.rows)
    free(table.slots)
    memset(table, 0, sizeof(Table))


cdef inline bint empty_table(Table* table) noexcept nogil:
    """Drop all rows, and keep the memory for others unless it is much; false if it is."""
    if table.capacity > KEPT_ROWS:
        return False
    table.count = table.live = 0
    if table.slots != NULL:
        memset(table.slots, 0, (<size_t>table.mask + 1) * sizeof(uint32_t))
    return True


cdef struct Chunk:
    Chunk* next
    size_t used
    size_t size
    # the bytes follow


cdef inline uint8_t* keep(Chunk** arena, const uint8_t* data, size_t length) noexcept nogil:
    """Copy bytes to where they stay until `free_arena`; NULL when memory is short."""
    cdef Chunk* chunk = arena[0]
    cdef size_t size
    cdef uint8_t* place
    if chunk == NULL or chunk.size - chunk.used < length:
        size = CHUNK if chunk == NULL else 2 * chunk.size
        if size < length:
            size = length
        if size > <size_t>-1 - sizeof(Chunk):
            return NULL
        chunk = <Chunk*>malloc(sizeof(Chunk) + size)
        if chunk == NULL:
            return NULL
        chunk.next = arena[0]
        chunk.used = 0
        chunk.size = size
        arena[0] = chunk
    place = <uint8_t*>chunk + sizeof(Chunk) + chunk.used
    memcpy(place, data, length)
    chunk.used += length
    return place


cdef inline void free_arena(Chunk** arena) noexcept nogil:
    cdef Chunk* chunk
    while arena[0] != NULL:
        chunk = arena[0]
        arena[0] = chunk.next
        free(chunk)


cdef inline int keep_cids(Table* table, Chunk** arena) noexcept nogil:
    """Copy the CIDs of all rows to the arena; -1 when memory is short."""
    cdef uint32_t i
    cdef const uint8_t* copy
    for i in range(table.count):
        copy = keep(arena, table.rows[i].cid, table.rows[i].length)
        if copy == NULL:
            return -1
        table.rows[i].cid = copy
    return 0
