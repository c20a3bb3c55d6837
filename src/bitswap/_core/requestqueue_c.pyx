# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A queue of answers for many peers, compiled, for use without the rest; see `interface.RequestQueue`.

It runs on the records of the decision core, with no ledger, and a size of its own for each answer.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcpy

from bitswap._core cimport memory
from bitswap._core.answers cimport Task, drop_task, mark_task, push_task, unlink_idle, untake_task, withdraw
from bitswap._core.cidarena cimport KEY_ROOM, LONG_KEY, NIL, Cid
from bitswap._core.cidstore cimport (
    cid_key, cid_length, cids_find, cids_intern, cids_prefetch, cids_reserve, cids_reserve_long,
)
from bitswap._core.cidtable cimport hash_cid
from bitswap._core.flights cimport board, depart, is_current, land_badly, land_well, leave_flights
from bitswap._core.lanes cimport say_goodbye, trim_queues, update_peer
from bitswap._core.lanes_c cimport Lanes
from bitswap._core.ledger cimport keep_ages_small
from bitswap._core.memory cimport grab, release
from bitswap._core.objects_c cimport new_cid, start_of, to_int32
from bitswap._core.records cimport (
    AHEAD, MERGE_BITSWAP, MERGE_FIRST, MERGE_REPLACE, MOST_UNDER_WAY, TASK_BLOCK, TASK_DENIAL, TASK_HAVE, Flight, Item, Peer,
    Slot, Want, cid_of, is_queued, is_taken, peer_at, want_at,
)
from bitswap._core.slab cimport reserve_records
from bitswap._core.taskheap cimport is_marked, reserve_slots, sweep_slots, trim_slots
from bitswap._core.turns cimport promote
from bitswap._core.wantlists cimport find_want, link_want
from bitswap._core.wire_c cimport secret
from bitswap._core.withdrawals cimport is_many

from operator import index

from bitswap.decision.interface import QueueStat, TaskInfo
from bitswap.errors import UsageError

cdef extern from "Python.h":
    Py_ssize_t PyTuple_GET_SIZE(object values)
    PyObject* PyTuple_GET_ITEM(object values, Py_ssize_t i)
    long long PyLong_AsLongLongAndOverflow(object number, int* overflow) except? -1

cdef object _info = TaskInfo
cdef object _stat = QueueStat
cdef dict _mergings = {"bitswap": MERGE_BITSWAP, "first": MERGE_FIRST, "replace": MERGE_REPLACE}


def fail_after(count):
    """For tests: let so many allocations of this module succeed and all after them fail; None = no more."""
    memory.grabs_left = -1 if count is None else count


# An answer to be queued, while it is being queued.
cdef struct Order:
    const uint8_t* key
    uint32_t length
    uint32_t hash
    Task task


cdef int read_task(object values, Order* order, list held) except -1:
    cdef long long number
    cdef int overflow = 0
    """Take a `Task` apart; the CID of something else is kept in `held`."""
    if isinstance(values, tuple) and PyTuple_GET_SIZE(values) == 5:
        # As of any `Task`, which is held by its list and cannot change.
        cid = <object>PyTuple_GET_ITEM(values, 0)
        priority = <object>PyTuple_GET_ITEM(values, 1)
        size = <object>PyTuple_GET_ITEM(values, 2)
        want_block = <object>PyTuple_GET_ITEM(values, 3)
        send_dont_have = <object>PyTuple_GET_ITEM(values, 4)
    else:
        cid, priority, size, want_block, send_dont_have = values
        held.append(cid)
    if not isinstance(cid, bytes):
        raise TypeError(f"a CID is needed, not {type(cid).__name__}")
    order.key = start_of(cid)
    order.length = PyBytes_GET_SIZE(cid)
    order.hash = hash_cid(order.key, order.length, &secret)
    order.task.priority = to_int32(priority, "priority")
    order.task.flags = (TASK_BLOCK if want_block else 0) | (TASK_DENIAL if send_dont_have else 0)
    order.task.size = 0
    if size is not None:
        number = PyLong_AsLongLongAndOverflow(size, &overflow)
        if overflow or number < 0 or number > 0xFFFFFFFFLL:
            raise UsageError(f"a block cannot have {index(size)} bytes")
        order.task.size = <uint32_t>number
        order.task.flags |= TASK_HAVE
    return 0


