# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The decision core, compiled: `decision.core` on C records; see `decision.interface`.

Each call first does what may run other code or fail (looking at Python objects, making them, reserving memory); only then
it changes the records, which can do neither.
"""

from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next
from cpython.object cimport PyObject
from libc.math cimport ldexp
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from bitswap._core cimport memory
from bitswap._core.answers cimport Task, push_task
from bitswap._core.cidarena cimport LONG_KEY, NIL, Cid
from bitswap._core.cidstore cimport (
    cid_at, cids_find, cids_intern, cids_prefetch, cids_reserve, cids_reserve_long,
)
from bitswap._core.cidtable cimport hash_cid
from bitswap._core.crowd cimport Crowd
from bitswap._core.envelope_c cimport MESSAGE_OVERHEAD, Envelope
from bitswap._core.flights cimport (
    answer_wants, board, depart, is_current, land_badly, land_well, round_target,
)
from bitswap._core.intake cimport reserve_intake, take_in
from bitswap._core.knownblocks cimport forget_block, forget_if_known, remember_block
from bitswap._core.lanes cimport reset_pace, trim_queues, update_peer
from bitswap._core.lanes_c cimport Lanes
from bitswap._core.ledger cimport found_want, keep_ages_small
from bitswap._core.lookup_c cimport Lookup, block_bytes, own_message, plain_sizes
from bitswap._core.memory cimport prefetch, release
from bitswap._core.objects_c cimport Outgoing, new_cid, start_of
from bitswap._core.records cimport (
    BLOCK_OVERHEAD, MOST_UNDER_WAY, TASK_BLOCK, TASK_HAVE, WANTED, WANTS_BLOCK, Peer, Want, cid_of, first_want, is_taken,
    node_at, peer_at, want_at,
)
from bitswap._core.rows cimport ROW_DENIED, ROW_PRESENT, ROW_SIZE, ROW_WANT, Wantlist
from bitswap._core.rules cimport Rules, limit_of
from bitswap._core.slab cimport reserve_records
from bitswap._core.taskheap cimport trim_slots
from bitswap._core.turns cimport promote
from bitswap._core.wire_c cimport Message, secret

from heapq import heappop, heappush
from bitswap._core.requestqueue_c import RequestQueue
from bitswap.decision.interface import CoreCounts
from bitswap.decision.pacing import ENDLESS
from bitswap.errors import UsageError
from bitswap.options import MAX_FRAME

__all__ = ["DecisionCore", "Envelope", "Lookup", "RequestQueue"]

cdef object _counts = CoreCounts
cdef int64_t _frame = MAX_FRAME


def fail_after(count):
    """For tests: let so many allocations of this module succeed and all after them fail; None = no more."""
    memory.grabs_left = -1 if count is None else count


cdef object at_most(object value, object most):
    """Numbers that are larger than C can hold are as good as endless."""
    return min(value, most)


# A block that has come.
cdef struct Arrival:
    const uint8_t* key
    uint32_t length
    uint32_t hash
    uint32_t size
    uint32_t want   # the first for it


cdef inline bint surely_fits(int64_t size) noexcept:
    """Whether a message can carry such a block, however long its CID is."""
    return size <= _frame - 4096


cdef inline bint fits(int64_t size, int64_t length) noexcept:
    """Whether a message can carry the block; one that cannot be sent is as good as missing."""
    return surely_fits(size) or size <= _frame - MESSAGE_OVERHEAD - BLOCK_OVERHEAD - length


cdef class DecisionCore(Lanes):
    """See `interface.DecisionCore`."""

    cdef readonly object options
    cdef Rules rules
    cdef object allowed
    cdef size_t longest
    cdef int64_t most_active
    cdef int64_t most_round
    cdef uint32_t most_known
    cdef double retry_delay
    cdef double max_retry_delay
    cdef list retries   # when peers that are held get something again, a heap
    cdef dict waits     # the same by name; in `retries` there may be older times too
    cdef Lookup spare   # of an earlier message, to be used again
    cdef object first_too_large
    cdef uint64_t refused
    cdef uint64_t count_too_large
    cdef uint64_t ignored

    # Set up

    def __init__(self, options, salt=0, envelopes_per_peer=1):
        if not 1 <= envelopes_per_peer <= MOST_UNDER_WAY:
            raise UsageError(
                f"envelopes_per_peer must be between 1 and {MOST_UNDER_WAY}, not {envelopes_per_peer}"
            )
        if options.task_order is not None:
            raise UsageError("the compiled core has no task_order")
        self.seed = salt & 0xFFFFFFFFFFFFFFFF
        self.q.flights_per_peer = envelopes_per_peer
        self.options = options
        self.allowed = options.peer_block_request_filter
        self.retries = []
        self.waits = {}
        self.longest = at_most(options.max_cid_size or 2**31, 2**31)
        self.most_active = at_most(options.max_total_outstanding_bytes, 2**62)
        self.most_round = at_most(options.max_round_bytes, 2**62)
        self.most_known = at_most(options.max_known_blocks, 2**29)
        self.retry_delay = options.retry_delay
        self.max_retry_delay = options.max_retry_delay
        self.set_rules(options)
        self.set_pace(options)

    cdef int set_rules(self, object options) except -1:
        self.rules.replaced = at_most(options.want_have_replace_size or -1, 2**62)
        self.rules.denials = options.send_dont_haves
        self.rules.most_wants = at_most(options.max_wantlist_entries, 2**60)
        self.rules.least_wants = at_most(min(options.min_wantlist_entries, options.max_wantlist_entries), 2**60)
        self.rules.many_wants = at_most(options.max_total_wantlist_entries, 2**60)
        return 0

    cdef int set_pace(self, object options) except -1:
        adaptive = options.adaptive
        self.q.most_items = at_most(options.max_message_answers, 2**32 - 1)
        self.q.turns.timeout = options.starvation_timeout
        self.q.target = self.q.most_target = at_most(options.target_message_size, ENDLESS)
        self.q.outstanding = self.q.most_outstanding = at_most(options.max_outstanding_bytes, ENDLESS)
        if adaptive:
            self.q.most_target = at_most(options.max_target_message_size, ENDLESS)
            self.q.most_outstanding = at_most(options.max_outstanding_bytes_fast, ENDLESS)
        return 0

    # Wants

    def lookup(self, message):
        return self.look_up(own_message(message))

    cdef Lookup look_up(self, Message message):
        cdef Lookup lookup = Lookup.__new__(Lookup)
        lookup.read(&self.q, message, self.longest)
        return lookup

    def message_received(self, peer, Lookup lookup not None, sizes, double now):
        self.take(peer, lookup, sizes)

    def receive(self, peer, body, sizes, double now):
        cdef Lookup lookup = self.spare
        self.spare = None  # whoever is called back may come here as well
        if lookup is None:
            lookup = Lookup.__new__(Lookup)
            lookup.message = Message.__new__(Message)
        self.expect(peer, 0)
        lookup.message.read(body)
        self.expect(peer, 1)
        lookup.read(&self.q, lookup.message, self.longest)
        self.expect(peer, 2)
        self.take(peer, lookup, sizes(lookup.cids) if lookup.asked else ())
        if lookup.recycle():
            self.spare = lookup

    cdef int take(self, object peer, Lookup lookup, object sizes) except -1:
        cdef Crowd crowd
        cdef Wantlist* list
        cdef uint32_t number
        cdef uint32_t too_large = 0
        lookup.take_sizes(sizes)
        if lookup.list.count == 0 and not lookup.list.full:
            return 0
        if self.allowed is not None:
            lookup.ask_filter(peer, self.allowed)
        first = self.leave_out_large(lookup, &too_large) if not surely_fits(lookup.largest) else None
        number = self.admit(peer)
        list = lookup.ready()
        lookup.check_ids(&self.q)
        if reserve_intake(&self.q, number, list, &self.rules, &crowd) < 0:
            raise MemoryError
        take_in(&self.q, number, list, &self.rules, &crowd)
        if crowd.newcomers != NULL:
            self.refused += crowd.count - crowd.kept + crowd.evictions
            release(crowd.newcomers)
        trim_slots(peer_at(&self.q, number))
        trim_queues(&self.q)
        self.ignored += lookup.ignored
        self.count_large(too_large, first)
        return 0

    cdef object leave_out_large(self, Lookup lookup, uint32_t* count):
        """Treat blocks that no message can carry as missing; returns the CID of the first."""
        cdef Wantlist* list = lookup.ready()
        cdef uint32_t i, what
        cdef uint32_t first = 0
        for i in range(list.count):
            what = list.notes[i].what
            if what & (ROW_WANT | ROW_PRESENT | ROW_DENIED) == ROW_WANT | ROW_PRESENT:
                if not fits(what & ROW_SIZE, list.rows[i].length):
                    list.notes[i].what &= ~ROW_PRESENT
                    first = first if count[0] else i
                    count[0] += 1
        return new_cid(list.rows[first].cid, list.rows[first].length) if count[0] else None

    cdef void count_large(self, uint32_t count, object first):
        self.count_too_large += count
        if count and self.first_too_large is None:
            self.first_too_large = first

    def peer_disconnected(self, peer):
        if self.waits and self.find(peer) != NIL:
            self.waits.pop(self.name_of(self.find(peer)), None)
        self.leave(peer)

    def hold(self, peer, double until):
        cdef uint32_t number = self.admit(peer)
        cdef Peer* held = peer_at(&self.q, number)
        if held.held and self.waits[self.name_of(number)] >= until:
            return
        entry = (until, self.name_of(number))
        number = self.admit(peer)  # making that may have run other code
        held = peer_at(&self.q, number)
        self.wait(entry)
        held.held = 1
        update_peer(&self.q, number, held)

    # Blocks

    def notify_new_blocks(self, sizes, double now):
        cdef Arrival arrivals[16]
        cdef PyObject* key = NULL
        cdef PyObject* value = NULL
        cdef Py_ssize_t place = 0
        cdef int count = 0
        cdef dict plain = plain_sizes(sizes)
        while PyDict_Next(plain, &place, &key, &value):
            arrivals[count].key = start_of(<object>key)
            arrivals[count].length = PyBytes_GET_SIZE(<object>key)
            arrivals[count].size = block_bytes(<object>value)
            if not fits(arrivals[count].size, arrivals[count].length):
                self.count_large(1, <object>key)
                continue
            count += 1
            if count == 16:
                self.notify(arrivals, count)
                count = 0
        self.notify(arrivals, count)

    cdef void notify(self, Arrival* arrivals, int count) noexcept:
        """Answer those who wait for some blocks; what each needs from memory is fetched while others are dealt with."""
        cdef uint32_t cid
        cdef int i
        for i in range(count):
            arrivals[i].hash = hash_cid(arrivals[i].key, arrivals[i].length, &secret)
            cids_prefetch(&self.q.cids, arrivals[i].hash)
        for i in range(count):
            cid = cids_find(&self.q.cids, arrivals[i].key, arrivals[i].length, arrivals[i].hash)
            arrivals[i].want = NIL if cid == NIL else first_want(&self.q, cid_at(&self.q.cids, cid))
            if arrivals[i].want != NIL:
                prefetch(want_at(&self.q, arrivals[i].want))
        for i in range(count):
            self.answer_all(arrivals[i].want, arrivals[i].size)

    cdef void answer_all(self, uint32_t number, uint32_t size) noexcept:
        """Answer the wants from one on in the list of a CID."""
        cdef Want* want
        while number != NIL:
            want = want_at(&self.q, number)
            if want.next != NIL:
                prefetch(want_at(&self.q, want.next))
            if want.flags & WANTED:
                self.answer(want.peer, number, size)
            number = want.next

    cdef void answer(self, uint32_t number, uint32_t wanted, uint32_t size) noexcept:
        """Queue the answer to a want whose block has come."""
        cdef Peer* peer = peer_at(&self.q, number)
        cdef Want* want = want_at(&self.q, wanted)
        cdef Cid* cid = cid_of(&self.q, want)
        cdef Task task
        if not cid.sized:
            cid.size = size
            cid.sized = 1
        task.priority = want.priority
        task.size = size
        task.flags = TASK_HAVE
        if want.flags & WANTS_BLOCK or size <= self.rules.replaced:
            task.flags |= TASK_BLOCK
        found_want(&self.q, peer, wanted)
        push_task(&self.q, peer, want, &task, limit_of(&task, 0))
        update_peer(&self.q, number, peer)

    def blocks_stored(self, sizes):
        cdef PyObject* key = NULL
        cdef PyObject* value = NULL
        cdef Py_ssize_t place = 0
        cdef dict plain = plain_sizes(sizes) if self.most_known else {}
        while PyDict_Next(plain, &place, &key, &value):
            self.remember(<object>key, block_bytes(<object>value))

    cdef int remember(self, object key, uint32_t size) except -1:
        cdef uint32_t length = PyBytes_GET_SIZE(key)
        cdef uint32_t number
        cdef Cid* cid
        if cids_reserve(&self.q.cids, 1, length) < 0 or reserve_records(&self.q.known.nodes, 1) < 0:
            raise MemoryError
        if length > LONG_KEY and cids_reserve_long(&self.q.cids, length) < 0:
            raise MemoryError
        number = cids_intern(&self.q.cids, start_of(key), length, hash_cid(start_of(key), length, &secret))
        cid = cid_at(&self.q.cids, number)
        if not cid.known:
            if self.q.known.nodes.used >= self.most_known:
                forget_block(&self.q, node_at(&self.q, self.q.known.oldest).cid)
            remember_block(&self.q, number)
        # Once wants refer to it a CID keeps its size.
        if first_want(&self.q, cid) == NIL or not cid.sized:
            cid.size = size
            cid.sized = size != ROW_SIZE
        return 0

    def blocks_removed(self, cids):
        for key in cids:
            if isinstance(key, bytes):
                self.forget(key)

    cdef void forget(self, object key):
        cdef uint32_t length = PyBytes_GET_SIZE(key)
        cdef uint32_t cid = cids_find(&self.q.cids, start_of(key), length, hash_cid(start_of(key), length, &secret))
        if cid != NIL:
            forget_if_known(&self.q, cid)
            trim_queues(&self.q)

    # Envelopes

    def next_envelope(self, double now):
        cdef Envelope envelope
        cdef uint32_t number
        cdef Peer* peer
        while self.retries and self.retries[0][0] <= now:
            self.retry(heappop(self.retries))
        promote(&self.q, now)
        if not self.is_ready():
            return None
        envelope = Envelope.__new__(Envelope)
        if not self.is_ready():  # making that may have run other code
            return None
        number = self.q.turns.heap[0]
        peer = peer_at(&self.q, number)
        # Large messages to peers that stopped reading leave room for small ones to all others.
        cdef int64_t target = self.q.target
        if self.q.active_work < self.most_active // 2:
            target = round_target(&self.q, peer, self.most_round)
        envelope.core = self
        envelope.peer = self.name_of(number)
        if keep_ages_small(&self.q, peer) < 0:
            raise MemoryError
        if board(&self.q, peer, &envelope.flight, target, _frame - MESSAGE_OVERHEAD) < 0:
            raise MemoryError
        depart(&self.q, number, peer, &envelope.flight, now)
        envelope.name_blocks()
        return envelope

    cdef int wait(self, tuple entry) except -1:
        heappush(self.retries, entry)
        self.waits[entry[1]] = entry[0]
        return 0

    cdef int retry(self, tuple entry) except -1:
        cdef uint32_t number = self.find(entry[1])
        cdef object at = entry[0]
        cdef Peer* peer
        if number != NIL:
            peer = peer_at(&self.q, number)
            if peer.held and self.waits[entry[1]] == at:
                del self.waits[entry[1]]
                peer.held = 0
                update_peer(&self.q, number, peer)
        return 0

    cdef bint is_ready(self) noexcept:
        return self.q.turns.count > 0 and self.q.active_work < self.most_active

    @property
    def ready(self):
        return bool(self.is_ready())

    def next_deadline(self):
        return self.retries[0][0] if self.retries else None

    def fill(self, Envelope envelope not None, blocks):
        cdef Message message
        cdef Outgoing found
        self.check_owner(envelope)
        if len(blocks) != envelope.asked:
            raise ValueError(f"{len(blocks)} blocks for {envelope.asked} CIDs")
        if not self.can_fill(envelope):
            return None
        found = envelope.look_at(blocks)
        message = Message.__new__(Message)
        # Blocks may be of any kind, so that looking at them may have run other code.
        if not self.can_fill(envelope):
            return None
        envelope.compose(message, found, self.rules.denials)
        if not self.can_fill(envelope):
            return None
        envelope.seal()
        if message.told.live == 0 and envelope.block_count == 0:
            self.end_well(envelope, envelope.flight.taken_at)
            return None
        answer_wants(&self.q, &envelope.flight)
        return message

    cdef bint can_fill(self, Envelope envelope) except -1:
        """False, and the envelope has ended, if its peer has gone since it was taken."""
        if not is_current(&self.q, &envelope.flight):
            self.end_well(envelope, envelope.flight.taken_at)
            return False
        if envelope.filled:
            raise ValueError("the envelope was filled before")
        return True

    cdef int check_owner(self, Envelope envelope) except -1:
        if envelope.core is not self:
            raise ValueError("this is another core's envelope")
        return 0

    cdef int end_well(self, Envelope envelope, double now) except -1:
        if not envelope.flight.ended:
            land_well(&self.q, &envelope.flight, now)
            trim_queues(&self.q)
            self.part(envelope.flight.peer)
        return 0

    def envelope_sent(self, Envelope envelope not None, double now):
        self.check_owner(envelope)
        if envelope.flight.ended:
            return False
        self.end_well(envelope, now)
        return True

    def envelope_failed(self, Envelope envelope not None, double now):
        cdef uint32_t number = envelope.flight.peer
        cdef Peer* peer
        cdef double at
        self.check_owner(envelope)
        if not is_current(&self.q, &envelope.flight):
            self.end_well(envelope, now)
            return False
        peer = peer_at(&self.q, number)
        at = now + min(ldexp(self.retry_delay, min(peer.failures, 30)), self.max_retry_delay)
        if peer.held:
            at = max(at, <double>self.waits[envelope.peer])
        entry = (at, envelope.peer)
        if not is_current(&self.q, &envelope.flight):
            return False
        self.wait(entry)
        land_badly(&self.q, &envelope.flight, self.rules.denials)
        reset_pace(&self.q, peer)
        peer.failures = min(peer.failures + 1, 31)
        peer.held = 1
        update_peer(&self.q, number, peer)
        trim_queues(&self.q)
        return True

    # Questions

    def wantlist_for_peer(self, peer):
        return [new_cid(start_of(key), len(key)) for key in self.wanted_keys(self.find(peer))]

    @property
    def too_large(self):
        return self.first_too_large

    def counts(self):
        cdef uint32_t i
        cdef uint64_t queued = 0
        cdef uint64_t active = 0
        for i in range(self.q.peers.fresh):
            if is_taken(peer_at(&self.q, i)):
                queued += peer_at(&self.q, i).queued
                active += peer_at(&self.q, i).active
        return _counts(self.q.wanted, queued, active, self.refused, self.count_too_large, self.ignored)
