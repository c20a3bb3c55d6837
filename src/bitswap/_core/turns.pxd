# cython: language_level=3
"""Which peer is served next (boxo `decision/scheduler.go`, the fair comparator).

Of those that are ready: starved before others; then fewer CIDs under way; then more queued, counted up to PENDING_CAP; then
served longest ago; then a salted hash. They are a heap in which every peer knows its place, and whose keys are the records of
the peers: after a change of what counts, `enter_turn` or `leave_turn` comes before any other peer's. Those that were served
are in a list by time, from whose head they become starved.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from bitswap._core.cidarena cimport NIL
from bitswap._core.memory cimport prefetch, regrab, release
from bitswap._core.records cimport PENDING_CAP, Peer, Queues, Turns, is_lined_up, peer_at


cdef inline void init_turns(Turns* turns) noexcept nogil:
    memset(turns, 0, sizeof(Turns))
    turns.first = turns.last = NIL


cdef inline void free_turns(Turns* turns) noexcept nogil:
    release(turns.heap)
    turns.heap = NULL
    turns.count = turns.room = 0


cdef inline int reserve_turns(Turns* turns, uint32_t peers) noexcept nogil:
    """Room for that many peers in all; -1 when memory is short."""
    cdef uint32_t* heap
    cdef size_t room = peers + peers // 8
    if peers <= turns.room:
        return 0
    heap = <uint32_t*>regrab(turns.heap, room * sizeof(uint32_t))
    if heap == NULL:
        return -1
    turns.heap = heap
    turns.room = <uint32_t>room
    return 0


cdef inline uint64_t turn_rank(const Peer* peer) noexcept nogil:
    cdef uint64_t queued = peer.queued if peer.queued < PENDING_CAP else PENDING_CAP
    return <uint64_t>(not peer.starved) << 63 | <uint64_t>peer.active << 8 | (PENDING_CAP - queued)


cdef inline bint goes_before(const Peer* a, const Peer* b) noexcept nogil:
    cdef uint64_t rank = turn_rank(a)
    cdef uint64_t other = turn_rank(b)
    if rank != other:
        return rank < other
    if a.service != b.service:
        return a.service < b.service
    return a.tie < b.tie


cdef inline void put_turn(Queues* q, uint32_t place, uint32_t number) noexcept nogil:
    q.turns.heap[place] = number
    peer_at(q, number).turn = place


cdef inline void expect_turn(const Queues* q, uint32_t place) noexcept nogil:
    """Tell the processor of the peers with which one at `place` may change places when it leaves."""
    cdef uint32_t child = 2 * place + 1
    prefetch(peer_at(q, q.turns.heap[q.turns.count - 1]))
    if place:
        prefetch(peer_at(q, q.turns.heap[(place - 1) >> 1]))
    if child + 1 < q.turns.count:
        prefetch(peer_at(q, q.turns.heap[child]))
        prefetch(peer_at(q, q.turns.heap[child + 1]))


cdef inline void expect_turns(const Queues* q, uint32_t place) noexcept nogil:
    """Tell the processor of the four below the next two, which are compared after them."""
    cdef uint32_t first = 4 * place + 3
    cdef uint32_t i
    if first + 3 < q.turns.count:
        for i in range(first, first + 4):
            prefetch(peer_at(q, q.turns.heap[i]))


cdef inline void settle_turn(Queues* q, uint32_t place, uint32_t number) noexcept nogil:
    """Put the turn of a peer where it belongs; `place` is free."""
    cdef uint32_t* heap = q.turns.heap
    cdef const Peer* peer = peer_at(q, number)
    cdef uint32_t other
    while place:
        other = (place - 1) >> 1
        if not goes_before(peer, peer_at(q, heap[other])):
            break
        put_turn(q, place, heap[other])
        place = other
    while True:
        other = 2 * place + 1
        if other >= q.turns.count:
            break
        expect_turns(q, place)
        if other + 1 < q.turns.count and goes_before(peer_at(q, heap[other + 1]), peer_at(q, heap[other])):
            other += 1
        if not goes_before(peer_at(q, heap[other]), peer):
            break
        put_turn(q, place, heap[other])
        place = other
    put_turn(q, place, number)


cdef inline void enter_turn(Queues* q, uint32_t number, Peer* peer) noexcept nogil:
    """Rank a peer that is ready, for the first time or anew."""
    cdef uint32_t place = peer.turn
    if place == NIL:
        place = q.turns.count
        q.turns.count += 1
    settle_turn(q, place, number)


cdef inline void leave_turn(Queues* q, Peer* peer) noexcept nogil:
    """The peer is not ready."""
    cdef uint32_t place = peer.turn
    if place == NIL:
        return
    peer.turn = NIL
    q.turns.count -= 1
    if place != q.turns.count:
        settle_turn(q, place, q.turns.heap[q.turns.count])


# Starvation


cdef inline void leave_line(Queues* q, Peer* peer) noexcept nogil:
    if not is_lined_up(peer):
        return
    q.turns.line -= 1
    if peer.earlier == NIL:
        q.turns.first = peer.later
    else:
        peer_at(q, peer.earlier).later = peer.later
    if peer.later == NIL:
        q.turns.last = peer.earlier
    else:
        peer_at(q, peer.later).earlier = peer.earlier


cdef inline void note_service(Queues* q, uint32_t number, Peer* peer, double now) noexcept nogil:
    """The peer was given something; its rank changes when it is ranked next."""
    leave_line(q, peer)
    q.turns.line += 1
    peer.earlier = q.turns.last
    peer.later = NIL
    if q.turns.last == NIL:
        q.turns.first = number
    else:
        peer_at(q, q.turns.last).later = number
    q.turns.last = number
    q.turns.services += 1
    peer.service = q.turns.services
    peer.served_at = now
    peer.starved = False


cdef inline void rest(Queues* q, Peer* peer) noexcept nogil:
    """The peer has all it asked for: when it asks again it counts as never served (boxo `forget`)."""
    leave_line(q, peer)
    peer.service = 0
    peer.starved = True


cdef inline void promote(Queues* q, double now) noexcept nogil:
    """Rank those anew whose last service has just become too long ago."""
    cdef uint32_t number
    cdef Peer* peer
    while q.turns.first != NIL:
        number = q.turns.first
        peer = peer_at(q, number)
        if not peer.served_at + q.turns.timeout < now:
            break
        leave_line(q, peer)
        peer.starved = True
        if peer.turn != NIL:
            enter_turn(q, number, peer)
