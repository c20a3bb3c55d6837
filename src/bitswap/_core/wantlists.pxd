# cython: language_level=3
"""The wants of each CID, in a list, and how the want of one peer is found among them.

A short list is looked through. The wants of a long one are in a hash table of their peers besides, which thus holds only what
many peers want. These tables speed up and decide nothing: without memory for one, the list is looked through.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from bitswap._core.cidarena cimport NIL, Cid
from bitswap._core.cidstore cimport cid_at, cid_hash, cids_drop_hashed, cids_prefetch
from bitswap._core.memory cimport grab_zeroed, prefetch, release
from bitswap._core.records cimport (
    AHEAD, SHORT_LIST, UNUSED, Peer, Queues, Want, cid_of, first_want, node_at, peer_at, want_at,
)
from bitswap._core.slab cimport free_record, take_record
from bitswap._core.taskheap cimport add_slot, drop_slot


cdef inline uint32_t popular_place(const Queues* q, const Peer* peer, uint32_t cid) noexcept nogil:
    """Where a CID belongs in the table; peers do not know the salt and cannot aim."""
    cdef uint64_t mixed = (cid ^ q.salt) * 0x9E3779B97F4A7C15ULL
    return <uint32_t>((mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9ULL >> 32) & (peer.popular_room - 1)


cdef inline uint32_t find_popular(const Queues* q, const Peer* peer, uint32_t cid) noexcept nogil:
    """The peer's want for a CID whose wants are in tables, or NIL."""
    cdef uint32_t place, want
    if peer.popular_count == 0:
        return NIL
    place = popular_place(q, peer, cid)
    while peer.popular[place]:
        want = peer.popular[place] - 1
        if want_at(q, want).cid == cid:
            return want
        place = (place + 1) & (peer.popular_room - 1)
    return NIL


cdef inline void put_popular(const Queues* q, Peer* peer, uint32_t want) noexcept nogil:
    cdef uint32_t place = popular_place(q, peer, want_at(q, want).cid)
    while peer.popular[place]:
        place = (place + 1) & (peer.popular_room - 1)
    peer.popular[place] = want + 1


cdef inline int add_popular(const Queues* q, Peer* peer, uint32_t want) noexcept nogil:
    """-1 when memory is short."""
    cdef uint32_t* old = peer.popular
    cdef uint32_t* table
    cdef uint32_t before = peer.popular_room
    cdef uint32_t room, i
    if (peer.popular_count + 1) * 4 > before * 3:
        # A peer with more than a few wants has room for some of them at once.
        room = before * 2 if before else 16 if peer.room > 6 else 8
        table = <uint32_t*>grab_zeroed(room, sizeof(uint32_t))
        if table == NULL:
            return -1
        peer.popular = table
        peer.popular_room = room
        for i in range(before):
            if old[i]:
                put_popular(q, peer, old[i] - 1)
        release(old)
    put_popular(q, peer, want)
    peer.popular_count += 1
    return 0


cdef inline void drop_popular(const Queues* q, Peer* peer, uint32_t want) noexcept nogil:
    cdef uint32_t mask = peer.popular_room - 1
    cdef uint32_t hole = popular_place(q, peer, want_at(q, want).cid)
    cdef uint32_t place, home
    while peer.popular[hole] != want + 1:
        hole = (hole + 1) & mask
    place = hole
    while True:
        # What could stand in the hole is moved there, so that no search ends at it.
        place = (place + 1) & mask
        if peer.popular[place] == 0:
            break
        home = popular_place(q, peer, want_at(q, peer.popular[place] - 1).cid)
        if ((place - home) & mask) >= ((place - hole) & mask):
            peer.popular[hole] = peer.popular[place]
            hole = place
    peer.popular[hole] = 0
    peer.popular_count -= 1
    if peer.popular_count == 0:
        free_popular(peer)


cdef inline void free_popular(Peer* peer) noexcept nogil:
    release(peer.popular)
    peer.popular = NULL
    peer.popular_count = peer.popular_room = 0


cdef inline void index_list(const Queues* q, Cid* cid) noexcept nogil:
    """Put the wants of a list into the tables of their peers, all or none."""
    cdef uint32_t first = first_want(q, cid)
    cdef uint32_t want = first
    cdef uint32_t done
    while want != NIL:
        if add_popular(q, peer_at(q, want_at(q, want).peer), want) < 0:
            done = want
            want = first
            while want != done:
                drop_popular(q, peer_at(q, want_at(q, want).peer), want)
                want = want_at(q, want).next
            return
        want = want_at(q, want).next
    cid.indexed = 1


