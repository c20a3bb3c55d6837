# cython: language_level=3
"""The records of the decision core: who wants what, what each peer is owed, what is under way, who is served next.

One `Want` for each peer and CID is entry of the ledger, queued answer and what is known of answers under way, all in one.
All links are numbers of records, so that nothing hangs on where memory lies.
"""

from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from bitswap._core.cidarena cimport NIL, Cid
from bitswap._core.cidstore cimport CidStore, cid_at, cid_length
from bitswap._core.slab cimport Slab, record_of

cdef enum:
    # The entry of the ledger.
    WANTED = 1          # there is one
    WANTS_BLOCK = 2     # not just to know whether we have it
    WANTS_DENIAL = 4    # asked for DONT_HAVE
    AVAILABLE = 8       # the block was there when the want, or the block, came
    LEDGER_FLAGS = 15
    # The queued answer; there is one while `pos` is below the peer's `queued`.
    TASK_BLOCK = 16     # with TASK_HAVE a block
    TASK_HAVE = 32      # without TASK_BLOCK a HAVE; without TASK_HAVE a DONT_HAVE
    TASK_DENIAL = 64    # DONT_HAVE was asked for
    TASK_UNSIZED = 128  # as a block it weighs nothing
    TASK_FLAGS = 240
    # Since the last of the answers under way was taken:
    WITHDRAWN = 256     # the peer withdrew it
    REPEATED = 512      # it was queued again, and that said nothing new
    MARKS = 768
    # Of an answer under way only.
    LATER = 1024        # postponed, and no longer part of its flight
    OWED = 2048         # is to be put back

cdef enum:  # how answers for one CID become one
    MERGE_BITSWAP = 0
    MERGE_FIRST = 1
    MERGE_REPLACE = 2

cdef enum:  # the outcome of an answer
    SILENCE = 0
    SAYS_BLOCK = 1
    SAYS_HAVE = 2
    SAYS_DONT_HAVE = 3
    POSTPONED = 4
    OUTCOMES = 7
    VANISHED = 8        # besides one of these: there was no block

cdef enum:
    BLOCK_OVERHEAD = 64     # bytes of a frame that a block takes besides its data and CID, at most
    PRESENCE_OVERHEAD = 16  # the same of a presence
    PENDING_CAP = 16        # queued answers above this number make no difference between peers
    MOST_UNDER_WAY = 15     # flights of one peer
    UNUSED = 255            # `active` of a record that is free
    WANT_BITS = 11          # records in a segment
    PEER_BITS = 6
    SHORT_LIST = 8          # wants of a CID that are looked through one by one
    AHEAD = 4               # steps before something is needed in a loop, at which the processor is told of it
    MOST_SEQ = 0x7FFFFFFF   # numbers that fit in the keys of heaps


cdef struct Want:
    uint32_t cid        # first, as it is lost when the record is freed
    uint32_t peer
    uint32_t next       # want of the same CID
    uint32_t prev
    uint32_t pos        # among the peer's slots
    uint32_t seq        # age of the ledger's entry in its peer; in a queue of its own, bytes of the queued block
    int32_t priority    # of the ledger's entry
    uint16_t flags
    uint8_t active      # answers under way
    uint8_t kinds       # of those: how many with TASK_BLOCK, plus 16 times how many with TASK_HAVE


cdef packed struct Slot:
    uint64_t key        # of a queued answer: priority turned over, then age; the smallest goes first
    uint32_t want


# An answer under way.
cdef struct Item:
    uint32_t want
    uint32_t seq        # age of the answer
    int32_t priority    # of the answer
    uint32_t work       # bytes at which it was booked
    uint32_t want_seq   # age of the entry of the ledger that it answered; in a queue of its own, bytes of the block
    int32_t want_priority
    uint16_t flags      # TASK_FLAGS; LEDGER_FLAGS of the entry that it answered
    uint16_t outcome    # what became of it when the message was made
    uint32_t found      # bytes of the block that was read for it


# Answers taken together.
cdef struct Flight:
    Item* items
    uint32_t count
    uint32_t room
    uint32_t peer
    uint32_t generation
    int64_t work
    int64_t pending_work    # bytes still queued for the peer after these were taken
    double taken_at
    bint more               # something was still queued
    bint ended
    Flight* next            # of the same peer
    Flight* prev


# The order in which a peer's wants are given up: a heap of entries of which some are out of date.
cdef struct Order:
    Slot* slots
    uint32_t count
    uint32_t room


# A peer's wants for CIDs with long lists: a hash table.
cdef struct Popular:
    uint32_t count
    uint32_t room           # a power of two
    # the places follow: wants, plus one


