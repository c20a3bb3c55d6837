# cython: language_level=3
"""A wantlist taken in: wants recorded, answers to them queued (boxo `Engine.MessageReceived`).

Whatever may fail comes first, in `reserve_intake`; then `take_in` cannot.
"""

from libc.stdint cimport uint32_t, uint64_t

from bitswap._core.answers cimport Task, push_task, unlink_idle
from bitswap._core.cidarena cimport LONG_KEY, NIL
from bitswap._core.cidstore cimport cids_prefetch, cids_reserve, cids_reserve_long
from bitswap._core.cidtable cimport SEND_DONT_HAVE, Row
from bitswap._core.crowd cimport (
    Crowd, deny_crowd, forget_evicted, give_up, is_crowded, record_crowd, reserve_crowd,
)
from bitswap._core.lanes cimport rest_if_idle, update_peer
from bitswap._core.ledger cimport keep_ages_small, record_want
from bitswap._core.messagebody cimport WANT_BLOCK
from bitswap._core.records cimport AHEAD, WANTED, Peer, Queues, Want, peer_at, want_at
from bitswap._core.rows cimport (
    ROW_DENIED, ROW_PRESENT, ROW_REFUSED, ROW_WANT, Note, Wantlist, is_wanted, ledger_flags, link_row,
)
from bitswap._core.rules cimport Rules, answer_to, deny, limit_of, most_denials
from bitswap._core.slab cimport reserve_records
from bitswap._core.taskheap cimport reserve_slots
from bitswap._core.withdrawals cimport cancel_wants, clear_wants


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
    if list.wants:
        take_wants(q, number, peer, list, rules, crowd)
    update_peer(q, number, peer)


cdef inline void take_wants(
    Queues* q, uint32_t number, Peer* peer, const Wantlist* list, const Rules* rules, Crowd* crowd
) noexcept nogil:
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


cdef inline void record_all(Queues* q, uint32_t number, Peer* peer, const Wantlist* list) noexcept nogil:
    cdef uint32_t i
    cdef Note* note
    cdef const Row* row
    for i in range(list.count):
        if i + 2 * AHEAD < list.count:
            cids_prefetch(&q.cids, list.rows[i + 2 * AHEAD].hash)
        note = &list.notes[i]
        if is_wanted(note):
            row = &list.rows[i]
            link_row(q, number, row, note)
            record_want(q, peer, note.want, row.priority, ledger_flags(row, note))


cdef inline void deny_rows(
    Queues* q, uint32_t number, Peer* peer, const Wantlist* list, const Rules* rules
) noexcept nogil:
    """Say DONT_HAVE, where that was asked for, to what the peer may not have."""
    cdef uint64_t limit = most_denials(rules, peer)
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
    cdef uint64_t limit = peer.wanted + 2 * rules.least_wants
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
                push_task(q, peer, want, &task, limit_of(&task, limit))
        if not want.flags & WANTED:
            unlink_idle(q, peer, note.want)