cdef inline void unindex_list(const Queues* q, Cid* cid, uint32_t but) noexcept nogil:
    """Take the wants of a list out of the tables of their peers; `but` is not in one."""
    cdef uint32_t want = first_want(q, cid)
    while want != NIL:
        if want != but:
            drop_popular(q, peer_at(q, want_at(q, want).peer), want)
        want = want_at(q, want).next
    cid.indexed = 0


cdef inline bint is_long(const Queues* q, uint32_t want) noexcept nogil:
    cdef int left = SHORT_LIST
    while want != NIL:
        if left == 0:
            return True
        left -= 1
        want = want_at(q, want).next
    return False


cdef inline uint32_t find_want(const Queues* q, uint32_t peer, uint32_t cid) noexcept nogil:
    """What `peer` has to do with a CID, or NIL."""
    cdef const Cid* entry = cid_at(&q.cids, cid)
    cdef const Want* found
    cdef uint32_t want
    if entry.indexed:
        return find_popular(q, peer_at(q, peer), cid)
    want = first_want(q, entry)
    while want != NIL:
        found = want_at(q, want)
        if found.peer == peer:
            return want
        want = found.next
    return NIL


cdef inline void set_first(const Queues* q, Cid* cid, uint32_t want) noexcept nogil:
    if cid.known:
        node_at(q, cid.head).head = want
    else:
        cid.head = want


cdef inline uint32_t link_want(Queues* q, uint32_t number, uint32_t cid) noexcept nogil:
    """A new want, neither in the ledger nor queued; its record and its slot have been reserved."""
    cdef Peer* peer = peer_at(q, number)
    cdef Cid* entry = cid_at(&q.cids, cid)
    cdef uint32_t first = first_want(q, entry)
    cdef uint32_t want = take_record(&q.wants)
    cdef Want* new = want_at(q, want)
    memset(new, 0, sizeof(Want))
    new.cid = cid
    new.peer = number
    new.next = first
    new.prev = NIL
    if first != NIL:
        want_at(q, first).prev = want
    set_first(q, entry, want)
    add_slot(q, peer, want)
    if entry.indexed:
        if add_popular(q, peer, want) < 0:
            unindex_list(q, entry, want)
    elif first != NIL and is_long(q, want):
        index_list(q, entry)
    return want


cdef inline void expect_wants(const Queues* q, uint32_t far, uint32_t nearer, uint32_t near) noexcept nogil:
    """Tell the processor what it will need to unlink three wants, AHEAD steps apart."""
    cdef const Want* want = want_at(q, near)
    prefetch(want_at(q, far))
    prefetch(cid_of(q, want_at(q, nearer)))
    if want.prev == NIL and want.next == NIL:
        cids_prefetch(&q.cids, cid_hash(&q.cids, want.cid))


cdef inline void unlink_want(Queues* q, uint32_t number) noexcept nogil:
    """Forget a want, and its CID if nobody else has to do with that."""
    unlink_hashed(q, number, False)


cdef inline void unlink_hashed(Queues* q, uint32_t number, bint hashed) noexcept nogil:
    """As `unlink_want`; `hashed` if the hash of a CID that nobody else wants is in `seq`."""
    cdef Want* want = want_at(q, number)
    cdef Peer* peer = peer_at(q, want.peer)
    cdef Cid* entry = cid_of(q, want)
    if entry.indexed and peer.popular_count:
        drop_popular(q, peer, number)
    drop_slot(q, peer, want.pos)
    if want.next != NIL:
        want_at(q, want.next).prev = want.prev
    if want.prev != NIL:
        want_at(q, want.prev).next = want.next
    elif want.next != NIL or entry.known:
        set_first(q, entry, want.next)
        entry.indexed = entry.indexed and want.next != NIL
    else:
        cids_drop_hashed(&q.cids, want.cid, want.seq if hashed else cid_hash(&q.cids, want.cid))
    want.active = UNUSED
    free_record(&q.wants, number)


cdef inline void unlink_all(Queues* q, Peer* peer) noexcept nogil:
    """Forget all wants of a peer that has nothing queued; backwards, so that slots need not move."""
    cdef uint32_t count = peer.count
    cdef uint32_t i = count
    cdef Want* want
    free_popular(peer)  # at once, and not want by want
    while i:
        i -= 1
        if i >= 3 * AHEAD:
            prefetch(want_at(q, peer.slots[i - 3 * AHEAD].want))
            prefetch(cid_of(q, want_at(q, peer.slots[i - 2 * AHEAD].want)))
            want = want_at(q, peer.slots[i - AHEAD].want)
            if want.prev == NIL and want.next == NIL:
                want.seq = cid_hash(&q.cids, want.cid)
                cids_prefetch(&q.cids, want.seq)
        unlink_hashed(q, peer.slots[i].want, 2 * AHEAD <= i < count - AHEAD)
