# cython: language_level=3
"""A peer's slots: a heap of the queued answers, and behind it the peer's other wants in no order.

Eight answers are below each: with a third of the levels of a binary heap, a third as many slots move, each of which its want
has to be told. Every want knows its slot. Nothing here needs memory but `reserve_slots`.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from bitswap._core.memory cimport LINE, prefetch, regrab_array, release_array, usable_array
from bitswap._core.records cimport MOST_SEQ, Peer, Queues, Slot, want_at

cdef extern from *:
    """
    #define BITSWAP_GONE UINT64_MAX
    /* Which is the least. No branches, as they would be foretold wrongly half the time. */
    static inline size_t bitswap_least_of_four(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
        uint64_t low = b < a ? b : a, high = d < c ? d : c;
        size_t right = high < low;
        return 2 * right + ((right & (d < c)) | ((right ^ 1) & (b < a)));
    }
    """
    size_t least_of_four "bitswap_least_of_four"(uint64_t a, uint64_t b, uint64_t c, uint64_t d) noexcept nogil
    const uint64_t GONE "BITSWAP_GONE"  # no key of an answer is that large


cdef inline Slot* resize_slots(Peer* peer, size_t room) noexcept nogil:
    """NULL, and all is as it was, when memory is short."""
    cdef Slot* slots = <Slot*>regrab_array(peer.slots, <size_t>peer.room * sizeof(Slot), room * sizeof(Slot))
    if slots != NULL:
        peer.slots = slots
        peer.room = <uint32_t>room
    return slots


cdef inline size_t slots_bytes(const Peer* peer) noexcept nogil:
    return usable_array(peer.slots, <size_t>peer.room * sizeof(Slot)) if peer.slots != NULL else 0


cdef inline int reserve_slots(Peer* peer, size_t more) noexcept nogil:
    """Room for that many wants more; -1 when memory is short."""
    cdef size_t need = peer.count + more
    cdef size_t room
    if need <= peer.room:
        return 0
    if need > MOST_SEQ:
        return -1
    # By an eighth: of many small arrays more would be lost than copying costs.
    room = peer.room + peer.room // 8 + 2
    if room < need:
        room = need
    return 0 if resize_slots(peer, room) != NULL else -1


cdef inline void trim_slots(Peer* peer) noexcept nogil:
    """Give back what is far more than needed. It is no harm if that fails."""
    cdef size_t room = <size_t>peer.count + peer.count // 16 + 2
    if peer.room > peer.count + peer.count // 4 + 16:
        resize_slots(peer, room)


cdef inline void free_slots(Peer* peer) noexcept nogil:
    release_array(peer.slots, <size_t>peer.room * sizeof(Slot))
    peer.slots = NULL
    peer.room = peer.count = peer.queued = 0


cdef inline void put_slot(const Queues* q, Peer* peer, uint32_t place, const Slot* slot) noexcept nogil:
    peer.slots[place] = slot[0]
    want_at(q, slot.want).pos = place


cdef inline void add_slot(const Queues* q, Peer* peer, uint32_t want) noexcept nogil:
    """A slot for a new want, not queued; there is room."""
    peer.slots[peer.count].want = want
    peer.slots[peer.count].key = 0
    want_at(q, want).pos = peer.count
    peer.count += 1


cdef inline void drop_slot(const Queues* q, Peer* peer, uint32_t place) noexcept nogil:
    """The slot of a want that is not queued."""
    peer.count -= 1
    if place != peer.count:
        put_slot(q, peer, place, &peer.slots[peer.count])


cdef inline void rise(const Queues* q, Peer* peer, uint32_t place) noexcept nogil:
    """Move the slot at `place` towards the top, as far as its key lets it."""
    cdef Slot slot = peer.slots[place]
    cdef uint32_t parent
    while place:
        parent = (place - 1) >> 3
        if peer.slots[parent].key <= slot.key:
            break
        put_slot(q, peer, place, &peer.slots[parent])
        place = parent
    put_slot(q, peer, place, &slot)


cdef inline size_t first_of_four(const Slot* slots, size_t child) noexcept nogil:
    return child + least_of_four(slots[child].key, slots[child + 1].key, slots[child + 2].key, slots[child + 3].key)


cdef inline size_t first_of(const Slot* slots, size_t child, size_t last) noexcept nogil:
    """Which of the eight slots from `child` on goes first, of those up to `last`."""
    cdef size_t other
    cdef int line
    if child + 7 <= last:
        # Those below; an address behind the end does no harm.
        for line in range(<int>(64 * sizeof(Slot) // LINE)):
            prefetch(<const uint8_t*>&slots[8 * child + 1] + line * LINE)
        other = first_of_four(slots, child + 4)
        child = first_of_four(slots, child)
        return other if slots[other].key < slots[child].key else child
    other = child
    while child < last:
        child += 1
        if slots[child].key < slots[other].key:
            other = child
    return other


cdef inline void sink(const Queues* q, Peer* peer, uint32_t place) noexcept nogil:
    """Move the slot at `place` away from the top."""
    cdef Slot* slots = peer.slots
    cdef Slot slot = slots[place]
    cdef size_t last = <size_t>peer.queued - 1
    cdef size_t child = 8 * <size_t>place + 1
    while child <= last:
        child = first_of(slots, child, last)
        if slots[child].key >= slot.key:
            break
        put_slot(q, peer, place, &slots[child])
        place = <uint32_t>child
        child = 8 * child + 1
    put_slot(q, peer, place, &slot)


cdef inline void enqueue(const Queues* q, Peer* peer, uint32_t place, uint64_t key) noexcept nogil:
    """Put the want at `place`, which is not queued, into the heap."""
    cdef Slot slot = peer.slots[place]
    slot.key = key
    if place != peer.queued:
        put_slot(q, peer, place, &peer.slots[peer.queued])
    peer.slots[peer.queued] = slot
    peer.queued += 1
    rise(q, peer, peer.queued - 1)


cdef inline void dequeue(const Queues* q, Peer* peer, uint32_t place) noexcept nogil:
    """Take the want at `place` out of the heap."""
    cdef Slot slot = peer.slots[place]
    cdef uint32_t last = peer.queued - 1
    peer.queued = last
    if place != last:
        put_slot(q, peer, place, &peer.slots[last])
        put_slot(q, peer, last, &slot)
        if place and peer.slots[place].key < peer.slots[(place - 1) >> 3].key:
            rise(q, peer, place)
        else:
            sink(q, peer, place)


cdef inline void dequeue_first(const Queues* q, Peer* peer) noexcept nogil:
    """Take the first out of the heap."""
    cdef Slot slot = peer.slots[0]
    cdef uint32_t last = peer.queued - 1
    peer.queued = last
    if last:
        peer.slots[0] = peer.slots[last]
        put_slot(q, peer, last, &slot)
        sink(q, peer, 0)


cdef inline void requeue(const Queues* q, Peer* peer, uint32_t place, uint64_t key) noexcept nogil:
    """Give the queued want at `place` a smaller key."""
    peer.slots[place].key = key
    rise(q, peer, place)


cdef inline void mark_slot(Peer* peer, uint32_t place) noexcept nogil:
    """Say that a queued answer goes, with others; until `sweep_slots` the heap is none."""
    peer.slots[place].key = GONE


cdef inline bint is_marked(const Peer* peer, uint32_t place) noexcept nogil:
    return peer.slots[place].key == GONE


cdef inline void sweep_slots(const Queues* q, Peer* peer) noexcept nogil:
    """Take all that were marked out of the heap."""
    cdef Slot slot
    cdef uint32_t i
    cdef uint32_t kept = 0
    for i in range(peer.queued):
        if peer.slots[i].key == GONE:
            continue
        if i != kept:
            slot = peer.slots[i]
            put_slot(q, peer, i, &peer.slots[kept])
            put_slot(q, peer, kept, &slot)
        kept += 1
    peer.queued = kept
    for i in range((kept + 6) // 8, 0, -1):
        sink(q, peer, i - 1)


cdef inline bint heap_holds(const Peer* peer) noexcept nogil:
    """Whether the queued ones are a heap."""
    cdef uint32_t i
    for i in range(1, peer.queued):
        if peer.slots[i].key < peer.slots[(i - 1) >> 3].key:
            return False
    return True
