# cython: language_level=3
"""A wantlist that would leave its peer with too many wants: what is kept, what is given up, and who is told."""

from libc.stdint cimport int32_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport qsort

from bitswap._core.answers cimport drop_task, unlink_idle, withdraw
from bitswap._core.cidarena cimport NIL
from bitswap._core.cidtable cimport SEND_DONT_HAVE, Row
from bitswap._core.evictions cimport lowest_want, prepare_order, rank_of, standing
from bitswap._core.lanes cimport rest_if_idle
from bitswap._core.ledger cimport drop_want, record_want
from bitswap._core.memory cimport grab, release
from bitswap._core.messagebody cimport WANT_BLOCK
from bitswap._core.records cimport (
    AVAILABLE, LEDGER_FLAGS, WANTED, WANTS_BLOCK, WANTS_DENIAL, Peer, Queues, Want, is_queued, peer_at, want_at,
)
from bitswap._core.rows cimport (
    ROW_CANCEL, ROW_PRESENT, ROW_REFUSED, Note, Wantlist, find_row, intern_row, is_wanted, ledger_flags, link_row,
)
from bitswap._core.rules cimport Rules, deny, most_denials, share


cdef struct Evicted:
    uint32_t want
    int32_t priority
    uint16_t flags  # LEDGER_FLAGS of the entry that was given up


cdef struct Crowd:
    uint64_t* newcomers     # place in the order of what is kept, and row
    Evicted* evicted
    uint32_t count
    uint32_t kept           # of the newcomers; the others are refused
    uint32_t evictions


cdef inline bint is_crowded(const Queues* q, uint32_t number, const Wantlist* list, const Rules* rules) noexcept nogil:
    """Whether the peer will have to give up wants, or not get all it asks for."""
    cdef const Peer* peer = peer_at(q, number)
    cdef uint64_t gone = peer.wanted if list.full else 0
    cdef uint64_t new = 0
    cdef uint32_t i, want
    if peer.wanted - gone + list.wants <= share(rules, q.wanted):
        return False
    for i in range(list.count):
        if list.full:
            new += is_wanted(&list.notes[i])
            continue
        want = find_row(q, number, &list.rows[i])
        if list.notes[i].what & ROW_CANCEL:
            gone += want != NIL and (want_at(q, want).flags & WANTED) != 0
        elif is_wanted(&list.notes[i]):
            new += want == NIL or (want_at(q, want).flags & WANTED) == 0
    return peer.wanted - gone + new > share(rules, q.wanted - gone) and new > 0


cdef inline int reserve_crowd(Queues* q, Peer* peer, const Wantlist* list, Crowd* crowd) noexcept nogil:
    crowd.count = crowd.evictions = 0
    crowd.evicted = NULL
    crowd.newcomers = <uint64_t*>grab(list.wants * (sizeof(uint64_t) + sizeof(Evicted)))
    if crowd.newcomers == NULL:
        return -1
    crowd.evicted = <Evicted*>(crowd.newcomers + list.wants)
    if prepare_order(q, peer, list.wants) < 0:
        release(crowd.newcomers)
        crowd.newcomers = NULL
        return -1
    return 0


cdef inline int compare_places(const void* a, const void* b) noexcept nogil:
    cdef uint64_t x = (<const uint64_t*>a)[0]
    cdef uint64_t y = (<const uint64_t*>b)[0]
    return (x > y) - (x < y)


cdef inline uint32_t newcomer(const Crowd* crowd, uint32_t position) noexcept nogil:
    """The row of one."""
    return <uint32_t>(crowd.newcomers[position] & 0x7FFFFFFF)