# What many are of, so small.
cdef struct Peer:
    Slot* slots             # one for each of the peer's wants: first a heap of those queued, then the others
    uint32_t count
    uint32_t queued
    uint32_t room
    uint32_t wanted         # entries of the ledger
    uint32_t last_want      # the youngest `seq`
    uint32_t last_task
    uint32_t active         # CIDs under way
    uint32_t generation     # grows when the peer leaves
    uint32_t turn           # place in the heap of those who are ready, or NIL
    uint32_t earlier        # served before it, and after it; NIL at the ends
    uint32_t later
    uint32_t held           # above 0: it gets nothing for now
    uint32_t target         # bytes to be taken at a time
    uint32_t outstanding    # bytes under way at which it gets no more; 0 = no limit; not in a queue of its own
    uint8_t under_way       # flights, also those from before it left
    uint8_t failures
    uint8_t present         # the peer is here; else only flights of it are left
    uint8_t starved         # else it is in the list by time of service, if it is here
    int64_t queued_work
    int64_t active_work
    double served_at
    uint64_t service        # number of the last one, 0 = none
    uint64_t tie
    Popular* popular        # or NULL
    Order* order            # or NULL
    Flight* flights
    PyObject* name          # a str that is held; NULL if the record is free


cdef struct Turns:
    uint32_t* heap          # of the peers that are ready
    uint32_t count
    uint32_t room
    uint32_t first          # served longest ago, of those who are not starved
    uint32_t last
    uint32_t line           # how many these are
    uint64_t services
    double timeout


cdef struct Known:
    Slab nodes
    uint32_t oldest
    uint32_t newest
    uint64_t forgotten      # how many were known and are not


# A block known to be in the store: its CID's `head` is the number of this.
cdef struct Node:
    uint32_t cid
    uint32_t earlier
    uint32_t later
    uint32_t head       # first want


# A hash table of numbers of peers, plus one.
cdef struct Names:
    uint32_t* places
    uint32_t count
    uint32_t room       # a power of two


cdef struct Queues:
    CidStore cids
    Names names
    Slab wants
    Slab peers
    Turns turns
    Known known
    uint64_t wanted         # entries of the ledger
    int64_t active_work     # bytes under way to all peers, gone ones included
    uint32_t flights_per_peer
    uint32_t last_seq       # sequence numbers are made smaller when they reach it
    uint64_t salt           # of the tables of popular wants
    int64_t target          # what `Peer` starts with, and has at most; below 2^32, outstanding bytes of a queue of its own aside
    int64_t most_target
    uint32_t most_items     # of a message that weighs more than `target`
    int64_t outstanding
    int64_t most_outstanding
    int merging
    bint own_sizes          # each want has a size of its own, and there is no ledger


cdef inline Want* want_at(const Queues* q, uint32_t number) noexcept nogil:
    return <Want*>(q.wants.segments[number >> WANT_BITS] + <size_t>(number & ((1U << WANT_BITS) - 1)) * sizeof(Want))


cdef inline Peer* peer_at(const Queues* q, uint32_t number) noexcept nogil:
    return <Peer*>(q.peers.segments[number >> PEER_BITS] + <size_t>(number & ((1U << PEER_BITS) - 1)) * sizeof(Peer))


cdef inline Node* node_at(const Queues* q, uint32_t number) noexcept nogil:
    return <Node*>record_of(&q.known.nodes, number)


cdef inline Cid* cid_of(const Queues* q, const Want* want) noexcept nogil:
    return cid_at(&q.cids, want.cid)


cdef inline uint32_t first_want(const Queues* q, const Cid* cid) noexcept nogil:
    return node_at(q, cid.head).head if cid.known else cid.head


cdef inline bint is_taken(const Peer* peer) noexcept nogil:
    """Whether the record is in use."""
    return peer.name != NULL


cdef inline bint is_lined_up(const Peer* peer) noexcept nogil:
    """Whether it is in the list by time of service."""
    return peer.present and not peer.starved


cdef inline bint may_have_more(const Queues* q, const Peer* peer) noexcept nogil:
    """Whether fewer bytes are under way to it than may be."""
    cdef int64_t most = q.outstanding if q.own_sizes else peer.outstanding
    return most == 0 or peer.active_work < most


cdef inline bint is_queued(const Peer* peer, const Want* want) noexcept nogil:
    return want.pos < peer.queued


cdef inline uint64_t task_key(int32_t priority, uint32_t seq) noexcept nogil:
    return <uint64_t>(0x7FFFFFFFU - <uint32_t>priority) << 32 | seq


cdef inline int32_t key_priority(uint64_t key) noexcept nogil:
    return <int32_t>(0x7FFFFFFFU - <uint32_t>(key >> 32))


cdef inline uint32_t presence_bytes(uint32_t length) noexcept nogil:
    """Bytes of a HAVE or DONT_HAVE as boxo counts them: the encoded body of a HAVE."""
    return length + 2 if length < 128 else length + 3


cdef inline uint32_t size_of(const Queues* q, const Want* want) noexcept nogil:
    """Bytes of the block that is queued, or would be."""
    return want.seq if q.own_sizes else cid_of(q, want).size


cdef inline uint32_t work_of(const Queues* q, const Want* want) noexcept nogil:
    """Bytes of the queued answer, as they are counted."""
    if want.flags & TASK_BLOCK and want.flags & TASK_HAVE:
        return 0 if want.flags & TASK_UNSIZED else size_of(q, want)
    return presence_bytes(cid_length(cid_of(q, want)))
