# cython: language_level=3
"""Wants withdrawn: one by one, many at a time, all at once."""

from libc.stdint cimport uint32_t

from bitswap._core.answers cimport drop_task, mark_task, unlink_idle_hashed, withdraw
from bitswap._core.cidarena cimport NIL
from bitswap._core.cidstore cimport cids_prefetch
from bitswap._core.ledger cimport drop_want
from bitswap._core.records cimport (
    AHEAD, LEDGER_FLAGS, TASK_FLAGS, WANTED, Peer, Queues, Want, is_queued, want_at,
)
from bitswap._core.rows cimport ROW_CANCEL, Wantlist, find_row
from bitswap._core.taskheap cimport sweep_slots
from bitswap._core.wantlists cimport expect_few, expect_wants, unlink_all, unlink_want

cdef enum:
    MANY = 4    # answers that go are many if there are that many, and at least one in eight of all


cdef inline bint is_many(const Peer* peer, size_t going) noexcept nogil:
    """Whether so many queued answers had better be marked, and go in one sweep."""
    return going >= <size_t>MANY and going >= peer.queued // 8


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
        if i >= 3 * AHEAD:
            expect_wants(
                q, peer.slots[i - 3 * AHEAD].want, peer.slots[i - 2 * AHEAD].want, peer.slots[i - AHEAD].want
            )
        number = peer.slots[i].want
        want = want_at(q, number)
        want.flags &= ~(LEDGER_FLAGS | TASK_FLAGS)
        if not withdraw(want):
            unlink_want(q, number)


cdef inline void forget_all(Queues* q, Peer* peer) noexcept nogil:
    """Forget all wants and queued answers of a peer that has nothing under way."""
    q.wanted -= peer.wanted
    peer.wanted = peer.queued = 0
    peer.queued_work = 0
    unlink_all(q, peer)


cdef inline uint32_t find_cancelled(Queues* q, uint32_t number, Peer* peer, const Wantlist* list) noexcept nogil:
    """Note which wants are cancelled; returns how many there are."""
    cdef uint32_t count = 0
    cdef uint32_t i
    expect_few(q, peer)
    for i in range(list.count):
        if i + 2 * AHEAD < list.count:
            cids_prefetch(&q.cids, list.rows[i + 2 * AHEAD].hash)
        if list.notes[i].what & ROW_CANCEL:
            list.notes[i].want = find_row(q, number, &list.rows[i])
            count += list.notes[i].want != NIL
    return count


cdef inline void cancel_wants(Queues* q, uint32_t number, Peer* peer, const Wantlist* list) noexcept nogil:
    """Forget what is cancelled, and the answers to it that are queued; those under way are not put back."""
    cdef uint32_t cancels = list.count - list.wants
    cdef bint many = is_many(peer, cancels)
    cdef uint32_t i
    if cancels == 0 or peer.count == 0:
        return
    if find_cancelled(q, number, peer, list) == peer.count and peer.wanted == peer.count and peer.active == 0:
        forget_all(q, peer)
        return
    for i in range(list.count):
        if list.notes[i].what & ROW_CANCEL and list.notes[i].want != NIL:
            cancel_want(q, peer, list.notes[i].want, list.rows[i].hash, many)
    if not many:
        return
    sweep_slots(q, peer)
    for i in range(list.count):
        if list.notes[i].what & ROW_CANCEL and list.notes[i].want != NIL:
            unlink_idle_hashed(q, peer, list.notes[i].want, list.rows[i].hash)


cdef inline void cancel_want(Queues* q, Peer* peer, uint32_t number, uint32_t hash, bint many) noexcept nogil:
    """With `many`, `sweep_slots` and then `unlink_idle` are for the caller."""
    cdef Want* want = want_at(q, number)
    withdraw(want)
    if not want.flags & WANTED:
        return
    drop_want(q, peer, want)
    if is_queued(peer, want):
        if many:
            mark_task(q, peer, want)
        else:
            drop_task(q, peer, want)
    if not many:
        unlink_idle_hashed(q, peer, number, hash)
