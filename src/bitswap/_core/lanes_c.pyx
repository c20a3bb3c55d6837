# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Peers by name over the records of `lanes`; what a decision core and a queue of its own have in common.

Any creation of a Python object may run other code, which may use the same queues. So no pointer to a record is held across
one, and numbers of records are used again after one only if nothing can have made them another's.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort

from bitswap._core cimport memory
from bitswap._core.cidarena cimport KEY_ROOM, NIL, Cid
from bitswap._core.cidstore cimport cid_at, cid_key, cid_length
from bitswap._core.corecheck cimport check_queues, queues_bytes
from bitswap._core.lanes cimport (
    drop_peer, expect_peer, expect_slots, free_queues, init_queues, new_peer, reserve_peer, say_goodbye, trim_queues, welcome,
)
from bitswap._core.memory cimport grab, release
from bitswap._core.objects_c cimport start_of
from bitswap._core.peernames cimport add_name, drop_name, expect_name, find_name, free_names, likely_peer, reserve_name
from bitswap._core.records cimport WANTED, Peer, Want, is_taken, peer_at, want_at
from bitswap._core.wire_c cimport secret
from bitswap._core.xxh64 cimport xxh64

cdef extern from "Python.h":
    object PyUnicode_FromObject(object text)
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    void* PyUnicode_1BYTE_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)


def fail_after(count):
    """For tests: let so many allocations of this module succeed and all after them fail; None = no more."""
    memory.grabs_left = -1 if count is None else count


cdef int compare_ages(const void* a, const void* b) noexcept nogil:
    cdef uint64_t x = (<const uint64_t*>a)[0]
    cdef uint64_t y = (<const uint64_t*>b)[0]
    return (x > y) - (x < y)


cdef uint64_t tie_of(str name, uint64_t seed) except? 0:
    """What breaks ties between peers. Making bytes may run other code."""
    cdef bytes encoded
    if PyUnicode_IS_COMPACT_ASCII(name):
        return xxh64(<const uint8_t*>PyUnicode_1BYTE_DATA(name), PyUnicode_GET_LENGTH(name), seed)
    encoded = name.encode("utf-8", "surrogatepass")
    return xxh64(start_of(encoded), len(encoded), seed)


cdef class Lanes:
    def __cinit__(self, *args, **kwargs):
        if init_queues(&self.q, &secret) < 0:
            raise MemoryError

    def __dealloc__(self):
        free_names(&self.q)
        free_queues(&self.q)

    cdef uint32_t find(self, object peer) except? 0xFFFFFFFFU:
        """The number of a peer that is here, or NIL."""
        cdef uint32_t number
        if not isinstance(peer, str):
            return NIL
        number = find_name(&self.q, PyUnicode_FromObject(peer))
        return number if number != NIL and peer_at(&self.q, number).present else NIL

    cdef uint32_t admit(self, object peer) except? 0xFFFFFFFFU:
        """The number of a peer, which is here from now on."""
        cdef str name = PyUnicode_FromObject(peer)  # of a subclass it makes a str
        cdef uint32_t number = find_name(&self.q, name)
        cdef uint64_t tie
        if number == NIL:
            tie = tie_of(name, self.seed)
            number = find_name(&self.q, name)  # that may have run other code
        if number == NIL:
            if reserve_peer(&self.q) < 0 or reserve_name(&self.q) < 0:
                raise MemoryError
            number = new_peer(&self.q, tie)
            add_name(&self.q, number, name)
        if not peer_at(&self.q, number).present:
            welcome(&self.q, peer_at(&self.q, number))
        return number

    cdef void expect(self, object peer, int step) noexcept:
        """Tell the processor what a message of a peer will need, step by step: each needs the one before."""
        cdef const Peer* known
        if type(peer) is not str:
            return
        if step == 0:
            expect_name(&self.q, peer)
            return
        known = likely_peer(&self.q, peer)
        if known == NULL:
            return
        if step == 1:
            expect_peer(known)
        elif step == 2:
            expect_slots(&self.q, known)

    cdef str name_of(self, uint32_t number):
        return <str>peer_at(&self.q, number).name

    cdef void part(self, uint32_t number) noexcept:
        """Let go of the record of a peer that has left, once nothing is under way to it either."""
        if not peer_at(&self.q, number).present and peer_at(&self.q, number).under_way == 0:
            drop_name(&self.q, number)
            drop_peer(&self.q, number)
            trim_queues(&self.q)

    cdef int leave(self, object peer) except -1:
        """The peer leaves with all it was owed."""
        cdef uint32_t number = self.find(peer)
        if number == NIL:
            return 0
        expect_peer(peer_at(&self.q, number))
        expect_slots(&self.q, peer_at(&self.q, number))
        say_goodbye(&self.q, number, peer_at(&self.q, number))
        trim_queues(&self.q)
        self.part(number)
        return 0

    cdef list wanted_keys(self, uint32_t number):
        """The CIDs that a peer wants, as bytes, oldest want first. Making bytes runs no other code."""
        cdef list keys = []
        cdef uint32_t i
        cdef uint32_t count = 0
        cdef uint64_t* ages
        cdef uint8_t room[KEY_ROOM]
        cdef const Peer* peer
        cdef const Want* want
        cdef const Cid* cid
        if number == NIL or peer_at(&self.q, number).wanted == 0:
            return keys
        peer = peer_at(&self.q, number)
        ages = <uint64_t*>grab(peer.wanted * sizeof(uint64_t))
        if ages == NULL:
            raise MemoryError
        for i in range(peer.count):
            want = want_at(&self.q, peer.slots[i].want)
            if want.flags & WANTED:
                ages[count] = <uint64_t>want.seq << 32 | want.cid
                count += 1
        qsort(ages, count, sizeof(uint64_t), compare_ages)
        try:
            for i in range(count):
                cid = cid_at(&self.q.cids, <uint32_t>ages[i])
                keys.append(PyBytes_FromStringAndSize(<const char*>cid_key(cid, room), cid_length(cid)))
        finally:
            release(ages)
        return keys

    def memory(self):
        """Bytes held outside of Python objects."""
        return queues_bytes(&self.q)

    def check(self):
        """For tests: AssertionError, with what is wrong, unless all records agree with each other."""
        cdef const char* wrong = check_queues(&self.q)
        if wrong != NULL:
            raise AssertionError(wrong.decode())
        cdef uint32_t number
        if self.q.names.count != self.q.peers.used:
            raise AssertionError("peers have no name, or names no peer")
        for number in range(self.q.peers.fresh):
            if is_taken(peer_at(&self.q, number)) and find_name(&self.q, self.name_of(number)) != number:
                raise AssertionError(f"{self.name_of(number)!r} is not found")

    def tie_of(self, name):
        """For tests: what breaks ties between peers."""
        return tie_of(name, self.seed)

    def renumber_at(self, age):
        """For tests: renumber wants and answers of a peer whose youngest has this age, which is 2**30 without."""
        self.q.last_seq = age

    def peers(self):
        cdef list found = []
        cdef uint32_t number
        for number in range(self.q.peers.fresh):
            if is_taken(peer_at(&self.q, number)) and peer_at(&self.q, number).wanted:
                found.append(self.name_of(number))
        return found

    def queued_peers(self):
        cdef list found = []
        cdef uint32_t number
        for number in range(self.q.peers.fresh):
            if is_taken(peer_at(&self.q, number)) and (peer_at(&self.q, number).queued or peer_at(&self.q, number).active):
                found.append(self.name_of(number))
        return found
