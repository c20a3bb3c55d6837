# cython: language_level=3
"""A hash table of 30-bit ids that grows and shrinks by one bucket at a time (linear hashing), so that no call takes long.

A bucket is one cache line with twelve ids, a byte of the hash of each, and a link to a spill bucket for what does not fit.
All buckets of a chain but the last are full, and within a bucket there are no gaps. The table does not know what the ids
stand for: whoever uses it compares what `match` finds, counts in `ids`, and hashes what `split` moves.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from bitswap._core.memory cimport grab_lines, regrab, release, release_lines

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(_MSC_VER) && !defined(__clang__)
    #include <intrin.h>
    #endif
    enum { BITSWAP_WIDTH = 12 };
    #define BITSWAP_SEGMENT_BITS 10
    #define BITSWAP_SEGMENT 1024u
    #define BITSWAP_SPILL_BITS 6
    #define BITSWAP_SPILL 64u
    #define BITSWAP_NO_BUCKET 0xFFFFFFFFu
    #define BITSWAP_MAX_BUCKETS 0x1000000u
    static inline uint32_t bitswap_lowest(uint32_t bits) {
    #if defined(__GNUC__) || defined(__clang__)
        return (uint32_t)__builtin_ctz(bits);
    #elif defined(_MSC_VER)
        unsigned long i;
        _BitScanForward(&i, bits);
        return (uint32_t)i;
    #else
        uint32_t i = 0;
        while (!(bits >> i & 1)) i++;
        return i;
    #endif
    }
    #if defined(__SSE2__) || defined(_M_X64)
    #include <emmintrin.h>
    static inline uint32_t bitswap_match(const uint8_t *tags, uint8_t tag) {
        __m128i line = _mm_loadu_si128((const __m128i *)tags);
        return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(line, _mm_set1_epi8((char)tag))) & 0xFFFu;
    }
    #else
    static inline uint32_t bitswap_match(const uint8_t *tags, uint8_t tag) {
        uint32_t found = 0, i;
        for (i = 0; i < BITSWAP_WIDTH; i++) found |= (uint32_t)(tags[i] == tag) << i;
        return found;
    }
    #endif
    """
    const uint32_t WIDTH "BITSWAP_WIDTH"
    const uint32_t SEGMENT_BITS "BITSWAP_SEGMENT_BITS"
    const uint32_t SEGMENT "BITSWAP_SEGMENT"
    const uint32_t SPILL_BITS "BITSWAP_SPILL_BITS"
    const uint32_t SPILL "BITSWAP_SPILL"
    const uint32_t NO_BUCKET "BITSWAP_NO_BUCKET"
    const uint32_t MAX_BUCKETS "BITSWAP_MAX_BUCKETS"
    uint32_t lowest "bitswap_lowest"(uint32_t bits) noexcept nogil
    uint32_t match "bitswap_match"(const uint8_t* tags, uint8_t tag) noexcept nogil  # one bit for each equal tag


cdef struct Bucket:
    uint8_t tags[12]    # 0 where there is no id
    uint32_t link       # spill bucket that follows, plus one
    uint32_t ids[12]


cdef struct Buckets:
    Bucket** segments   # bucket `b` is segments[b >> SEGMENT_BITS][b & (SEGMENT - 1)]
    uint32_t segment_count
    uint32_t segment_room   # of the array
    uint32_t first_size     # buckets of the first segment, which grows up to SEGMENT
    uint32_t count      # buckets in use, spill buckets not counted
    uint32_t mask       # the largest power of two that is not above `count`, minus one
    uint32_t ids        # how many are in the table
    Bucket** spills
    uint32_t spill_count    # segments of spill buckets
    uint32_t spill_room     # of the array
    uint32_t spilled    # spill buckets in use
    uint32_t spare      # list of those that are not, by `link`
    uint32_t promised   # ids that were reserved and have not come yet


cdef inline Bucket* bucket_at(const Buckets* table, uint32_t number) noexcept nogil:
    return &table.segments[number >> SEGMENT_BITS][number & (SEGMENT - 1)]


cdef inline Bucket* spill_at(const Buckets* table, uint32_t link) noexcept nogil:
    return &table.spills[(link - 1) >> SPILL_BITS][(link - 1) & (SPILL - 1)]


cdef inline uint8_t tag_of(uint32_t hash) noexcept nogil:
    cdef uint8_t tag = <uint8_t>(hash >> 24)  # bits that choose no bucket
    return tag if tag else 1


