# cython: language_level=3
"""Whether all records of a core agree with each other, and what memory they take. For tests; never changes anything."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from bitswap._core.answers cimport is_idle, want_kinds
from bitswap._core.cidarena cimport NIL, Cid
from bitswap._core.cidcheck cimport cids_check
from bitswap._core.cidstore cimport cid_at, cids_count, cids_memory
from bitswap._core.evictions cimport is_in_force
from bitswap._core.memory cimport usable
from bitswap._core.records cimport (
    LATER, LEDGER_FLAGS, MARKS, MOST_UNDER_WAY, TASK_FLAGS, WANTED, Flight, Item, Node, Order, Peer, Queues, Want, cid_of,
    first_want, is_lined_up, is_queued, is_taken, may_have_more, node_at, peer_at, want_at, work_of,
)
from bitswap._core.slab cimport Slab, record_of, slab_bytes
from bitswap._core.taskheap cimport heap_holds, slots_bytes
from bitswap._core.turns cimport goes_before
from bitswap._core.wantlists cimport find_want, places_of


# What is counted on the way.
cdef struct Count:
    uint8_t* active     # by want: answers under way, and their kinds
    uint8_t* kinds
    uint8_t* seen       # by want: bits of what was met already
    uint64_t wants
    uint64_t wanted
    uint64_t cids
    int64_t work        # of flights
    uint32_t peers
    uint32_t ready
    uint32_t lined_up
    uint32_t ghosts     # peers that have left, with flights


cdef inline const char* check_queues(const Queues* q) noexcept:
    """What is wrong, or NULL."""
    cdef Count count
    cdef const char* wrong = NULL
    cdef size_t wants = q.wants.fresh + 1
    count.wants = count.wanted = count.cids = count.work = 0
    count.peers = count.ready = count.lined_up = count.ghosts = 0
    count.active = <uint8_t*>calloc(3 * wants, 1)
    if count.active == NULL:
        return "no memory for the check"
    count.kinds = count.active + wants
    count.seen = count.kinds + wants
    if not slab_is_whole(&q.wants) or not slab_is_whole(&q.peers) or not slab_is_whole(&q.known.nodes):
        wrong = "a list of free records"
    if wrong == NULL:
        wrong = check_peers(q, &count)
    if wrong == NULL:
        wrong = check_known(q, &count)
    if wrong == NULL:
        wrong = check_turns(q, &count)
    if wrong == NULL:
        wrong = check_totals(q, &count)
    free(count.active)
    return wrong


cdef inline bint slab_is_whole(const Slab* slab) noexcept:
    cdef uint32_t left = slab.fresh - slab.used
    cdef uint32_t number = slab.free
    if slab.used > slab.fresh or slab.fresh > slab.count << slab.bits:
        return False
    while number != NIL:
        if left == 0 or number >= slab.fresh:
            return False
        left -= 1
        number = (<const uint32_t*>record_of(slab, number))[0]
    return left == 0


cdef inline const char* check_totals(const Queues* q, const Count* count) noexcept:
    if count.wants != q.wants.used:
        return "wants that belong to nobody"
    if count.wanted != q.wanted:
        return "entries of the ledger in total"
    if count.cids != cids_count(&q.cids):
        return "CIDs that nobody refers to"
    if not cids_check(&q.cids):
        return "the store of CIDs"
    if count.peers > q.peers.used:
        return "peers"
    if count.ghosts == 0 and count.work != q.active_work:
        return "bytes under way to all peers"
    if count.work > q.active_work:
        return "more bytes under way to one than to all"
    return NULL


# Peers


cdef inline const char* check_peers(const Queues* q, Count* count) noexcept:
    cdef uint32_t number
    cdef Peer* peer
    cdef const char* wrong
    for number in range(q.peers.fresh):
        peer = peer_at(q, number)
        if not is_taken(peer):
            continue
        count.peers += 1
        count.ghosts += ghostly(peer)
        if not peer.present:
            if peer.count or peer.flights != NULL or peer.turn != NIL or peer.under_way == 0:
                return "a peer that has left"
            continue
        wrong = check_flights(q, number, peer, count)
        if wrong == NULL:
            wrong = check_slots(q, number, peer, count)
        if wrong == NULL:
            wrong = check_order(q, number, peer, count)
        if wrong == NULL:
            wrong = check_popular(q, peer)
        if wrong != NULL:
            return wrong
    return NULL


cdef inline bint ghostly(const Peer* peer) noexcept:
    """Whether flights from before the peer left are still under way."""
    cdef uint32_t flights = 0
    cdef const Flight* flight = peer.flights
    while flight != NULL:
        flights += 1
        flight = flight.next
    return flights != peer.under_way


cdef inline const char* check_flights(const Queues* q, uint32_t number, const Peer* peer, Count* count) noexcept:
    """Also counts what is under way for each want."""
    cdef const Flight* flight = peer.flights
    cdef const Flight* before = NULL
    cdef const Item* item
    cdef int64_t all = 0
    cdef int64_t work
    cdef uint32_t i, flights = 0
    while flight != NULL:
        if flight.prev != before or flight.peer != number or flight.generation != peer.generation or flight.ended:
            return "a flight in the list of a peer"
        work = 0
        for i in range(flight.count):
            item = &flight.items[i]
            if item.flags & LATER:
                continue
            if item.want >= q.wants.fresh or want_at(q, item.want).peer != number:
                return "an answer under way for another's want"
            count.active[item.want] += 1
            count.kinds[item.want] += want_kinds(item.flags)
            work += item.work
        if work != flight.work:
            return "bytes of a flight"
        all += work
        flights += 1
        before = flight
        flight = flight.next
    count.work += all
    if all != peer.active_work:
        return "bytes under way to a peer"
    if flights > peer.under_way or peer.under_way > MOST_UNDER_WAY:
        return "flights of a peer"
    return NULL


cdef inline const char* check_slots(const Queues* q, uint32_t number, const Peer* peer, Count* count) noexcept:
    cdef uint32_t i, wanted = 0, active = 0
    cdef int64_t work = 0
    cdef const Want* want
    cdef const char* wrong
    if peer.queued > peer.count or peer.count > peer.room:
        return "the number of slots"
    if not heap_holds(peer):
        return "the heap of answers"
    for i in range(peer.count):
        if peer.slots[i].want >= q.wants.fresh:
            return "the want of a slot"
        want = want_at(q, peer.slots[i].want)
        if want.pos != i or want.peer != number:
            return "the slot of a want"
        wrong = check_want(q, peer, peer.slots[i].want, count)
        if wrong != NULL:
            return wrong
        wanted += (want.flags & WANTED) != 0
        active += want.active != 0
        if i < peer.queued:
            work += work_of(q, want)
            if <uint32_t>peer.slots[i].key > peer.last_task:
                return "the age of an answer"
    count.wants += peer.count
    count.wanted += wanted
    if wanted != peer.wanted:
        return "entries of a peer in the ledger"
    if active != peer.active:
        return "CIDs under way to a peer"
    if work != peer.queued_work:
        return "bytes queued for a peer"
    return NULL


cdef inline const char* check_want(const Queues* q, const Peer* peer, uint32_t number, Count* count) noexcept:
    cdef const Want* want = want_at(q, number)
    cdef const Cid* cid = cid_of(q, want)
    if is_idle(peer, want):
        return "a want that is in nothing"
    if want.active != count.active[number] or want.kinds != count.kinds[number]:
        return "answers under way for a want"
    if want.active == 0 and want.flags & MARKS:
        return "marks of a want that is not under way"
    if not is_queued(peer, want) and want.flags & TASK_FLAGS:
        return "the answer of a want that is not queued"
    if not want.flags & WANTED and want.flags & LEDGER_FLAGS:
        return "flags of a want that is not in the ledger"
    if find_want(q, want.peer, want.cid) != number:
        return "a want that is not found"
    if want.next != NIL and (want_at(q, want.next).prev != number or want_at(q, want.next).cid != want.cid):
        return "the list of a CID"
    if want.prev != NIL:
        if want_at(q, want.prev).next != number:
            return "the list of a CID"
        return NULL
    count.cids += 1
    if cid.indexed > 1 or first_want(q, cid) != number:
        return "the head of a CID's list"
    return NULL


cdef inline const char* check_popular(const Queues* q, const Peer* peer) noexcept:
    cdef uint32_t i, indexed = 0, held = 0
    for i in range(peer.count):
        indexed += cid_of(q, want_at(q, peer.slots[i].want)).indexed
    if peer.popular != NULL:
        for i in range(peer.popular.room):
            held += places_of(peer.popular)[i] != 0
        if held == 0 or held != peer.popular.count:
            return "the table of popular wants"
    if indexed != held:
        return "the number of popular wants"
    return NULL


cdef inline const char* check_order(const Queues* q, uint32_t number, const Peer* peer, Count* count) noexcept:
    """The order in which wants are given up, if there is one, has each of them."""
    cdef const Order* order = peer.order
    cdef uint32_t i, found = 0
    if order == NULL:
        return NULL
    if peer.wanted == 0 or order.count > order.room:
        return "an order of wants to give up"
    for i in range(order.count):
        if i and order.slots[i].key < order.slots[(i - 1) >> 1].key:
            return "the heap of wants to give up"
        if is_in_force(q, number, &order.slots[i]) and not count.seen[order.slots[i].want] & 1:
            count.seen[order.slots[i].want] |= 1
            found += 1
    if found != peer.wanted:
        return "a want that could not be given up"
    return NULL


# Known blocks, turns


cdef inline const char* check_known(const Queues* q, Count* count) noexcept:
    cdef uint32_t place = q.known.oldest
    cdef uint32_t before = NIL
    cdef uint32_t left = q.known.nodes.used
    cdef const Node* node
    while place != NIL:
        node = node_at(q, place)
        if left == 0 or node.earlier != before:
            return "the list of known blocks"
        if not cid_at(&q.cids, node.cid).known or cid_at(&q.cids, node.cid).head != place:
            return "the CID of a known block"
        count.cids += node.head == NIL
        left -= 1
        before = place
        place = node.later
    if left or q.known.newest != before:
        return "known blocks"
    return NULL


cdef inline bint should_be_ready(const Queues* q, const Peer* peer) noexcept:
    if not peer.present or not peer.queued or peer.held or peer.under_way >= q.flights_per_peer:
        return False
    return may_have_more(q, peer)


cdef inline const char* check_turns(const Queues* q, Count* count) noexcept:
    cdef uint32_t i, number
    cdef const Peer* peer
    for number in range(q.peers.fresh):
        peer = peer_at(q, number)
        if not is_taken(peer):
            continue
        if should_be_ready(q, peer) != (peer.turn != NIL):
            return "a peer that is ready, or is not"
        count.ready += peer.turn != NIL
        count.lined_up += is_lined_up(peer)
        if peer.turn != NIL and (peer.turn >= q.turns.count or q.turns.heap[peer.turn] != number):
            return "the turn of a peer"
    if count.ready != q.turns.count or q.turns.count > q.turns.room:
        return "the number of turns"
    for i in range(1, q.turns.count):
        if goes_before(peer_at(q, q.turns.heap[i]), peer_at(q, q.turns.heap[(i - 1) >> 1])):
            return "the heap of turns"
    return check_line(q, count)


cdef inline const char* check_line(const Queues* q, const Count* count) noexcept:
    cdef uint32_t number = q.turns.first
    cdef uint32_t before = NIL
    cdef uint32_t left = count.lined_up
    cdef const Peer* peer
    if left != q.turns.line:
        return "the length of the line of those served"
    while number != NIL:
        peer = peer_at(q, number)
        if left == 0 or not is_lined_up(peer) or peer.earlier != before:
            return "the line of those served"
        left -= 1
        before = number
        number = peer.later
    if left or q.turns.last != before:
        return "the line of those served"
    return NULL


# Memory


cdef inline size_t bytes_of(void* p) noexcept:
    return usable(p) if p != NULL else 0


cdef inline size_t queues_bytes(const Queues* q) noexcept:
    """Bytes held in C."""
    cdef size_t total = cids_memory(&q.cids) + bytes_of(q.turns.heap) + bytes_of(q.names.places)
    cdef uint32_t number
    cdef const Peer* peer
    cdef const Flight* flight
    total += slab_bytes(&q.wants) + slab_bytes(&q.peers) + slab_bytes(&q.known.nodes)
    for number in range(q.peers.fresh):
        peer = peer_at(q, number)
        if not is_taken(peer):
            continue
        total += slots_bytes(peer) + bytes_of(peer.popular) + bytes_of(peer.order)
        total += bytes_of(peer.order.slots) if peer.order != NULL else 0
        flight = peer.flights
        while flight != NULL:
            total += bytes_of(flight.items)
            flight = flight.next
    return total
