# cython: language_level=3
"""A wantlist taken in: wants recorded, answers to them queued (boxo `Engine.MessageReceived`).

Whatever may fail comes first: `reserve_intake`. A message for which there is room goes through `take_in`; one that might leave
its peer with too many wants through `take_in_crowd`, which gives some up.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport qsort

from bitswap._core.answers cimport Task, drop_task, push_task, unlink_idle, withdraw
from bitswap._core.cidarena cimport LONG_KEY, NIL, Cid
from bitswap._core.cidstore cimport cid_at, cids_find, cids_intern, cids_prefetch, cids_reserve, cids_reserve_long
from bitswap._core.cidtable cimport SEND_DONT_HAVE, Row
from bitswap._core.evictions cimport lowest_want, prepare_order, rank_of, standing
from bitswap._core.lanes cimport rest_if_idle, update_peer
from bitswap._core.ledger cimport drop_want, keep_ages_small, record_want
from bitswap._core.memory cimport grab, release
from bitswap._core.messagebody cimport WANT_BLOCK
from bitswap._core.records cimport (
    AVAILABLE, LEDGER_FLAGS, TASK_BLOCK, TASK_DENIAL, TASK_FLAGS, TASK_HAVE, TASK_UNSIZED, WANTED, WANTS_BLOCK,
    WANTS_DENIAL, WITHDRAWN, Peer, Queues, Want, is_queued, peer_at, want_at,
)
from bitswap._core.slab cimport reserve_records
from bitswap._core.taskheap cimport reserve_slots
from bitswap._core.wantlists cimport find_want, link_want, unlink_want

cdef extern from *:
    """
    /* What is known of a row: bits above the size of its block. */
    #define BITSWAP_ROW_SIZE 0x7FFFFFu
    enum {
        BITSWAP_ROW_CANCEL = 1 << 23, BITSWAP_ROW_WANT = 1 << 24, BITSWAP_ROW_KNOWN = 1 << 25,
        BITSWAP_ROW_PRESENT = 1 << 26, BITSWAP_ROW_DENIED = 1 << 27, BITSWAP_ROW_REFUSED = 1 << 28
    };
    """
    const uint32_t ROW_SIZE "BITSWAP_ROW_SIZE"
    const uint32_t ROW_CANCEL "BITSWAP_ROW_CANCEL"      # something is withdrawn
    const uint32_t ROW_WANT "BITSWAP_ROW_WANT"          # something is wanted
    const uint32_t ROW_KNOWN "BITSWAP_ROW_KNOWN"        # the size was known when the row was looked up
    const uint32_t ROW_PRESENT "BITSWAP_ROW_PRESENT"    # there is a block, and a message can carry it
    const uint32_t ROW_DENIED "BITSWAP_ROW_DENIED"      # the peer may not have it
    const uint32_t ROW_REFUSED "BITSWAP_ROW_REFUSED"    # there is no room for the want


# What is known of one row of a wantlist.
cdef struct Note:
    uint32_t what
    uint32_t want   # number, once there is one


# A wantlist about to be taken in; nothing of it may change meanwhile.
cdef struct Wantlist:
    const Row* rows
    Note* notes
    uint32_t count
    uint32_t wants      # rows that are ROW_WANT
    size_t key_bytes    # of these
    bint full
    bint any_long       # one of these keys is long
    bint any_denied


cdef struct Rules:
    int64_t replaced        # bytes of the largest block that answers a question for it; -1 = none
    bint denials            # whether DONT_HAVE is ever said
    uint64_t most_wants     # of one peer
    uint64_t least_wants    # the same while there are `many_wants`
    uint64_t many_wants


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


cdef inline uint64_t share(const Rules* rules, uint64_t wanted) noexcept nogil:
    """Wants that one peer may have while all have `wanted`."""
    return rules.most_wants if wanted < rules.many_wants else rules.least_wants


cdef inline bint is_wanted(const Note* note) noexcept nogil:
    """Whether a row is a want that may be recorded."""
    return note.what & (ROW_WANT | ROW_DENIED) == ROW_WANT


cdef inline uint16_t ledger_flags(const Row* row, const Note* note) noexcept nogil:
    return (
        (WANTS_BLOCK if row.kind == WANT_BLOCK else 0)
        | (WANTS_DENIAL if row.flags & SEND_DONT_HAVE else 0)
        | (AVAILABLE if note.what & ROW_PRESENT else 0)
    )


cdef inline bint answer_to(const Row* row, const Note* note, const Rules* rules, Task* task) noexcept nogil:
    """The answer that a want gets now; False if it gets none."""
    cdef int64_t size = note.what & ROW_SIZE
    task.priority = row.priority
    task.flags = TASK_BLOCK if row.kind == WANT_BLOCK else 0
    if row.flags & SEND_DONT_HAVE:
        task.flags |= TASK_DENIAL
    if not note.what & ROW_PRESENT:
        return (row.flags & SEND_DONT_HAVE) != 0 and rules.denials
    task.flags |= TASK_HAVE
    if size <= rules.replaced:
        task.flags |= TASK_BLOCK
    elif rules.replaced < 0 and row.kind != WANT_BLOCK:
        task.flags |= TASK_UNSIZED
    return True


cdef inline uint32_t intern_row(Queues* q, const Row* row, const Note* note) noexcept nogil:
    """The CID of a row. A size is kept as long as anybody refers to the CID."""
    cdef uint32_t cid = cids_intern(&q.cids, row.cid, row.length, row.hash)
    cdef Cid* entry = cid_at(&q.cids, cid)
    if note.what & ROW_PRESENT and not entry.sized:
        entry.size = note.what & ROW_SIZE
        entry.sized = 1
    return cid


cdef inline uint32_t find_row(const Queues* q, uint32_t peer, const Row* row) noexcept nogil:
    """What the peer has to do with the CID of a row, or NIL."""
    cdef uint32_t cid = cids_find(&q.cids, row.cid, row.length, row.hash)
    return NIL if cid == NIL else find_want(q, peer, cid)


# Before anything is changed


cdef inline int reserve_cids(Queues* q, const Wantlist* list) noexcept nogil:
    cdef uint32_t i
    if cids_reserve(&q.cids, list.wants, list.key_bytes) < 0:
        return -1
    if list.any_long:
        for i in range(list.count):
            if list.notes[i].what & ROW_WANT and list.rows[i].length > LONG_KEY:
                if cids_reserve_long(&q.cids, list.rows[i].length) < 0:
                    return -1
    return 0


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


cdef inline int reserve_intake(
    Queues* q, uint32_t number, const Wantlist* list, const Rules* rules, Crowd* crowd
) noexcept nogil:
    """All the memory that taking in may need; -1 when it is short.

    `crowd.newcomers` stays NULL if there is room for all; else release it afterwards.
    """
    cdef Peer* peer = peer_at(q, number)
    crowd.newcomers = NULL
    if list.wants == 0:
        return 0
    if keep_ages_small(q, peer) < 0 or reserve_records(&q.wants, list.wants) < 0:
        return -1
    if reserve_slots(peer, list.wants) < 0 or reserve_cids(q, list) < 0:
        return -1
    if is_crowded(q, number, list, rules):
        return reserve_crowd(q, peer, list, crowd)
    return 0


# Taking in


cdef inline void take_in(
    Queues* q, uint32_t number, const Wantlist* list, const Rules* rules, Crowd* crowd
) noexcept nogil:
    """Take in a wantlist for which `reserve_intake` was called, with nothing in between."""
    cdef Peer* peer = peer_at(q, number)
    if list.full:
        clear_wants(q, peer)
    else:
        cancel_wants(q, number, peer, list)
    rest_if_idle(q, peer)
    if crowd.newcomers == NULL:
        record_all(q, number, peer, list)
    else:
        record_crowd(q, number, peer, list, rules, crowd)
        give_up(q, peer, list, crowd)
    if list.any_denied:
        deny_rows(q, number, peer, list, rules)
    if crowd.newcomers != NULL:
        deny_crowd(q, number, peer, list, rules, crowd)
    queue_all(q, peer, list, rules)
    if crowd.newcomers != NULL:
        forget_evicted(q, peer, crowd)
    update_peer(q, number, peer)


cdef inline void clear_wants(Queues* q, Peer* peer) noexcept nogil:
    """Forget all wants and queued answers; what is under way is not put back."""
    cdef uint32_t i = peer.count
    cdef uint32_t number
    cdef Want* want
    q.wanted -= peer.wanted
    peer.wanted = peer.queued = 0
    peer.queued_work = 0
    if peer.order != NULL:
        peer.order.count = 0
    while i:
        i -= 1
        number = peer.slots[i].want
        want = want_at(q, number)
        want.flags &= ~(LEDGER_FLAGS | TASK_FLAGS)
        if not withdraw(want):
            unlink_want(q, number)


cdef inline void cancel_wants(Queues* q, uint32_t number, Peer* peer, const Wantlist* list) noexcept nogil:
    cdef uint32_t i, found
    cdef Want* want
    if list.wants == list.count or peer.count == 0:
        return
    for i in range(list.count):
        if not list.notes[i].what & ROW_CANCEL:
            continue
        found = find_row(q, number, &list.rows[i])
        if found == NIL:
            continue
        want = want_at(q, found)
        withdraw(want)
        if want.flags & WANTED:
            drop_want(q, peer, want)
            if is_queued(peer, want):
                drop_task(q, peer, want)
            unlink_idle(q, peer, found)


cdef inline void link_row(Queues* q, uint32_t number, const Row* row, Note* note) noexcept nogil:
    """See to it that the peer has a want for a row, be it one that is in nothing yet."""
    cdef uint32_t cid = intern_row(q, row, note)
    note.want = find_want(q, number, cid)
    if note.want == NIL:
        note.want = link_want(q, number, cid)


cdef inline void record_all(Queues* q, uint32_t number, Peer* peer, const Wantlist* list) noexcept nogil:
    cdef uint32_t i
    cdef Note* note
    cdef const Row* row
    for i in range(list.count):
        if i + 8 < list.count:
            cids_prefetch(&q.cids, list.rows[i + 8].hash)
        note = &list.notes[i]
        if is_wanted(note):
            row = &list.rows[i]
            link_row(q, number, row, note)
            record_want(q, peer, note.want, row.priority, ledger_flags(row, note))


cdef inline void deny(
    Queues* q, Peer* peer, uint32_t number, int32_t priority, bint block, uint64_t limit
) noexcept nogil:
    """Say DONT_HAVE to something that is not, or no longer, in the ledger."""
    cdef Task task
    task.priority = priority
    task.size = 0
    task.flags = TASK_DENIAL | (TASK_BLOCK if block else 0)
    push_task(q, peer, want_at(q, number), &task, limit)


cdef inline void deny_rows(
    Queues* q, uint32_t number, Peer* peer, const Wantlist* list, const Rules* rules
) noexcept nogil:
    """Say DONT_HAVE, where that was asked for, to what the peer may not have."""
    cdef uint64_t limit = 2 * share(rules, q.wanted)
    cdef const Row* row
    cdef uint32_t i
    if not rules.denials:
        return
    for i in range(list.count):
        row = &list.rows[i]
        if list.notes[i].what & ROW_DENIED and row.flags & SEND_DONT_HAVE:
            link_row(q, number, row, &list.notes[i])
            deny(q, peer, list.notes[i].want, row.priority, row.kind == WANT_BLOCK, limit)


cdef inline void queue_all(Queues* q, Peer* peer, const Wantlist* list, const Rules* rules) noexcept nogil:
    """Queue what can be answered now. Wants that nothing has come of are forgotten."""
    # In the ledger each has room, beside denials of wants that are not.
    cdef uint64_t limit = peer.wanted + 2 * share(rules, q.wanted)
    cdef Want* want
    cdef Note* note
    cdef Task task
    cdef uint32_t i
    for i in range(list.count):
        note = &list.notes[i]
        if not note.what & ROW_WANT or note.want == NIL:
            continue
        want = want_at(q, note.want)
        # One that was given up for another row is told so by `deny_crowd`, unless it is missing anyway.
        if is_wanted(note) and (want.flags & WANTED or not note.what & (ROW_PRESENT | ROW_REFUSED)):
            if answer_to(&list.rows[i], note, rules, &task):
                push_task(q, peer, want, &task, limit)
        if not want.flags & WANTED:
            unlink_idle(q, peer, note.want)


# Where there is too much


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
    cdef uint64_t limit = 2 * share(rules, q.wanted)
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