cdef inline Bucket* home_of(const Buckets* table, uint32_t hash) noexcept nogil:
    """The bucket in which the chain of a hash begins; the table is not empty."""
    cdef uint32_t wide = hash & (2 * table.mask + 1)
    return bucket_at(table, wide if wide < table.count else hash & table.mask)


cdef inline int init_buckets(Buckets* table) noexcept nogil:
    """An empty table of one bucket; -1 when memory is short."""
    memset(table, 0, sizeof(Buckets))
    table.segments = <Bucket**>regrab(NULL, sizeof(Bucket*))
    if table.segments == NULL:
        return -1
    table.segments[0] = <Bucket*>grab_lines(1)
    if table.segments[0] == NULL:
        release(table.segments)
        table.segments = NULL
        return -1
    memset(table.segments[0], 0, sizeof(Bucket))
    table.segment_count = table.segment_room = table.first_size = table.count = 1
    return 0


cdef inline void free_buckets(Buckets* table) noexcept nogil:
    cdef uint32_t i
    for i in range(table.segment_count):
        release_lines(table.segments[i])
    drop_spills(table)
    release(table.segments)
    release(table.spills)
    memset(table, 0, sizeof(Buckets))


cdef inline size_t buckets_memory(const Buckets* table) noexcept nogil:
    cdef size_t buckets = table.first_size + <size_t>table.spill_count * SPILL
    buckets += <size_t>(table.segment_count - 1) * SEGMENT
    return buckets * sizeof(Bucket) + (<size_t>table.segment_room + table.spill_room) * sizeof(Bucket*)


# Spill buckets


cdef inline void drop_spills(Buckets* table) noexcept nogil:
    """Give all spill buckets back; none is in use."""
    while table.spill_count:
        table.spill_count -= 1
        release_lines(table.spills[table.spill_count])
    table.spare = 0


cdef inline void put_spare(Buckets* table, uint32_t link) noexcept nogil:
    spill_at(table, link).link = table.spare
    table.spare = link


cdef inline int add_spills(Buckets* table) noexcept nogil:
    """One more segment of spill buckets; -1 when memory is short."""
    cdef uint32_t room = table.spill_room * 2 if table.spill_room else 4
    cdef uint32_t i
    cdef Bucket** spills
    cdef Bucket* segment
    if table.spill_count == table.spill_room:
        spills = <Bucket**>regrab(table.spills, room * sizeof(Bucket*))
        if spills == NULL:
            return -1
        table.spills = spills
        table.spill_room = room
    segment = <Bucket*>grab_lines(SPILL)
    if segment == NULL:
        return -1
    table.spills[table.spill_count] = segment
    table.spill_count += 1
    for i in range(table.spill_count * SPILL, (table.spill_count - 1) * SPILL, -1):
        put_spare(table, i)
    return 0


cdef inline bint spills_suffice(const Buckets* table, size_t ids) noexcept nogil:
    """Whether that many ids can be added, wherever they hash to.

    Each needs at most one spill bucket; and since a chain has one for every twelve ids at most, so has the table.
    """
    cdef size_t all = <size_t>table.spill_count * SPILL
    return all - table.spilled >= ids or all >= (table.ids + ids) // WIDTH


cdef inline int reserve_ids(Buckets* table, uint32_t ids) noexcept nogil:
    """Make adding `ids` ids a certainty; -1 when memory is short."""
    while not spills_suffice(table, ids):
        if add_spills(table) < 0:
            return -1
    table.promised = ids
    return 0


# Chains


cdef inline uint32_t filled(const Bucket* bucket) noexcept nogil:
    cdef uint32_t gaps = match(bucket.tags, 0)
    return lowest(gaps) if gaps else WIDTH


cdef inline void append(Buckets* table, Bucket* bucket, uint8_t tag, uint32_t id) noexcept nogil:
    """Put an id at the end of the chain that begins with `bucket`."""
    cdef uint32_t link, slot
    while bucket.link:
        bucket = spill_at(table, bucket.link)
    slot = filled(bucket)
    if slot == WIDTH:
        link = table.spare
        bucket.link = link
        bucket = spill_at(table, link)
        table.spare = bucket.link
        table.spilled += 1
        memset(bucket, 0, sizeof(Bucket))
        slot = 0
    bucket.tags[slot] = tag
    bucket.ids[slot] = id