@cython.no_gc_clear  # it needs its queue to the end
@cython.freelist(16)
cdef class Batch:
    """See `interface.Batch`."""

    cdef RequestQueue queue
    cdef Flight flight
    cdef uint8_t* keys  # the CIDs, one after the other, since the queue forgets them
    cdef uint32_t* ends
    cdef readonly str peer

    def __cinit__(self):
        self.flight.ended = True

    def __dealloc__(self):
        if not self.flight.ended and is_current(&self.queue.q, &self.flight):
            leave_flights(peer_at(&self.queue.q, self.flight.peer), &self.flight)
        release(self.flight.items)
        release(self.ends)

    cdef int copy_keys(self) noexcept:
        """-1 when memory is short."""
        cdef size_t total = 0
        cdef uint32_t i
        cdef uint8_t room[KEY_ROOM]
        cdef const Cid* cid
        for i in range(self.flight.count):
            total += cid_length(cid_of(&self.queue.q, want_at(&self.queue.q, self.flight.items[i].want)))
        self.ends = <uint32_t*>grab(self.flight.count * sizeof(uint32_t) + total)
        if self.ends == NULL or total > 0xFFFFFFFF:
            return -1
        self.keys = <uint8_t*>(self.ends + self.flight.count)
        total = 0
        for i in range(self.flight.count):
            cid = cid_of(&self.queue.q, want_at(&self.queue.q, self.flight.items[i].want))
            memcpy(self.keys + total, cid_key(cid, room), cid_length(cid))
            total += cid_length(cid)
            self.ends[i] = <uint32_t>total
        return 0

    @property
    def pending_work(self):
        return self.flight.pending_work

    @property
    def tasks(self):
        cdef uint32_t i, start = 0
        cdef const Item* item
        cdef list found = []
        for i in range(self.flight.count):
            item = &self.flight.items[i]
            block, denial = (item.flags & TASK_BLOCK) != 0, (item.flags & TASK_DENIAL) != 0
            have = (item.flags & TASK_HAVE) != 0
            cid = new_cid(self.keys + start, self.ends[i] - start)
            found.append(_info(self.peer, cid, item.priority, block, denial, have, item.want_seq))
            start = self.ends[i]
        return found


