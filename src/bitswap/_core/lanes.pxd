# cython: language_level=3
"""Peers as they come, are ranked, are given answers and leave; and what all of them share."""

from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from bitswap._core.cidarena cimport NIL
from bitswap._core.cidstore cimport cids_free, cids_init, cids_reserve
from bitswap._core.cidtable cimport Secret
from bitswap._core.evictions cimport drop_order
from bitswap._core.memory cimport LINE, prefetch
from bitswap._core.records cimport (
    PEER_BITS, WANT_BITS, Flight, Node, Peer, Queues, Want, may_have_more, peer_at,
)
from bitswap._core.slab cimport clear_slab, free_record, init_slab, reserve_records, take_record, trim_slab
from bitswap._core.taskheap cimport free_slots
from bitswap._core.turns cimport enter_turn, expect_turn, free_turns, init_turns, leave_line, leave_turn, reserve_turns, rest
from bitswap._core.wantlists cimport expect_few, free_popular, unlink_all


cdef inline int init_queues(Queues* q, const Secret* secret) noexcept nogil:
    """-1 when memory is short; `free_queues` may follow in any case."""
    memset(q, 0, sizeof(Queues))
    init_slab(&q.wants, sizeof(Want), WANT_BITS)
    init_slab(&q.peers, sizeof(Peer), PEER_BITS)
    init_slab(&q.known.nodes, sizeof(Node), WANT_BITS)
    q.known.oldest = q.known.newest = NIL
    init_turns(&q.turns)
    q.salt = secret.first ^ secret.second >> 1
    q.last_seq = 1U << 30
    return cids_init(&q.cids, secret)


cdef inline void free_queues(Queues* q) noexcept nogil:
    cdef uint32_t i
    for i in range(q.peers.fresh):
        if peer_at(q, i).present:
            free_peer_memory(peer_at(q, i))
    cids_free(&q.cids)
    clear_slab(&q.wants)
    clear_slab(&q.peers)
    clear_slab(&q.known.nodes)
    free_turns(&q.turns)


cdef inline void free_peer_memory(Peer* peer) noexcept nogil:
    drop_order(peer)
    free_popular(peer)
    free_slots(peer)


cdef inline void trim_queues(Queues* q) noexcept nogil:
    """Give back what was only held for many, or reserved and not needed."""
    if q.cids.arena.promised:
        cids_reserve(&q.cids, 0, 0)
    trim_slab(&q.wants)
    trim_slab(&q.peers)
    trim_slab(&q.known.nodes)


# Coming and leaving


cdef inline int reserve_peer(Queues* q) noexcept nogil:
    """Make `new_peer` a certainty; -1 when memory is short."""
    if reserve_records(&q.peers, 1) < 0:
        return -1
    return reserve_turns(&q.turns, q.peers.used + 1)


cdef inline uint32_t new_peer(Queues* q, uint64_t tie) noexcept nogil:
    """The number of a record for a peer that has to come yet: `welcome`."""
    cdef uint32_t number = take_record(&q.peers)
    cdef Peer* peer = peer_at(q, number)
    memset(peer, 0, sizeof(Peer))
    peer.turn = NIL
    peer.tie = tie
    return number


cdef inline void drop_peer(Queues* q, uint32_t number) noexcept nogil:
    """Free the record of a peer that has left, with nothing under way to it."""
    free_record(&q.peers, number)


cdef inline void reset_pace(const Queues* q, Peer* peer) noexcept nogil:
    """The pace that all begin with."""
    peer.target = <uint32_t>q.target
    peer.outstanding = <uint32_t>q.outstanding


cdef inline void welcome(Queues* q, Peer* peer) noexcept nogil:
    """The peer comes, or comes back, with nothing but flights from before under way."""
    peer.present = True
    peer.starved = True
    reset_pace(q, peer)


cdef inline void expect_peer(const Peer* peer) noexcept nogil:
    """Tell the processor that all of a record will be read."""
    cdef int line
    for line in range(<int>(sizeof(Peer) // LINE) + 1):
        prefetch(<const uint8_t*>peer + line * LINE)


cdef inline void expect_slots(const Queues* q, const Peer* peer) noexcept nogil:
    """Tell the processor that the first slots of a peer will be read, its wants looked for, and that its turn will change."""
    if peer.popular != NULL:
        prefetch(peer.popular)
        prefetch(<const uint8_t*>peer.popular + LINE)
    prefetch(peer.slots)
    prefetch(<const uint8_t*>peer.slots + LINE)
    if peer.turn != NIL:
        expect_turn(q, peer.turn)


cdef inline void say_goodbye(Queues* q, uint32_t number, Peer* peer) noexcept nogil:
    """The peer leaves, and so goes all it was owed; only its flights still count."""
    cdef Flight* flight
    cdef uint32_t generation = peer.generation + 1
    cdef PyObject* name = peer.name
    cdef uint64_t tie = peer.tie
    cdef int under_way = peer.under_way
    expect_few(q, peer)
    leave_turn(q, peer)
    leave_line(q, peer)
    q.wanted -= peer.wanted
    peer.queued = 0
    unlink_all(q, peer)
    free_peer_memory(peer)
    while peer.flights != NULL:
        flight = peer.flights
        peer.flights = flight.next
        flight.next = flight.prev = NULL
    memset(peer, 0, sizeof(Peer))
    peer.turn = NIL
    peer.tie = tie
    peer.generation = generation
    peer.name = name
    peer.under_way = under_way


cdef inline void rest_if_idle(Queues* q, Peer* peer) noexcept nogil:
    if peer.queued == 0 and peer.active == 0:
        rest(q, peer)


cdef inline void update_peer(Queues* q, uint32_t number, Peer* peer) noexcept nogil:
    """Something of the peer has changed: rank it anew."""
    if peer.wanted == 0:
        drop_order(peer)
    rest_if_idle(q, peer)
    if (
        peer.queued
        and not peer.held
        and may_have_more(q, peer)
        and peer.under_way < q.flights_per_peer
    ):
        enter_turn(q, number, peer)
    else:
        leave_turn(q, peer)
