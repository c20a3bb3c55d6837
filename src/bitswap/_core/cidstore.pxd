# cython: language_level=3
"""Interned CIDs: each is kept once and known by a 30-bit id, which it keeps until it is dropped.

`cids_reserve` is what may fail, before anything is changed; what was reserved can then be interned without fail. No call
takes long, however many CIDs there are: the table of ids grows by one bucket at a time. Hashes are those of `hash_cid` under
the process's secret, `Row.hash` of a message among them.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

from bitswap._core.cidarena cimport (
    CHUNK_UNITS, LONG_KIND, NIL, Arena, ChunkUse, Cid, LongKey, drop_long, drop_waiting, free_chunks, grab_record,
    init_arena, kept_size, key_of, kind_of, length_of, long_key, record_at, record_units, release_record, reserve_long,
    reserve_units, start_of_kind, start_size, take_long,
)
from bitswap._core.cidbuckets cimport (
    Bucket, Buckets, Place, append, bucket_at, buckets_memory, divide, drop_spills, extend, filled, free_buckets, id_in,
    init_buckets, is_crowded, is_part, is_sparse, lowest, match, merge_last, next_of, place_of, remove, reserve_ids,
    take_spilled,
)
from bitswap._core.cidtable cimport Secret, hash_cid, hash_parts, same_cid
from bitswap._core.memory cimport prefetch, release


cdef struct CidStore:
    Arena arena
    Buckets table
    Secret secret


cdef inline int cids_init(CidStore* store, const Secret* secret) noexcept nogil:
    """-1 when memory is short; then `cids_free` is not needed, and harmless."""
    memset(store, 0, sizeof(CidStore))
    init_arena(&store.arena)
    store.secret = secret[0]
    return init_buckets(&store.table)


cdef inline void cids_free(CidStore* store) noexcept nogil:
    """Free everything, CIDs in use as well; also after memset to 0 instead of `cids_init`."""
    cdef uint32_t i, j
    cdef Bucket* bucket
    for i in range(store.table.count):
        bucket = bucket_at(&store.table, i)
        while bucket != NULL:
            for j in range(filled(bucket)):
                drop_key(store, id_in(bucket, j))
            bucket = next_of(&store.table, bucket)
    free_buckets(&store.table)
    free_chunks(&store.arena)


cdef inline Cid* cid_at(const CidStore* store, uint32_t id) noexcept nogil:
    """The record of a CID; it moves never, and other fields than `kind` are the caller's."""
    return record_at(&store.arena, id)


cdef inline const uint8_t* cid_key(const Cid* cid, uint8_t* room) noexcept nogil:
    """The key, for which KEY_ROOM bytes at `room` may be used."""
    return key_of(cid, room)


cdef inline uint32_t cid_length(const Cid* cid) noexcept nogil:
    """Bytes of the key."""
    return length_of(cid)


cdef inline uint32_t cids_count(const CidStore* store) noexcept nogil:
    return store.table.ids


cdef inline uint32_t cid_hash(const CidStore* store, uint32_t id) noexcept nogil:
    cdef const Cid* cid = cid_at(store, id)
    cdef uint32_t left_out = start_size(cid.kind)
    if left_out:
        return hash_parts(start_of_kind(cid.kind), left_out, <const uint8_t*>(cid + 1), &store.secret)
    return hash_cid(key_of(cid, NULL), length_of(cid), &store.secret)


cdef inline int cids_reserve(CidStore* store, uint32_t cids, size_t key_bytes) noexcept nogil:
    """Let that many CIDs, with that many bytes of keys in all, be interned without fail; -1 when memory is short.

    For each key above LONG_KEY bytes `cids_reserve_long` is called after this as well. A later call begins anew: what is
    reserved is not added up. Nothing that can be seen changes when it fails.
    """
    drop_waiting(&store.arena)
    if cids > NIL - store.table.ids or reserve_units(&store.arena, cids, key_bytes) < 0:
        return -1
    return reserve_ids(&store.table, cids)


cdef inline int cids_reserve_long(CidStore* store, uint32_t length) noexcept nogil:
    """Let one long key of `length` bytes be interned without fail; nothing to do for others. -1 when memory is short."""
    return reserve_long(&store.arena, length)


cdef inline void cids_prefetch(const CidStore* store, uint32_t hash) noexcept nogil:
    """Tell the processor that a CID with this hash is about to be looked for."""
    prefetch(place_of(&store.table, hash).bucket)


cdef inline bint is_key(const Cid* cid, uint32_t kind, const uint8_t* key, uint32_t length) noexcept nogil:
    """Whether a record is that of a key of this kind."""
    if cid.kind != kind:
        return False
    if kind == LONG_KIND:
        return length_of(cid) == length and same_cid(key_of(cid, NULL), key, length)
    return same_cid(<const uint8_t*>(cid + 1), key + start_size(kind), kept_size(kind))