cdef class RequestQueue(Lanes):
    """See `interface.RequestQueue`."""

    cdef bint freezing
    cdef object peer_added
    cdef object peer_removed

    def __init__(
        self,
        *,
        salt=0,
        starvation_timeout=10.0,
        max_active=0,
        merging="bitswap",
        freezing=False,
        batches_per_peer=MOST_UNDER_WAY,
        peer_added=None,
        peer_removed=None,
    ):
        if merging not in _mergings:
            raise UsageError(f"merging must be one of {', '.join(_mergings)}, not {merging!r}")
        if batches_per_peer > MOST_UNDER_WAY:
            raise UsageError(f"batches_per_peer must be at most {MOST_UNDER_WAY}, not {batches_per_peer}")
        self.q.own_sizes = True
        self.q.most_items = 2**32 - 1
        self.q.merging = _mergings[merging]
        self.q.flights_per_peer = max(batches_per_peer, 0)
        self.q.turns.timeout = starvation_timeout
        self.q.outstanding = self.q.most_outstanding = min(max_active, 2**60)
        self.seed = salt & 0xFFFFFFFFFFFFFFFF
        self.freezing = freezing
        self.peer_added = peer_added
        self.peer_removed = peer_removed

    def push(self, peer, tasks, double now, limit=None):
        cdef list made = list(tasks)
        cdef list held = []
        cdef uint32_t count = len(made)
        cdef uint32_t i
        cdef uint64_t most = 2**62 if limit is None else min(max(limit, 0), 2**62)
        cdef Order* orders = <Order*>grab(count * sizeof(Order))
        if orders == NULL:
            raise MemoryError
        try:
            for i in range(count):
                read_task(made[i], &orders[i], held)
            return self.push_orders(peer, orders, count, most)
        finally:
            release(orders)

    cdef object push_orders(self, object peer, const Order* orders, uint32_t count, uint64_t limit):
        cdef uint32_t dropped
        cdef bint added = self.find(peer) == NIL
        cdef uint32_t number = self.admit(peer)
        cdef Peer* here = peer_at(&self.q, number)
        if self.reserve(here, orders, count) < 0:
            if added:
                self.leave(peer)
            raise MemoryError
        dropped = self.queue_orders(number, here, orders, count, limit)
        if here.queued == 0 and here.active == 0:
            self.leave(peer)
            return dropped
        update_peer(&self.q, number, here)
        if added and self.peer_added is not None:
            self.peer_added(peer)
        return dropped

    cdef int reserve(self, Peer* peer, const Order* orders, uint32_t count) noexcept:
        cdef size_t key_bytes = 0
        cdef uint32_t i
        for i in range(count):
            key_bytes += orders[i].length
        if keep_ages_small(&self.q, peer) < 0 or reserve_records(&self.q.wants, count) < 0:
            return -1
        if reserve_slots(peer, count) < 0 or cids_reserve(&self.q.cids, count, key_bytes) < 0:
            return -1
        for i in range(count):
            if orders[i].length > LONG_KEY and cids_reserve_long(&self.q.cids, orders[i].length) < 0:
                return -1
        return 0

    cdef uint32_t queue_orders(
        self, uint32_t number, Peer* peer, const Order* orders, uint32_t count, uint64_t limit
    ) noexcept:
        """Returns how many were dropped."""
        cdef uint32_t i, cid, want
        cdef uint32_t dropped = 0
        for i in range(count):
            if i + 2 * AHEAD < count:
                cids_prefetch(&self.q.cids, orders[i + 2 * AHEAD].hash)
            cid = cids_intern(&self.q.cids, orders[i].key, orders[i].length, orders[i].hash)
            want = find_want(&self.q, number, cid)
            if want == NIL:
                want = link_want(&self.q, number, cid)
            if not push_task(&self.q, peer, want_at(&self.q, want), &orders[i].task, limit):
                dropped += 1
                unlink_idle(&self.q, peer, want)
        trim_slots(peer)
        trim_queues(&self.q)
        return dropped

    def pop(self, target, double now):
        cdef Batch batch
        cdef Peer* peer
        cdef uint32_t number
        cdef int64_t most = min(target, 2**62)
        promote(&self.q, now)
        if self.q.turns.count == 0 or most < 1:
            return None
        batch = Batch.__new__(Batch)
        if self.q.turns.count == 0:
            return None
        batch.queue = self
        number = self.q.turns.heap[0]
        batch.peer = self.name_of(number)
        peer = peer_at(&self.q, number)
        if keep_ages_small(&self.q, peer) < 0 or board(&self.q, peer, &batch.flight, most, 2**62) < 0:
            raise MemoryError
        if batch.copy_keys() < 0:
            while batch.flight.count:
                batch.flight.count -= 1
                untake_task(&self.q, peer, &batch.flight.items[batch.flight.count])
            raise MemoryError
        depart(&self.q, number, peer, &batch.flight, now)
        return batch

    cdef int check_owner(self, Batch batch) except -1:
        if batch.queue is not self:
            raise ValueError("this is another queue's batch")
        return 0

    def done(self, Batch batch not None, double now):
        self.check_owner(batch)
        self.end(batch, now, True)

    def failed(self, Batch batch not None, double now):
        self.check_owner(batch)
        self.end(batch, now, False)

    cdef int end(self, Batch batch, double now, bint well) except -1:
        cdef uint32_t number = batch.flight.peer
        cdef bint current = is_current(&self.q, &batch.flight)
        if batch.flight.ended:
            return 0
        if well:
            land_well(&self.q, &batch.flight, now)
        else:
            land_badly(&self.q, &batch.flight, True)
        if current:
            return self.changed(number)
        self.part(number)
        return 0

    cdef int changed(self, uint32_t number) except -1:
        """Answers have left the queue; a peer without any is removed."""
        cdef Peer* peer = peer_at(&self.q, number)
        if peer.queued or peer.active:
            update_peer(&self.q, number, peer)
            return 0
        name = self.name_of(number)
        say_goodbye(&self.q, number, peer)
        trim_queues(&self.q)
        self.part(number)
        if self.peer_removed is not None:
            self.peer_removed(name)
        return 0

    def remove(self, peer, cids, double now):
        cdef list keys = list(cids)
        cdef uint32_t number = self.find(peer)
        cdef uint32_t removed = 0
        cdef uint32_t queued
        cdef bint many
        cdef Peer* here
        if number == NIL:
            return 0
        here = peer_at(&self.q, number)
        queued = here.queued
        many = is_many(here, PyList_GET_SIZE(keys))
        for key in keys:
            if isinstance(key, bytes):
                removed += self.remove_one(number, key, many)
        if many:
            sweep_slots(&self.q, here)
            # Those that were taken out are behind the others now; a peer without any leaves with all it has.
            while queued > here.queued and (here.queued or here.active):
                queued -= 1
                unlink_idle(&self.q, here, here.slots[queued].want)
        if self.freezing:
            here.held += removed
        self.changed(number)
        return removed

    cdef bint remove_one(self, uint32_t number, object key, bint many) noexcept:
        """Whether there was a queued answer; with `many`, `sweep_slots` and `unlink_idle` are for the caller."""
        cdef const uint8_t* start = start_of(key)
        cdef uint32_t length = PyBytes_GET_SIZE(key)
        cdef uint32_t cid = cids_find(&self.q.cids, start, length, hash_cid(start, length, &secret))
        cdef uint32_t found = NIL if cid == NIL else find_want(&self.q, number, cid)
        cdef Peer* peer = peer_at(&self.q, number)
        cdef Want* want
        cdef bint queued
        if found == NIL:
            return False
        want = want_at(&self.q, found)
        queued = is_queued(peer, want) and not is_marked(peer, want.pos)
        withdraw(want)
        if many:
            if queued:
                mark_task(&self.q, peer, want)
            return queued
        if queued:
            drop_task(&self.q, peer, want)
        unlink_idle(&self.q, peer, found)
        return queued

    def clear(self, peer):
        self.leave(peer)

    def thaw_round(self, double now):
        self.thaw_all(1)

    def thaw(self, double now):
        self.thaw_all(31)

    cdef void thaw_all(self, int halvings) noexcept:
        cdef uint32_t number
        cdef Peer* peer
        for number in range(self.q.peers.fresh):
            peer = peer_at(&self.q, number)
            if is_taken(peer) and peer.held:
                peer.held >>= halvings
                update_peer(&self.q, number, peer)

    def topics(self, peer):
        cdef list queued = []
        cdef list active = []
        cdef uint32_t number = self.find(peer)
        if number != NIL:
            self.list_topics(peer_at(&self.q, number), queued, active)
        return [new_cid(start_of(key), len(key)) for key in queued], [new_cid(start_of(key), len(key)) for key in active]

    cdef int list_topics(self, Peer* peer, list queued, list active) except -1:
        """CIDs as bytes, the making of which runs no other code."""
        cdef uint32_t i
        cdef Slot* order = <Slot*>grab(peer.queued * sizeof(Slot))
        if order == NULL:
            raise MemoryError
        memcpy(order, peer.slots, peer.queued * sizeof(Slot))
        qsort(order, peer.queued, sizeof(Slot), compare_slots)
        try:
            for i in range(peer.queued):
                queued.append(self.key_of(want_at(&self.q, order[i].want)))
            for i in range(peer.count):
                if want_at(&self.q, peer.slots[i].want).active:
                    active.append(self.key_of(want_at(&self.q, peer.slots[i].want)))
        finally:
            release(order)
        return 0

    cdef bytes key_of(self, const Want* want):
        cdef const Cid* cid = cid_of(&self.q, want)
        cdef uint8_t room[KEY_ROOM]
        return PyBytes_FromStringAndSize(<const char*>cid_key(cid, room), cid_length(cid))

    @property
    def stat(self):
        cdef uint32_t number
        cdef uint64_t peers = 0, queued = 0, active = 0
        cdef const Peer* peer
        for number in range(self.q.peers.fresh):
            peer = peer_at(&self.q, number)
            if is_taken(peer) and peer.present:
                peers += 1
                queued += peer.queued
                active += peer.active
        return _stat(peers, queued, active)


cdef int compare_slots(const void* a, const void* b) noexcept nogil:
    cdef uint64_t x = (<const Slot*>a).key
    cdef uint64_t y = (<const Slot*>b).key
    return (x > y) - (x < y)