cdef inline void remove(Buckets* table, Bucket* home, Bucket* bucket, uint32_t slot) noexcept nogil:
    """Take an id out of the chain of `home`; the last one of the chain comes into its place."""
    cdef Bucket* before = NULL
    cdef Bucket* last = home
    cdef uint32_t end
    while last.link:
        before = last
        last = spill_at(table, last.link)
    end = filled(last) - 1
    bucket.tags[slot] = last.tags[end]
    bucket.ids[slot] = last.ids[end]
    last.tags[end] = 0
    if end == 0 and before != NULL:
        put_spare(table, before.link)
        before.link = 0
        table.spilled -= 1


# Growing and shrinking


cdef inline int resize_first(Buckets* table, uint32_t size) noexcept nogil:
    """Make the first segment hold `size` buckets; -1 when memory is short."""
    cdef Bucket* segment = <Bucket*>grab_lines(size)
    if segment == NULL:
        return -1
    memcpy(segment, table.segments[0], table.count * sizeof(Bucket))
    release_lines(table.segments[0])
    table.segments[0] = segment
    table.first_size = size
    return 0


cdef inline int extend(Buckets* table) noexcept nogil:
    """Memory for one bucket more; -1 when it is short."""
    cdef uint32_t room = table.segment_room * 2
    cdef Bucket** segments
    cdef Bucket* segment
    if table.count < SEGMENT:
        return 0 if table.count < table.first_size else resize_first(table, table.first_size * 2)
    if table.count < table.segment_count * SEGMENT:
        return 0
    if table.segment_count == table.segment_room:
        segments = <Bucket**>regrab(table.segments, room * sizeof(Bucket*))
        if segments == NULL:
            return -1
        table.segments = segments
        table.segment_room = room
    segment = <Bucket*>grab_lines(SEGMENT)
    if segment == NULL:
        return -1
    table.segments[table.segment_count] = segment
    table.segment_count += 1
    return 0


cdef inline bint is_crowded(const Buckets* table) noexcept nogil:
    """Above 8.75 ids a bucket. Spill buckets included, the table then takes less than 9 bytes an id."""
    return table.ids * 4 > table.count * 35 and table.count < MAX_BUCKETS


cdef inline bint is_sparse(const Buckets* table) noexcept nogil:
    return table.ids * 5 < table.count * 36 and table.count > 1


cdef inline void split(Buckets* table, Bucket* copy) noexcept nogil:
    """Use one bucket more, for which there is memory: `extend`.

    The ids of the bucket that it divides are moved to `copy`, to be appended anew; then see `take_spilled`.
    """
    cdef Bucket* source = bucket_at(table, table.count & table.mask)
    copy[0] = source[0]
    memset(source, 0, sizeof(Bucket))
    memset(bucket_at(table, table.count), 0, sizeof(Bucket))
    table.count += 1
    if table.count > 2 * table.mask + 1:
        table.mask = 2 * table.mask + 1


cdef inline bint take_spilled(Buckets* table, Bucket* copy) noexcept nogil:
    """Replace `copy` by the spill bucket that it is linked to; false if it is linked to none."""
    cdef uint32_t link = copy.link
    if link == 0:
        return False
    copy[0] = spill_at(table, link)[0]
    put_spare(table, link)
    table.spilled -= 1
    return True


cdef inline void merge_last(Buckets* table) noexcept nogil:
    """Use one bucket less, unless that may need a spill bucket and there is none to spare."""
    cdef uint32_t number = table.count - 1
    cdef uint32_t mask = table.mask if number > table.mask else table.mask >> 1
    cdef Bucket* home = bucket_at(table, number & mask)
    cdef Bucket copy = bucket_at(table, number)[0]
    cdef uint32_t i
    if home.link or copy.link or filled(home) + filled(&copy) > WIDTH:
        if not spills_suffice(table, <size_t>table.promised + 1):
            return
    table.count = number
    table.mask = mask
    while True:
        for i in range(filled(&copy)):
            append(table, home, copy.tags[i], copy.ids[i])
        if not take_spilled(table, &copy):
            break
    if table.segment_count > 1:
        # Half a segment away, so that none comes and goes with single ids.
        if table.count + SEGMENT // 2 <= (table.segment_count - 1) * SEGMENT:
            table.segment_count -= 1
            release_lines(table.segments[table.segment_count])
    elif table.count * 4 == table.first_size:
        resize_first(table, table.first_size // 2)