cdef inline uint32_t cids_find(
    const CidStore* store, const uint8_t* key, uint32_t length, uint32_t hash
) noexcept nogil:
    """The id of a CID, NIL if it is not there."""
    cdef Place place = place_of(&store.table, hash)
    cdef const Bucket* bucket = place.bucket
    cdef uint32_t found, slot
    cdef uint32_t kind = kind_of(key, length)
    while bucket != NULL:
        found = match(bucket, place.part)
        while found:
            slot = lowest(found)
            if is_part(bucket, slot, place.part):
                if is_key(cid_at(store, id_in(bucket, slot)), kind, key, length):
                    return id_in(bucket, slot)
            found &= found - 1
        bucket = next_of(&store.table, bucket)
    return NIL


cdef inline uint32_t cids_intern(CidStore* store, const uint8_t* key, uint32_t length, uint32_t hash) noexcept nogil:
    """The id of a CID, which is added if it is not there: `head` is NIL then and the other fields are 0."""
    cdef uint32_t id = cids_find(store, key, length, hash)
    return add_cid(store, key, length, hash) if id == NIL else id


cdef inline uint32_t add_cid(CidStore* store, const uint8_t* key, uint32_t length, uint32_t hash) noexcept nogil:
    """As `cids_intern`, of a CID that is known not to be there."""
    cdef uint32_t kind = kind_of(key, length)
    cdef uint32_t id = grab_record(&store.arena, record_units(kind))
    cdef Cid* cid = cid_at(store, id)
    cdef LongKey* kept
    memset(cid, 0, sizeof(Cid))
    cid.head = NIL
    cid.kind = kind
    if kind != LONG_KIND:
        memcpy(cid + 1, key + start_size(kind), kept_size(kind))
    else:
        kept = take_long(&store.arena, length)
        memcpy(kept + 1, key, length)
        memcpy(cid + 1, &kept, sizeof(kept))
    put_id(store, id, hash)
    store.table.ids += 1
    if store.table.promised:
        store.table.promised -= 1
    if is_crowded(&store.table) and extend(&store.table) == 0:
        # Without memory for it chains get longer instead.
        grow(store)
    return id


cdef inline void put_id(CidStore* store, uint32_t id, uint32_t hash) noexcept nogil:
    cdef Place place = place_of(&store.table, hash)
    append(&store.table, place.bucket, place.part, id)


cdef inline void grow(CidStore* store) noexcept nogil:
    cdef Bucket copy
    cdef uint32_t i
    if divide(&store.table, &copy) == NULL:
        return
    while True:
        for i in range(filled(&copy)):
            prefetch(cid_at(store, id_in(&copy, i)))
        for i in range(filled(&copy)):
            put_id(store, id_in(&copy, i), cid_hash(store, id_in(&copy, i)))
        if not take_spilled(&store.table, &copy):
            return


cdef inline void drop_key(CidStore* store, uint32_t id) noexcept nogil:
    cdef Cid* cid = cid_at(store, id)
    if cid.kind == LONG_KIND:
        drop_long(&store.arena, long_key(cid))


cdef inline void cids_drop(CidStore* store, uint32_t id) noexcept nogil:
    """Forget a CID to which nothing refers any more; its id will be another's."""
    cids_drop_hashed(store, id, cid_hash(store, id))


cdef inline void cids_drop_hashed(CidStore* store, uint32_t id, uint32_t hash) noexcept nogil:
    """As `cids_drop`, where the hash of its key is at hand."""
    cdef Place place = place_of(&store.table, hash)
    cdef uint32_t units = record_units(cid_at(store, id).kind)
    cdef Bucket* bucket = place.bucket
    cdef uint32_t found = match(bucket, place.part)
    while found == 0 or id_in(bucket, lowest(found)) != id:
        if found:
            found &= found - 1
        else:
            bucket = next_of(&store.table, bucket)
            found = match(bucket, place.part)
    remove(&store.table, place.bucket, bucket, lowest(found))
    drop_key(store, id)
    release_record(&store.arena, id, units)
    store.table.ids -= 1
    if is_sparse(&store.table):
        merge_last(&store.table)
    if store.table.ids == 0 and store.table.promised == 0:
        drop_spills(&store.table)


cdef inline size_t cids_memory(const CidStore* store) noexcept nogil:
    """Bytes held, reserves included."""
    cdef const Arena* arena = &store.arena
    cdef size_t bytes = <size_t>arena.held * CHUNK_UNITS * 4 + arena.long_bytes
    bytes += arena.capacity * (sizeof(uint8_t*) + sizeof(ChunkUse))
    return bytes + buckets_memory(&store.table)
