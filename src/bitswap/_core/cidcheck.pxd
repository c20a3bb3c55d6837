# cython: language_level=3
"""Whether a store of CIDs is whole: everything that `cidstore`, `cidbuckets` and `cidarena` rely on. For tests."""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free

from bitswap._core.cidarena cimport (
    CHUNK_UNITS, KEY_ROOM, LONG_KIND, NIL, SIZES, UNIT_BITS, Arena, Cid, Hole, LongKey, kind_of, length_of, record_units,
    unit_at,
)
from bitswap._core.cidbuckets cimport (
    SPILL, WIDTH, Bucket, Buckets, base_of, bucket_at, filled, id_in, next_of, part_in, place_of, spill_at,
)
from bitswap._core.cidstore cimport CidStore, cid_at, cid_hash, cid_key, cids_find
from bitswap._core.cidtable cimport hash_cid


# What is counted on the way.
cdef struct Tally:
    uint8_t* units      # of all chunks: 1 for each that a record or a hole takes
    uint32_t* live      # records in each chunk
    uint32_t* used      # units of records and holes in each chunk
    uint32_t ids
    uint32_t spilled
    size_t long_bytes


cdef inline bint cids_check(const CidStore* store) noexcept nogil:
    """False if any invariant is broken; MemoryError counts as broken too."""
    cdef size_t chunks = store.arena.count + 1
    cdef Tally tally
    cdef bint whole = False
    tally.units = <uint8_t*>calloc(chunks * CHUNK_UNITS, 1)
    tally.live = <uint32_t*>calloc(chunks, sizeof(uint32_t))
    tally.used = <uint32_t*>calloc(chunks, sizeof(uint32_t))
    tally.ids = tally.spilled = 0
    tally.long_bytes = 0
    if tally.units != NULL and tally.live != NULL and tally.used != NULL:
        whole = (
            table_is_whole(store, &tally)
            and spares_are_whole(&store.table, &tally)
            and holes_are_whole(&store.arena, &tally)
            and chunks_are_whole(&store.arena, &tally)
        )
    free(tally.units)
    free(tally.live)
    free(tally.used)
    return whole


cdef inline bint take_units(const Arena* arena, Tally* tally, uint32_t id, uint32_t units) noexcept nogil:
    """Mark the units of a record or a hole; false if they are another's, or none."""
    cdef uint32_t number = id >> UNIT_BITS
    cdef uint32_t i
    if number >= arena.count or arena.chunks[number] == NULL:
        return False
    if (id & (CHUNK_UNITS - 1)) + units > arena.uses[number].used:
        return False
    for i in range(id, id + units):
        if tally.units[i]:
            return False
        tally.units[i] = 1
    tally.used[number] += units
    return True


cdef inline bint table_is_whole(const CidStore* store, Tally* tally) noexcept nogil:
    cdef const Buckets* table = &store.table
    cdef const Bucket* bucket
    cdef uint32_t number
    if table.count != (1U << table.level) + table.divided or table.divided >= 1U << table.level:
        return False
    if table.bases[0] != base_of(table.level) or table.bases[1] != base_of(table.level + 1):
        return False
    for number in range(table.count):
        bucket = bucket_at(table, number)
        while bucket != NULL:
            if next_of(table, bucket) != NULL and filled(bucket) != WIDTH:
                return False
            if bucket != bucket_at(table, number):
                tally.spilled += 1
                if filled(bucket) == 0:
                    return False
            if not bucket_is_whole(store, tally, bucket, number):
                return False
            bucket = next_of(table, bucket)
    return tally.ids == table.ids and tally.spilled == table.spilled


cdef inline bint bucket_is_whole(
    const CidStore* store, Tally* tally, const Bucket* bucket, uint32_t number
) noexcept nogil:
    cdef uint32_t slot, id, hash
    cdef const Cid* cid
    cdef const uint8_t* key
    cdef uint8_t room[KEY_ROOM]
    for slot in range(filled(bucket)):
        id = id_in(bucket, slot)
        if id >> UNIT_BITS >= store.arena.count or store.arena.chunks[id >> UNIT_BITS] == NULL:
            return False
        cid = cid_at(store, id)
        key = cid_key(cid, room)
        if kind_of(key, length_of(cid)) != cid.kind:
            return False
        if not take_units(&store.arena, tally, id, record_units(cid.kind)):
            return False
        tally.live[id >> UNIT_BITS] += 1
        tally.ids += 1
        if cid.kind == LONG_KIND:
            tally.long_bytes += length_of(cid)
        hash = cid_hash(store, id)
        if hash != hash_cid(key, length_of(cid), &store.secret):
            return False
        if place_of(&store.table, hash).bucket != bucket_at(&store.table, number):
            return False
        if place_of(&store.table, hash).part != part_in(bucket, slot):
            return False
        if cids_find(store, key, length_of(cid), hash) != id:
            return False
    return True


cdef inline bint spares_are_whole(const Buckets* table, const Tally* tally) noexcept nogil:
    cdef uint32_t link = table.spare
    cdef size_t count = 0
    while link and count <= <size_t>table.spill_count * SPILL:
        link = spill_at(table, link).state
        count += 1
    return count + tally.spilled == <size_t>table.spill_count * SPILL


cdef inline bint holes_are_whole(const Arena* arena, Tally* tally) noexcept nogil:
    cdef uint32_t id, before
    cdef const Hole* hole
    cdef int units
    for units in range(SIZES):
        before = NIL
        id = arena.holes[units]
        while id != NIL:
            if not take_units(arena, tally, id, units):
                return False
            hole = <const Hole*>unit_at(arena, id)
            if hole.units != <uint32_t>units or hole.prev != before:
                return False
            before = id
            id = hole.next
    return True


cdef inline bint chunks_are_whole(const Arena* arena, Tally* tally) noexcept nogil:
    cdef uint32_t held = 0
    cdef uint32_t fresh = 0
    cdef uint32_t vacant = 0
    cdef uint32_t number
    cdef const LongKey* key = arena.waiting
    for number in range(arena.count):
        if arena.chunks[number] == NULL:
            continue
        held += 1
        if arena.uses[number].live != tally.live[number] or arena.uses[number].used != tally.used[number]:
            return False
        if arena.uses[number].live == 0 and arena.uses[number].used:
            return False
    number = arena.fresh
    while number != NIL and fresh <= held:
        if arena.chunks[number] == NULL or arena.uses[number].used or number == arena.top:
            return False
        fresh += 1
        number = arena.uses[number].next
    number = arena.vacant
    while number != NIL and vacant <= arena.count:
        if arena.chunks[number] != NULL:
            return False
        vacant += 1
        number = arena.uses[number].next
    while key != NULL:
        tally.long_bytes += key.length
        key = key.next
    if held != arena.held or fresh != arena.fresh_count or vacant + held != arena.count:
        return False
    return tally.long_bytes == arena.long_bytes
