# cython: language_level=3
"""Answers taken together for one peer: put into a message, sent or not; and the pace at which it goes on."""

from libc.stdint cimport int64_t, uint32_t

from bitswap._core.answers cimport (
    end_task, expect_first, expect_queue, expect_tasks, frame_bytes, put_back, take_task, unlink_idle, unlink_idle_hashed, untake_task, vanish,
)
from bitswap._core.evictions cimport drop_order
from bitswap._core.lanes cimport rest_if_idle, update_peer
from bitswap._core.ledger cimport answer_want, restore_want
from bitswap._core.memory cimport prefetch, regrab
from bitswap._core.records cimport (
    AHEAD, LATER, OUTCOMES, OWED, POSTPONED, SAYS_BLOCK, SAYS_HAVE, TASK_DENIAL, TASK_HAVE, VANISHED, WITHDRAWN,
    Flight, Item, Peer, Queues, cid_of, may_have_more, peer_at, want_at,
)
from bitswap._core.taskheap cimport trim_slots
from bitswap._core.turns cimport note_service
from bitswap._core.wantlists cimport FEW, expect_hash

cdef extern from *:
    """
    #define BITSWAP_FAST 0.1
    #define BITSWAP_SLOW 1.0
    """
    # Seconds from taking answers to the end of the send, within which a full message was fast, above which one was slow.
    const double FAST "BITSWAP_FAST"
    const double SLOW "BITSWAP_SLOW"


# Pace


