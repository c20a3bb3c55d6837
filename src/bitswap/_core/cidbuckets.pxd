# cython: language_level=3
"""A hash table of 30-bit ids that grows and shrinks by one bucket at a time (linear hashing), so that no call takes long.

A bucket is one cache line with twelve ids and ten bits of the hash of each, its part: to look for an id and, as far as they
go, to divide the bucket without asking for hashes. What does not fit goes to spill buckets, of which all but the last of a
chain are full. The table does not know what the ids stand for: whoever uses it compares what `match` finds, counts in `ids`,
and has hashes for `divide`.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

from bitswap._core.memory cimport grab_lines, regrab, release, release_lines

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(_MSC_VER) && !defined(__clang__)
    #include <intrin.h>
    #endif
    #define BITSWAP_WIDTH 12u
    #define BITSWAP_ID_BITS 30
    #define BITSWAP_ID_MASK 0x3FFFFFFFu
    #define BITSWAP_LINK_BITS 28
    #define BITSWAP_LINK_MASK 0xFFFFFFFu
    #define BITSWAP_PART_MASK 0x3FFu
    #define BITSWAP_SEGMENT_BITS 8
    #define BITSWAP_SEGMENT 256u
    #define BITSWAP_SPILL_BITS 6
    #define BITSWAP_SPILL 64u
    #define BITSWAP_MAX_BUCKETS 0x800000u
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
        return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(line, _mm_set1_epi8((char)tag)));
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
    const uint32_t ID_BITS "BITSWAP_ID_BITS"
    const uint32_t ID_MASK "BITSWAP_ID_MASK"
    const uint32_t LINK_BITS "BITSWAP_LINK_BITS"
    const uint32_t LINK_MASK "BITSWAP_LINK_MASK"
    const uint32_t PART_MASK "BITSWAP_PART_MASK"
    const uint32_t SEGMENT_BITS "BITSWAP_SEGMENT_BITS"
    const uint32_t SEGMENT "BITSWAP_SEGMENT"
    const uint32_t SPILL_BITS "BITSWAP_SPILL_BITS"
    const uint32_t SPILL "BITSWAP_SPILL"
    const uint32_t MAX_BUCKETS "BITSWAP_MAX_BUCKETS"
    uint32_t lowest "bitswap_lowest"(uint32_t bits) noexcept nogil
    uint32_t match_tags "bitswap_match"(const uint8_t* tags, uint8_t tag) noexcept nogil  # one bit for each, from 2^0


cdef struct Bucket:
    uint8_t tags[12]    # the low eight bits of the parts
    uint32_t state      # how many ids there are, in four bits, and below it the spill bucket that follows, plus one
    uint32_t ids[12]    # with the high two bits of the parts above them


cdef struct Buckets:
    Bucket** segments   # bucket `b` is segments[b >> SEGMENT_BITS][b & (SEGMENT - 1)]
    uint32_t segment_count
    uint32_t segment_room   # of the array
    uint32_t first_size     # buckets of the first segment, which grows up to SEGMENT
    uint32_t count      # buckets in use, spill buckets not counted
    uint32_t level      # the largest power of two that is not above `count`
    uint32_t divided    # `count` minus that: so many buckets are at one level more, and as many came from them
    uint32_t bases[2]   # lowest bit of the parts at `level` and at one more
    uint32_t ids        # how many are in the table
    Bucket** spills
    uint32_t spill_count    # segments of spill buckets
    uint32_t spill_room     # of the array
    uint32_t spilled    # spill buckets in use
    uint32_t spare      # list of those that are not, by `state`
    uint32_t promised   # ids that were reserved and have not come yet


cdef struct Place:
    Bucket* bucket      # where the chain begins
    uint32_t part


cdef inline Bucket* bucket_at(const Buckets* table, uint32_t number) noexcept nogil:
    return &table.segments[number >> SEGMENT_BITS][number & (SEGMENT - 1)]


cdef inline Bucket* spill_at(const Buckets* table, uint32_t link) noexcept nogil:
    return &table.spills[(link - 1) >> SPILL_BITS][(link - 1) & (SPILL - 1)]


cdef inline uint32_t filled(const Bucket* bucket) noexcept nogil:
    """How many ids the bucket itself holds."""
    return bucket.state >> LINK_BITS


cdef inline Bucket* next_of(const Buckets* table, const Bucket* bucket) noexcept nogil:
    """The spill bucket that follows, or NULL."""
    cdef uint32_t link = bucket.state & LINK_MASK
    return spill_at(table, link) if link else NULL


cdef inline uint32_t id_in(const Bucket* bucket, uint32_t slot) noexcept nogil:
    return bucket.ids[slot] & ID_MASK


cdef inline uint32_t part_in(const Bucket* bucket, uint32_t slot) noexcept nogil:
    return bucket.tags[slot] | (bucket.ids[slot] >> ID_BITS) << 8


cdef inline uint32_t base_of(uint32_t level) noexcept nogil:
    """Lowest bit of the parts in buckets that `level` bits of the hash have chosen.

    It moves in steps of four, so that one round of dividing out of four must ask for hashes; seven bits of a part or more
    then distinguish the ids of a bucket.
    """
    return level & ~3U


cdef inline void set_level(Buckets* table, uint32_t level) noexcept nogil:
    table.level = level
    table.bases[0] = base_of(level)
    table.bases[1] = base_of(level + 1)


cdef inline Place place_of(const Buckets* table, uint32_t hash) noexcept nogil:
    cdef Place place
    cdef uint32_t number = hash & ((1U << table.level) - 1)
    cdef uint32_t more = number < table.divided
    number |= hash & (more << table.level)
    place.bucket = bucket_at(table, number)
    place.part = hash >> table.bases[more] & PART_MASK
    return place


cdef inline uint32_t match(const Bucket* bucket, uint32_t part) noexcept nogil:
    """A bit for each slot that may be what is looked for; see `is_part`."""
    return match_tags(bucket.tags, <uint8_t>part) & ((1U << filled(bucket)) - 1)


cdef inline bint is_part(const Bucket* bucket, uint32_t slot, uint32_t part) noexcept nogil:
    """Whether a slot that `match` found has the other bits of the part as well."""
    return bucket.ids[slot] >> ID_BITS == part >> 8


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
    table.segments[0].state = 0
    table.segment_count = table.segment_room = table.first_size = table.count = 1
    set_level(table, 0)
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
    spill_at(table, link).state = table.spare
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


cdef inline void append(Buckets* table, Bucket* bucket, uint32_t part, uint32_t id) noexcept nogil:
    """Put an id at the end of the chain that begins with `bucket`."""
    cdef Bucket* following
    cdef uint32_t link, slot
    while True:
        following = next_of(table, bucket)
        if following == NULL:
            break
        bucket = following
    slot = filled(bucket)
    if slot == WIDTH:
        link = table.spare
        bucket.state |= link
        bucket = spill_at(table, link)
        table.spare = bucket.state
        table.spilled += 1
        bucket.state = slot = 0
    bucket.tags[slot] = <uint8_t>part
    bucket.ids[slot] = id | (part >> 8) << ID_BITS
    bucket.state += 1U << LINK_BITS


cdef inline void remove(Buckets* table, Bucket* home, Bucket* bucket, uint32_t slot) noexcept nogil:
    """Take an id out of the chain of `home`; the last one of the chain comes into its place."""
    cdef Bucket* before = NULL
    cdef Bucket* last = home
    cdef Bucket* following = next_of(table, home)
    cdef uint32_t end
    while following != NULL:
        before = last
        last = following
        following = next_of(table, last)
    end = filled(last) - 1
    bucket.tags[slot] = last.tags[end]
    bucket.ids[slot] = last.ids[end]
    last.state -= 1U << LINK_BITS
    if end == 0 and before != NULL:
        put_spare(table, before.state & LINK_MASK)
        before.state &= ~LINK_MASK
        table.spilled -= 1


cdef inline bint take_spilled(Buckets* table, Bucket* copy) noexcept nogil:
    """Replace `copy` by the spill bucket that follows it, which is spare then; false if none follows."""
    cdef uint32_t link = copy.state & LINK_MASK
    if link == 0:
        return False
    copy[0] = spill_at(table, link)[0]
    put_spare(table, link)
    table.spilled -= 1
    return True


# Growing and shrinking


cdef inline bint is_crowded(const Buckets* table) noexcept nogil:
    """Above 9.5 ids a bucket. Spill buckets included, the table then takes less than 9 bytes an id."""
    return table.ids * 2 > table.count * 19 and table.count < MAX_BUCKETS


cdef inline bint is_sparse(const Buckets* table) noexcept nogil:
    """Below four ids a bucket: merging costs as much as there is to merge, and what goes may come again."""
    return table.ids < table.count * 4 and table.count > 1


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


cdef inline Bucket* divide(Buckets* table, Bucket* copy) noexcept nogil:
    """Use one bucket more, for which there is memory: see `extend`.

    The ids of the bucket that is divided are moved to `copy`, to be appended anew by their hashes; `take_spilled` brings
    more of them. If parts need not change, it is all done here, and NULL returned.
    """
    cdef Bucket* source = bucket_at(table, table.divided)
    cdef Bucket* other = bucket_at(table, table.count)
    cdef uint32_t bit = table.level - table.bases[0]
    cdef uint32_t i, part
    cdef bint kept = table.bases[0] == table.bases[1]
    copy[0] = source[0]
    source.state = other.state = 0
    table.count += 1
    table.divided += 1
    if table.divided == 1U << table.level:
        table.divided = 0
        set_level(table, table.level + 1)
    if not kept:
        return source
    while True:
        for i in range(filled(copy)):
            part = part_in(copy, i)
            append(table, other if part >> bit & 1 else source, part, id_in(copy, i))
        if not take_spilled(table, copy):
            return NULL


cdef inline void merge_chain(Buckets* table, Bucket* home, Bucket* copy, uint32_t number, bint rebase) noexcept nogil:
    """Append to `home` the chain of a copied bucket that had this number, at a level that is one less."""
    cdef uint32_t low = number >> table.bases[0] & 15
    cdef uint32_t i, part
    while True:
        for i in range(filled(copy)):
            part = part_in(copy, i)
            if rebase:
                # The bits that are needed now are those that had chosen the bucket.
                part = (part << 4 | low) & PART_MASK
            append(table, home, part, id_in(copy, i))
        if not take_spilled(table, copy):
            return


cdef inline void merge_last(Buckets* table) noexcept nogil:
    """Use one bucket less, unless that may need a spill bucket and there is none to spare."""
    cdef uint32_t number = table.count - 1
    cdef uint32_t level = table.level if table.divided else table.level - 1
    cdef uint32_t buddy = number - (1U << level)
    cdef Bucket* home = bucket_at(table, buddy)
    cdef Bucket copy = bucket_at(table, number)[0]
    cdef Bucket mine
    cdef bint rebase = base_of(level) != base_of(level + 1)
    if filled(home) + filled(&copy) > WIDTH or home.state & LINK_MASK or copy.state & LINK_MASK:
        if not spills_suffice(table, <size_t>table.promised + 1):
            return
    table.count = number
    table.divided = buddy
    set_level(table, level)
    if rebase:
        mine = home[0]
        home.state = 0
        merge_chain(table, home, &mine, buddy, True)
    merge_chain(table, home, &copy, number, rebase)
    trim(table)


cdef inline void trim(Buckets* table) noexcept nogil:
    """Give memory back that the buckets in use are far from."""
    if table.segment_count > 1:
        # Half a segment away, so that none comes and goes with single ids.
        if table.count + SEGMENT // 2 <= (table.segment_count - 1) * SEGMENT:
            table.segment_count -= 1
            release_lines(table.segments[table.segment_count])
    elif table.count * 4 == table.first_size:
        resize_first(table, table.first_size // 2)