cdef inline void record_crowd(
    Queues* q, uint32_t number, Peer* peer, const Wantlist* list, const Rules* rules, Crowd* crowd
) noexcept nogil:
    """Replace what is wanted already, then record newcomers, the most wanted first, while there is room or can be made."""
    cdef uint64_t limit = share(rules, q.wanted)
    cdef uint64_t room
    cdef uint32_t i
    cdef Note* note
    cdef const Row* row
    for i in range(list.count):
        note = &list.notes[i]
        if not is_wanted(note):
            continue
        row = &list.rows[i]
        note.want = find_row(q, number, row)
        if note.want != NIL and want_at(q, note.want).flags & WANTED:
            intern_row(q, row, note)
            record_want(q, peer, note.want, row.priority, ledger_flags(row, note))
        else:
            crowd.newcomers[crowd.count] = (
                0x1FFFFFFFFULL - standing(row.priority, (note.what & ROW_PRESENT) != 0)
            ) << 31 | i
            crowd.count += 1
    room = limit - peer.wanted if limit > peer.wanted else 0
    if crowd.count > room:
        qsort(crowd.newcomers, crowd.count, sizeof(uint64_t), compare_places)
    crowd.kept = 0
    while crowd.kept < crowd.count:
        i = newcomer(crowd, crowd.kept)
        note = &list.notes[i]
        row = &list.rows[i]
        if crowd.kept >= room and not evict(q, number, peer, crowd, standing(row.priority, (note.what & ROW_PRESENT) != 0)):
            break
        link_row(q, number, row, note)
        record_want(q, peer, note.want, row.priority, ledger_flags(row, note))
        crowd.kept += 1
    for i in range(crowd.kept, crowd.count):
        list.notes[newcomer(crowd, i)].what |= ROW_REFUSED


cdef inline bint evict(Queues* q, uint32_t number, Peer* peer, Crowd* crowd, uint64_t above) noexcept nogil:
    """Give up the want that ranks lowest; False if it does not rank below `above`."""
    cdef uint32_t found = lowest_want(q, number, peer)
    cdef Want* want
    if found == NIL:
        return False
    want = want_at(q, found)
    if rank_of(want) >> 31 >= above:
        return False
    crowd.evicted[crowd.evictions].want = found
    crowd.evicted[crowd.evictions].priority = want.priority
    crowd.evicted[crowd.evictions].flags = want.flags & LEDGER_FLAGS
    crowd.evictions += 1
    drop_want(q, peer, want)
    return True


cdef inline void give_up(Queues* q, Peer* peer, const Wantlist* list, const Crowd* crowd) noexcept nogil:
    """Forget the answers to wants that had to go. One that is missing was told so already, or is about to be."""
    cdef uint32_t i, number
    for i in range(crowd.kept, crowd.count):
        number = list.notes[newcomer(crowd, i)].want
        if number != NIL:
            give_up_task(q, peer, want_at(q, number))
    for i in range(crowd.evictions):
        if crowd.evicted[i].flags & AVAILABLE:
            give_up_task(q, peer, want_at(q, crowd.evicted[i].want))
    rest_if_idle(q, peer)


cdef inline void give_up_task(Queues* q, Peer* peer, Want* want) noexcept nogil:
    if is_queued(peer, want):
        drop_task(q, peer, want)
    withdraw(want)


cdef inline void deny_crowd(
    Queues* q, uint32_t number, Peer* peer, const Wantlist* list, const Rules* rules, Crowd* crowd
) noexcept nogil:
    """Say DONT_HAVE, where that was asked for, to wants that had to go."""
    cdef uint64_t limit = most_denials(rules, peer)
    cdef const Evicted* gone
    cdef const Row* row
    cdef Note* note
    cdef uint32_t i
    if not rules.denials:
        return
    for i in range(crowd.kept, crowd.count):
        row = &list.rows[newcomer(crowd, i)]
        note = &list.notes[newcomer(crowd, i)]
        if row.flags & SEND_DONT_HAVE:
            link_row(q, number, row, note)
            deny(q, peer, note.want, row.priority, row.kind == WANT_BLOCK, limit)
    for i in range(crowd.evictions):
        gone = &crowd.evicted[i]
        if gone.flags & AVAILABLE and gone.flags & WANTS_DENIAL:
            deny(q, peer, gone.want, gone.priority, (gone.flags & WANTS_BLOCK) != 0, limit)


cdef inline void forget_evicted(Queues* q, Peer* peer, const Crowd* crowd) noexcept nogil:
    cdef uint32_t i
    for i in range(crowd.evictions):
        unlink_idle(q, peer, crowd.evicted[i].want)
