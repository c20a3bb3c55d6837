# cython: language_level=3
"""Who wants what (boxo `decision/peer_ledger.go`), and the ages by which wants and answers are ordered."""

from libc.stdint cimport int32_t, uint16_t, uint32_t
from libc.stdlib cimport qsort

from bitswap._core.evictions cimport drop_order, note_rank
from bitswap._core.memory cimport grab, release
from bitswap._core.records cimport (
    AVAILABLE, LATER, LEDGER_FLAGS, WANTED, WANTS_BLOCK, Flight, Item, Peer, Queues, Want, want_at,
)


cdef inline void record_want(
    Queues* q, Peer* peer, uint32_t number, int32_t priority, uint16_t flags
) noexcept nogil:
    """Enter a want, or replace the entry, which keeps its age; `flags` are LEDGER_FLAGS."""
    cdef Want* want = want_at(q, number)
    if not want.flags & WANTED:
        peer.last_want += 1
        want.seq = peer.last_want
        peer.wanted += 1
        q.wanted += 1
    want.flags = (want.flags & ~LEDGER_FLAGS) | flags | WANTED
    want.priority = priority
    note_rank(q, peer, number)


cdef inline void drop_want(Queues* q, Peer* peer, Want* want) noexcept nogil:
    want.flags &= ~LEDGER_FLAGS
    peer.wanted -= 1
    q.wanted -= 1


cdef inline void found_want(const Queues* q, Peer* peer, uint32_t number) noexcept nogil:
    """The block that it asks for has come."""
    cdef Want* want = want_at(q, number)
    if not want.flags & AVAILABLE:
        want.flags |= AVAILABLE
        note_rank(q, peer, number)


cdef inline void answer_want(Queues* q, Peer* peer, Item* item, bint with_block) noexcept nogil:
    """Drop what a block, or a HAVE, answers, and note it down; a HAVE does not answer a want for the block."""
    cdef Want* want = want_at(q, item.want)
    if not want.flags & WANTED or (want.flags & WANTS_BLOCK and not with_block):
        return
    item.flags |= want.flags & LEDGER_FLAGS
    item.want_seq = want.seq
    item.want_priority = want.priority
    drop_want(q, peer, want)


cdef inline void restore_want(Queues* q, Peer* peer, const Item* item) noexcept nogil:
    """Put back what was answered by something that did not arrive, unless there is a newer one."""
    cdef Want* want = want_at(q, item.want)
    if not item.flags & WANTED or want.flags & WANTED:
        return
    want.flags |= item.flags & LEDGER_FLAGS
    want.seq = item.want_seq
    want.priority = item.want_priority
    peer.wanted += 1
    q.wanted += 1
    note_rank(q, peer, item.want)


# Ages


cdef struct Age:
    uint32_t value
    uint32_t* place


cdef inline int compare_ages(const void* a, const void* b) noexcept nogil:
    cdef uint32_t x = (<const Age*>a).value
    cdef uint32_t y = (<const Age*>b).value
    return (x > y) - (x < y)


cdef inline size_t count_items(const Peer* peer) noexcept nogil:
    cdef size_t count = 0
    cdef const Flight* flight = peer.flights
    while flight != NULL:
        count += flight.count
        flight = flight.next
    return count


cdef inline uint32_t renumber(Age* ages, size_t count) noexcept nogil:
    """Make ages as small as their order allows; returns the greatest."""
    cdef uint32_t age = 0
    cdef uint32_t before = 0
    cdef size_t i
    qsort(ages, count, sizeof(Age), compare_ages)
    for i in range(count):
        if i == 0 or ages[i].value != before:
            age += 1
            before = ages[i].value
        ages[i].place[0] = age
    return age


cdef inline size_t add_age(Age* ages, size_t count, uint32_t* place) noexcept nogil:
    ages[count].value = place[0]
    ages[count].place = place
    return count + 1


cdef inline uint32_t renumber_wants(const Queues* q, Peer* peer, Age* ages) noexcept nogil:
    cdef size_t count = 0
    cdef uint32_t i
    cdef Want* want
    cdef Flight* flight = peer.flights
    for i in range(peer.count):
        want = want_at(q, peer.slots[i].want)
        if want.flags & WANTED:
            count = add_age(ages, count, &want.seq)
    while flight != NULL:
        for i in range(flight.count):
            if flight.items[i].flags & WANTED:
                count = add_age(ages, count, &flight.items[i].want_seq)
        flight = flight.next
    return renumber(ages, count)


cdef inline uint32_t renumber_tasks(Peer* peer, Age* ages, uint32_t* taken) noexcept nogil:
    """`taken` has room for the ages of what is queued."""
    cdef size_t count = 0
    cdef uint32_t i, youngest
    cdef Flight* flight = peer.flights
    for i in range(peer.queued):
        taken[i] = <uint32_t>peer.slots[i].key
        count = add_age(ages, count, &taken[i])
    while flight != NULL:
        for i in range(flight.count):
            if not flight.items[i].flags & LATER:
                count = add_age(ages, count, &flight.items[i].seq)
        flight = flight.next
    youngest = renumber(ages, count)
    for i in range(peer.queued):
        peer.slots[i].key = (peer.slots[i].key >> 32) << 32 | taken[i]
    return youngest


cdef inline int keep_ages_small(const Queues* q, Peer* peer) noexcept nogil:
    """Renumber, should ages have become so large that they might not fit; -1 when memory for that is short."""
    cdef size_t count
    cdef Age* ages
    if peer.last_want < q.last_seq and peer.last_task < q.last_seq:
        return 0
    count = peer.count + count_items(peer)
    ages = <Age*>grab(count * (sizeof(Age) + sizeof(uint32_t)))
    if ages == NULL:
        return -1
    if not q.own_sizes:
        drop_order(peer)  # it goes by ages
        peer.last_want = renumber_wants(q, peer, ages)
    peer.last_task = renumber_tasks(peer, ages, <uint32_t*>(ages + count))
    release(ages)
    return 0
