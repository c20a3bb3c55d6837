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
    AHEAD, SHORT_LIST, UNUSED, Peer, Popular, Queues, Want, cid_of, first_want, node_at, peer_at, want_at,
)
from bitswap._core.slab cimport free_record, take_record
from bitswap._core.taskheap cimport add_slot, drop_slot


cdef enum:
    FEW = 16  # wants of a peer that are fetched all at once


cdef inline uint32_t* places_of(const Popular* popular) noexcept nogil:
    return <uint32_t*>(popular + 1)


cdef inline uint32_t popular_place(const Queues* q, const Popular* popular, uint32_t cid) noexcept nogil:
    """Where a CID belongs in the table; peers do not know the salt and cannot aim."""
    cdef uint64_t mixed = (cid ^ q.salt) * 0x9E3779B97F4A7C15ULL
    return <uint32_t>((mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9ULL >> 32) & (popular.room - 1)


cdef inline uint32_t find_popular(const Queues* q, const Peer* peer, uint32_t cid) noexcept nogil:
    """The peer's want for a CID whose wants are in tables, or NIL."""
    cdef const Popular* popular = peer.popular
    cdef uint32_t place, want
    if popular == NULL:
        return NIL
    place = popular_place(q, popular, cid)
    while places_of(popular)[place]:
        want = places_of(popular)[place] - 1
        if want_at(q, want).cid == cid:
            return want
        place = (place + 1) & (popular.room - 1)
    return NIL


cdef inline void put_popular(const Queues* q, Popular* popular, uint32_t want) noexcept nogil:
    cdef uint32_t place = popular_place(q, popular, want_at(q, want).cid)
    while places_of(popular)[place]:
        place = (place + 1) & (popular.room - 1)
    places_of(popular)[place] = want + 1
    popular.count += 1


cdef inline int grow_popular(const Queues* q, Peer* peer) noexcept nogil:
    """-1 when memory is short."""
    cdef Popular* old = peer.popular
    cdef Popular* table
    # A peer with more than a few wants has room for some of them at once.
    cdef uint32_t room = old.room * 2 if old != NULL else 16 if peer.room > 6 else 8
    cdef uint32_t i
    table = <Popular*>grab_zeroed(sizeof(Popular) + room * sizeof(uint32_t), 1)
    if table == NULL:
        return -1
    table.room = room
    peer.popular = table
    if old != NULL:
        for i in range(old.room):
            if places_of(old)[i]:
                put_popular(q, table, places_of(old)[i] - 1)
        release(old)
    return 0


cdef inline int add_popular(const Queues* q, Peer* peer, uint32_t want) noexcept nogil:
    """-1 when memory is short."""
    if peer.popular == NULL or (peer.popular.count + 1) * 4 > peer.popular.room * 3:
        if grow_popular(q, peer) < 0:
            return -1
    put_popular(q, peer.popular, want)
    return 0


cdef inline void drop_popular(const Queues* q, Peer* peer, uint32_t want) noexcept nogil:
    cdef Popular* popular = peer.popular
    cdef uint32_t* places = places_of(popular)
    cdef uint32_t mask = popular.room - 1
    cdef uint32_t hole = popular_place(q, popular, want_at(q, want).cid)
    cdef uint32_t place, home
    while places[hole] != want + 1:
        hole = (hole + 1) & mask
    place = hole
    while True:
        # What could stand in the hole is moved there, so that no search ends at it.
        place = (place + 1) & mask
        if places[place] == 0:
            break
        home = popular_place(q, popular, want_at(q, places[place] - 1).cid)
        if ((place - home) & mask) >= ((place - hole) & mask):
            places[hole] = places[place]
            hole = place
    places[hole] = 0
    popular.count -= 1
    if popular.count == 0:
        free_popular(peer)


cdef inline void free_popular(Peer* peer) noexcept nogil:
    release(peer.popular)
    peer.popular = NULL


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


cdef inline bint is_alone(const Want* want) noexcept nogil:
    """Whether nobody else wants the CID."""
    return want.prev == NIL and want.next == NIL


cdef inline void expect_wants(const Queues* q, uint32_t far, uint32_t nearer, uint32_t near) noexcept nogil:
    """Tell the processor what it will need to unlink three wants, AHEAD steps apart."""
    prefetch(want_at(q, far))
    expect_list(q, want_at(q, nearer))
    expect_hash(q, want_at(q, near))


cdef inline void expect_list(const Queues* q, const Want* want) noexcept nogil:
    """Tell the processor of the CID of a want, and of those beside it in its list."""
    prefetch(cid_of(q, want))
    if want.next != NIL:
        prefetch(want_at(q, want.next))
    if want.prev != NIL:
        prefetch(want_at(q, want.prev))


cdef inline uint32_t expect_hash(const Queues* q, const Want* want) noexcept nogil:
    """Tell the processor of the bucket of a CID that nobody else wants; returns its hash."""
    cdef uint32_t hash
    if not is_alone(want):
        return 0
    hash = cid_hash(&q.cids, want.cid)
    cids_prefetch(&q.cids, hash)
    return hash


cdef inline void unlink_want(Queues* q, uint32_t number) noexcept nogil:
    """Forget a want, and its CID if nobody else has to do with that."""
    cdef const Want* want = want_at(q, number)
    unlink_hashed(q, number, cid_hash(&q.cids, want.cid) if is_alone(want) else 0)


cdef inline void unlink_hashed(Queues* q, uint32_t number, uint32_t hash) noexcept nogil:
    """As `unlink_want`, with the hash of the CID at hand, which is needed only if nobody else wants it."""
    cdef Want* want = want_at(q, number)
    cdef Peer* peer = peer_at(q, want.peer)
    cdef Cid* entry = cid_of(q, want)
    if entry.indexed and peer.popular != NULL:
        drop_popular(q, peer, number)
    drop_slot(q, peer, want.pos)
    leave_list(q, want, entry, hash)
    want.active = UNUSED
    free_record(&q.wants, number)


cdef inline void leave_list(Queues* q, const Want* want, Cid* entry, uint32_t hash) noexcept nogil:
    """Take a want from the list of its CID, which goes if nobody else has to do with it."""
    if want.next != NIL:
        want_at(q, want.next).prev = want.prev
    if want.prev != NIL:
        want_at(q, want.prev).next = want.next
    elif want.next != NIL or entry.known:
        set_first(q, entry, want.next)
        entry.indexed = entry.indexed and want.next != NIL
    else:
        cids_drop_hashed(&q.cids, want.cid, hash)


cdef inline void expect_few(const Queues* q, const Peer* peer) noexcept nogil:
    """Tell the processor of the wants of a peer that has only some, since most will be looked at."""
    cdef uint32_t i
    if peer.count <= FEW:
        for i in range(peer.count):
            prefetch(want_at(q, peer.slots[i].want))


cdef inline void unlink_all(Queues* q, Peer* peer) noexcept nogil:
    """Forget all wants of a peer that has nothing queued. Their records have been fetched if there are only few, see `expect_few`."""
    cdef uint32_t count = peer.count
    cdef uint32_t step
    free_popular(peer)  # at once, and not want by want
    if count <= FEW:
        for step in range(count):
            expect_list(q, slot_want(q, peer, step))
        for step in range(count):
            note_hash(q, slot_want(q, peer, step))
        for step in range(count):
            unlink_noted(q, peer.slots[step].want)
        peer.count = 0
        return
    # Each want goes through four stages, AHEAD steps apart: its record, its CID and the bucket of that are fetched first.
    for step in range(count + 3 * AHEAD):
        if step < count:
            prefetch(slot_want(q, peer, count - 1 - step))
        if AHEAD <= step < count + AHEAD:
            expect_list(q, slot_want(q, peer, count - 1 - (step - AHEAD)))
        if 2 * AHEAD <= step < count + 2 * AHEAD:
            note_hash(q, slot_want(q, peer, count - 1 - (step - 2 * AHEAD)))
        if step >= 3 * AHEAD:
            unlink_noted(q, peer.slots[count - 1 - (step - 3 * AHEAD)].want)
    peer.count = 0


cdef inline Want* slot_want(const Queues* q, const Peer* peer, uint32_t place) noexcept nogil:
    return want_at(q, peer.slots[place].want)


cdef inline void note_hash(const Queues* q, Want* want) noexcept nogil:
    """Keep the hash of the CID of a want that goes where its age was."""
    want.seq = expect_hash(q, want)


cdef inline void unlink_noted(Queues* q, uint32_t number) noexcept nogil:
    """Forget a want of which `note_hash` was told; its slot is for the caller."""
    cdef Want* want = want_at(q, number)
    leave_list(q, want, cid_of(q, want), want.seq)
    want.active = UNUSED
    free_record(&q.wants, number)