cdef inline void pace_sent(const Queues* q, Peer* peer, double elapsed, bint full) noexcept nogil:
    """A message left after `elapsed` seconds; `full` says that its size was what limited it."""
    if q.own_sizes:
        return
    if elapsed > SLOW:
        peer.target = <uint32_t>max(<int64_t>peer.target // 2, q.target)
        peer.outstanding = <uint32_t>max(<int64_t>peer.outstanding // 2, q.outstanding)
    elif full and elapsed <= FAST:
        peer.target = <uint32_t>min(<int64_t>peer.target * 2, q.most_target)
        peer.outstanding = <uint32_t>min(<int64_t>peer.outstanding * 2, q.most_outstanding)


cdef inline int64_t round_target(const Queues* q, const Peer* peer, int64_t most) noexcept nogil:
    """Bytes of the next message to a peer, when one to each that was served of late may have `most` together."""
    return max(q.target, min(<int64_t>peer.target, most // max(q.turns.line, 1)))


cdef inline int more_items(Flight* flight, uint32_t expected) noexcept nogil:
    cdef uint32_t room = flight.room * 2 if flight.room else expected
    cdef Item* items = <Item*>regrab(flight.items, room * sizeof(Item))
    if items == NULL:
        return -1
    flight.items = items
    flight.room = room
    return 0


cdef inline bint is_wanting(const Queues* q, const Flight* flight, int64_t weight, int64_t target) noexcept nogil:
    return weight < target and (flight.count < q.most_items or weight < q.target)


cdef inline int board(Queues* q, Peer* peer, Flight* flight, int64_t target, int64_t room) noexcept nogil:
    """Take answers until they weigh `target`, or need more than `room` bytes of a frame, but at least one.

    Beyond the size that messages have at first there are at most so many as `most_items` says.

    -1, and nothing has changed, when memory is short.
    """
    cdef int64_t weight = 0
    expect_first(q, peer)
    while is_wanting(q, flight, weight, target) and peer.queued and may_have_more(q, peer):
        room -= frame_bytes(q, want_at(q, peer.slots[0].want))
        if room < 0 and flight.count:
            break
        if flight.count == flight.room and more_items(flight, min(peer.queued, 16U)) < 0:
            while flight.count:
                flight.count -= 1
                untake_task(q, peer, &flight.items[flight.count])
            return -1
        expect_tasks(q, peer)
        take_task(q, peer, &flight.items[flight.count])
        weight += flight.items[flight.count].work
        flight.count += 1
    flight.work = weight
    return 0


cdef inline void depart(Queues* q, uint32_t number, Peer* peer, Flight* flight, double now) noexcept nogil:
    """The answers of a flight are under way."""
    flight.peer = number
    flight.generation = peer.generation
    flight.pending_work = peer.queued_work
    flight.more = peer.queued > 0
    flight.taken_at = now
    flight.ended = False
    flight.prev = NULL
    flight.next = peer.flights
    if flight.next != NULL:
        flight.next.prev = flight
    peer.flights = flight
    peer.under_way += 1
    q.active_work += flight.work
    note_service(q, number, peer, now)
    update_peer(q, number, peer)
    if q.turns.count:
        expect_queue(peer_at(q, q.turns.heap[0]))


cdef inline bint is_current(const Queues* q, const Flight* flight) noexcept nogil:
    """Whether a flight is under way and its peer has not left since."""
    return not flight.ended and peer_at(q, flight.peer).generation == flight.generation


cdef inline void leave_flights(Peer* peer, Flight* flight) noexcept nogil:
    """Take a current flight from the peer's list."""
    if flight.prev != NULL:
        flight.prev.next = flight.next
    else:
        peer.flights = flight.next
    if flight.next != NULL:
        flight.next.prev = flight.prev
    flight.next = flight.prev = NULL


# How it went


cdef inline bint land(Queues* q, Flight* flight) noexcept nogil:
    """Take a flight off the books. False if its peer has left since it departed; its items then say nothing.

    Else `end_task` for each item and `update_peer` are for the caller.
    """
    cdef Peer* peer = peer_at(q, flight.peer)
    cdef bint current = peer.generation == flight.generation
    flight.ended = True
    q.active_work -= flight.work
    peer.under_way -= 1
    if current:
        leave_flights(peer, flight)
    elif peer.present:
        # It came back while this was under way, and has waited for its end.
        update_peer(q, flight.peer, peer)
    return current


cdef inline void expect_cid(const Queues* q, const Item* item) noexcept nogil:
    # The want of one that was postponed may be gone.
    if not item.flags & LATER:
        prefetch(cid_of(q, want_at(q, item.want)))


cdef inline void expect_bucket(const Queues* q, Item* item) noexcept nogil:
    if not item.flags & LATER:
        item.seq = expect_hash(q, want_at(q, item.want))  # its age is of no account any more


cdef inline void land_item(Queues* q, Peer* peer, const Item* item) noexcept nogil:
    """An answer was sent; the hash of its CID is in `seq`."""
    if not item.flags & LATER:
        end_task(q, peer, item)
        unlink_idle_hashed(q, peer, item.want, item.seq)


cdef inline void land_well(Queues* q, Flight* flight, double now) noexcept nogil:
    """The answers were sent, or there was nothing to send."""
    cdef Peer* peer = peer_at(q, flight.peer)
    cdef uint32_t step
    if not land(q, flight):
        return
    if flight.count <= FEW:
        land_few(q, peer, flight)
        flight_landed(q, peer, flight, now)
        return
    # Each goes through four stages, as in `unlink_all`.
    for step in range(flight.count + 3 * AHEAD):
        if step < flight.count:
            prefetch(want_at(q, flight.items[step].want))
        if AHEAD <= step < flight.count + AHEAD:
            expect_cid(q, &flight.items[step - AHEAD])
        if 2 * AHEAD <= step < flight.count + 2 * AHEAD:
            expect_bucket(q, &flight.items[step - 2 * AHEAD])
        if step >= 3 * AHEAD:
            land_item(q, peer, &flight.items[step - 3 * AHEAD])
    flight_landed(q, peer, flight, now)


cdef inline void land_few(Queues* q, Peer* peer, Flight* flight) noexcept nogil:
    """The answers of a flight that are so few that all they need is fetched at once."""
    cdef uint32_t i
    for i in range(flight.count):
        prefetch(want_at(q, flight.items[i].want))
    for i in range(flight.count):
        expect_cid(q, &flight.items[i])
    for i in range(flight.count):
        expect_bucket(q, &flight.items[i])
    for i in range(flight.count):
        land_item(q, peer, &flight.items[i])


cdef inline void flight_landed(Queues* q, Peer* peer, const Flight* flight, double now) noexcept nogil:
    trim_slots(peer)
    pace_sent(q, peer, now - flight.taken_at, flight.more)
    peer.failures = 0
    update_peer(q, flight.peer, peer)
    if q.turns.count:
        expect_first(q, peer_at(q, q.turns.heap[0]))


cdef inline bint is_told(const Item* item, bint denials) noexcept nogil:
    """Whether the peer hears of it: a vanished block is passed over in silence unless it asked."""
    return (item.flags & TASK_HAVE) != 0 or ((item.flags & TASK_DENIAL) != 0 and denials)


cdef inline bint land_badly(Queues* q, Flight* flight, bint denials) noexcept nogil:
    """The answers were not sent: what the peer has not withdrawn is owed again. False if the peer has left.

    `update_peer`, and whatever holds the peer back for now, are for the caller.
    """
    cdef Peer* peer = peer_at(q, flight.peer)
    cdef uint32_t i
    cdef Item* item
    if not land(q, flight):
        return False
    for i in range(flight.count):
        item = &flight.items[i]
        if item.flags & LATER:
            continue
        if not want_at(q, item.want).flags & WITHDRAWN and (q.own_sizes or is_told(item, denials)):
            item.flags |= OWED
        end_task(q, peer, item)
    if not q.own_sizes:
        # So the peer is served first when its wait is over.
        rest_if_idle(q, peer)
    for i in range(flight.count):
        item = &flight.items[i]
        if item.flags & OWED:
            restore_want(q, peer, item)
            put_back(q, peer, item)
        elif not item.flags & LATER:
            unlink_idle(q, peer, item.want)
    return True


# Filling


cdef inline void postpone(Queues* q, Peer* peer, Flight* flight, Item* item) noexcept nogil:
    """Take an answer out of a current flight, and queue it again unless the peer has withdrawn it."""
    cdef bint owed = not want_at(q, item.want).flags & WITHDRAWN
    item.flags |= LATER
    flight.work -= item.work
    q.active_work -= item.work
    end_task(q, peer, item)
    if owed:
        put_back(q, peer, item)
    else:
        unlink_idle(q, peer, item.want)


cdef inline void settle_outcomes(Queues* q, Flight* flight) noexcept nogil:
    """Act on the outcomes that the answers of a current flight have; `answer_wants` may follow."""
    cdef Peer* peer = peer_at(q, flight.peer)
    cdef bint postponed = False
    cdef uint32_t i
    cdef Item* item
    for i in range(flight.count):
        item = &flight.items[i]
        if item.outcome & VANISHED:
            vanish(q, item)
        if item.outcome & OUTCOMES == POSTPONED:
            postponed = True
            postpone(q, peer, flight, item)
    if postponed:
        update_peer(q, flight.peer, peer)


cdef inline void answer_wants(Queues* q, Flight* flight) noexcept nogil:
    """Take what the message of a current flight answers from the ledger."""
    cdef Peer* peer = peer_at(q, flight.peer)
    cdef uint32_t i, outcome
    for i in range(flight.count):
        outcome = flight.items[i].outcome & OUTCOMES
        if outcome == SAYS_BLOCK or outcome == SAYS_HAVE:
            answer_want(q, peer, &flight.items[i], outcome == SAYS_BLOCK)
    if peer.wanted == 0:
        drop_order(peer)
