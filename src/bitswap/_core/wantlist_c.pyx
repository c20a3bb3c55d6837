# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The wantlist, compiled: interned CIDs and rows of twelve bytes, in the order in which they were added.

`Cid.head` is the number of the row.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort

from bitswap._core.cidarena cimport KEY_ROOM, NIL, Cid
from bitswap._core.cidcheck cimport cids_check
from bitswap._core.cidstore cimport (
    CidStore, cid_at, cid_key, cid_length, cids_count, cids_drop_hashed, cids_find, cids_free, cids_init,
    cids_intern, cids_memory, cids_reserve, cids_reserve_long,
)
from bitswap._core.cidtable cimport hash_cid
from bitswap._core cimport memory
from bitswap._core.messagebody cimport WANT_BLOCK, WANT_HAVE
from bitswap._core.memory cimport grab, regrab, release
from bitswap._core.objects_c cimport cid_object, new_cid
from bitswap._core.wire_c cimport secret

from bitswap._core.interface import int32
from bitswap._core.wantlist import WantlistEntry

__all__ = ["Wantlist"]

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object number, int* overflow) except? -1
    PyTypeObject PyTuple_Type

cdef object _entry_type = WantlistEntry


cdef struct Row:
    uint32_t cid        # NIL where a want was removed
    int32_t priority
    int32_t kind


cdef inline int32_t to_int32(object value, str name) except? -1:
    cdef int overflow = 0
    cdef long long number = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow or number != <int32_t>number:
        int32(value, name)  # raises
    return <int32_t>number


cdef object new_entry(tuple fields):
    cdef tuple arguments = (fields,)
    return PyTuple_Type.tp_new(<type>_entry_type, <PyObject*>arguments, NULL)


cdef int ascending(const void* a, const void* b) noexcept nogil:
    cdef uint64_t x = (<const uint64_t*>a)[0]
    cdef uint64_t y = (<const uint64_t*>b)[0]
    return (x > y) - (x < y)


cdef class Wantlist:
    """Wants, one for each CID; see `WantlistType`."""

    cdef CidStore cids
    cdef Row* rows
    cdef uint32_t count     # rows, removed ones included
    cdef uint32_t capacity
    cdef tuple sorted       # what `entries` returned, or None
    cdef uint64_t changes   # of rows

    def __cinit__(self):
        if cids_init(&self.cids, &secret) < 0:
            raise MemoryError
        self.sorted = ()

    def __init__(self):
        pass

    def __dealloc__(self):
        cids_free(&self.cids)
        release(self.rows)

    cdef uint32_t find(self, object cid, uint32_t* hash) except? NIL:
        """The row of a CID, or NIL, and the hash of the CID."""
        cid = cid_object(cid)
        cdef const uint8_t* key = <const uint8_t*>PyBytes_AS_STRING(cid)
        cdef uint32_t length = PyBytes_GET_SIZE(cid)
        cdef uint32_t id
        hash[0] = hash_cid(key, length, &secret)
        id = cids_find(&self.cids, key, length, hash[0])
        return NIL if id == NIL else cid_at(&self.cids, id).head

    cdef int reserve(self, uint32_t wants, size_t key_bytes) except -1:
        """Room for more wants; MemoryError, and nothing changed."""
        cdef Row* rows
        cdef uint32_t capacity = self.capacity
        if self.count + wants > capacity and self.count - cids_count(&self.cids) > capacity // 4:
            self.compact()
        while self.count + wants > capacity:
            capacity = capacity * 2 if capacity else 8
        if capacity > NIL or cids_reserve(&self.cids, wants, key_bytes) < 0:
            raise MemoryError
        if capacity != self.capacity:
            rows = <Row*>regrab(self.rows, capacity * sizeof(Row))
            if rows == NULL:
                raise MemoryError
            self.rows = rows
            self.capacity = capacity
        return 0

    cdef void compact(self) noexcept:
        """Close the gaps that removed wants left."""
        cdef uint32_t i
        cdef uint32_t n = 0
        for i in range(self.count):
            if self.rows[i].cid != NIL:
                cid_at(&self.cids, self.rows[i].cid).head = n
                self.rows[n] = self.rows[i]
                n += 1
        self.count = n
        self.changes += 1

    cdef void put(self, uint32_t id, int32_t priority, int32_t kind) noexcept:
        cdef Row* row = &self.rows[self.count]
        row.cid = id
        row.priority = priority
        row.kind = kind
        cid_at(&self.cids, id).head = self.count
        self.count += 1
        self.changes += 1

    def add(self, cid, priority, want_type=WANT_BLOCK):
        cid = cid_object(cid)
        cdef int32_t prio = to_int32(priority, "priority")
        cdef int32_t kind = to_int32(want_type, "want type")
        cdef const uint8_t* key = <const uint8_t*>PyBytes_AS_STRING(cid)
        cdef uint32_t length = PyBytes_GET_SIZE(cid)
        cdef uint32_t hash = hash_cid(key, length, &secret)
        cdef uint32_t id = cids_find(&self.cids, key, length, hash)
        cdef Row* row
        if id != NIL:
            row = &self.rows[cid_at(&self.cids, id).head]
            if row.kind == WANT_BLOCK or kind == WANT_HAVE:
                return False
            row.priority = prio
            row.kind = kind
            self.changes += 1
        else:
            self.reserve(1, length)
            if cids_reserve_long(&self.cids, length) < 0:
                raise MemoryError
            self.put(cids_intern(&self.cids, key, length, hash), prio, kind)
        self.sorted = None
        return True

    cdef void drop(self, uint32_t number, uint32_t hash) noexcept:
        cids_drop_hashed(&self.cids, self.rows[number].cid, hash)
        self.rows[number].cid = NIL
        self.changes += 1
        while self.count and self.rows[self.count - 1].cid == NIL:
            self.count -= 1
        if self.capacity > 64 and cids_count(&self.cids) < self.capacity // 8:
            self.shrink()
        self.sorted = None

    cdef void shrink(self) noexcept:
        """Give back most of the rows that are empty."""
        cdef uint32_t capacity = self.capacity // 4
        cdef Row* rows
        self.compact()
        rows = <Row*>regrab(self.rows, capacity * sizeof(Row))
        if rows != NULL:
            self.rows = rows
            self.capacity = capacity

    def remove(self, cid):
        cdef uint32_t hash
        cdef uint32_t number = self.find(cid, &hash)
        if number == NIL:
            return False
        self.drop(number, hash)
        return True

    def remove_type(self, cid, want_type):
        cdef int32_t kind = to_int32(want_type, "want type")
        cdef uint32_t hash
        cdef uint32_t number = self.find(cid, &hash)
        if number == NIL or (kind == WANT_HAVE and self.rows[number].kind == WANT_BLOCK):
            return False
        self.drop(number, hash)
        return True

    cdef object entry(self, uint32_t number):
        cdef Row row = self.rows[number]
        cdef const Cid* kept = cid_at(&self.cids, row.cid)
        cdef uint8_t room[KEY_ROOM]
        cid = new_cid(cid_key(kept, room), cid_length(kept))
        return new_entry((cid, row.priority, row.kind))

    def get(self, cid):
        cdef uint32_t hash
        cdef uint32_t number = self.find(cid, &hash)
        return None if number == NIL else self.entry(number)

    def has(self, cid):
        cdef uint32_t hash
        return self.find(cid, &hash) != NIL

    def __contains__(self, cid):
        cdef uint32_t hash
        return self.find(cid, &hash) != NIL

    def __len__(self):
        return cids_count(&self.cids)

    def entries(self):
        while self.sorted is None:
            self.sorted = self.sort()
        return self.sorted

    cdef tuple sort(self):
        """All entries in order; None if that let other code run which changed something."""
        cdef uint32_t i
        cdef uint64_t* keys
        cdef uint64_t before
        cdef list found = []
        self.compact()
        before = self.changes
        keys = <uint64_t*>grab(self.count * sizeof(uint64_t))
        if keys == NULL:
            raise MemoryError
        try:
            for i in range(self.count):
                keys[i] = <uint64_t>(<int64_t>0x7FFFFFFF - self.rows[i].priority) << 32 | i
            qsort(keys, self.count, sizeof(uint64_t), ascending)
            for i in range(self.count):
                found.append(self.entry(<uint32_t>keys[i]))
                if self.changes != before:
                    return None
        finally:
            release(keys)
        return tuple(found)

    def absorb(self, other):
        for cid, priority, want_type in other.entries():
            self.add(cid, priority, want_type)

    def copy(self):
        cdef Wantlist twin = Wantlist.__new__(Wantlist)
        cdef uint32_t i, id
        cdef const uint8_t* key
        cdef uint32_t length
        cdef uint8_t room[KEY_ROOM]
        self.compact()
        for i in range(self.count):
            key = cid_key(cid_at(&self.cids, self.rows[i].cid), room)
            length = cid_length(cid_at(&self.cids, self.rows[i].cid))
            twin.reserve(1, length)
            if cids_reserve_long(&twin.cids, length) < 0:
                raise MemoryError
            id = cids_intern(&twin.cids, key, length, hash_cid(key, length, &secret))
            twin.put(id, self.rows[i].priority, self.rows[i].kind)
        twin.sorted = self.sorted
        return twin

    def __repr__(self):
        return f"<Wantlist of {cids_count(&self.cids)}>"

    def __sizeof__(self):
        return object.__sizeof__(self) + cids_memory(&self.cids) + self.capacity * sizeof(Row)

    # For tests

    def _check(self):
        """Whether all is as it must be."""
        cdef uint32_t i
        cdef uint32_t live = 0
        for i in range(self.count):
            if self.rows[i].cid != NIL:
                if cid_at(&self.cids, self.rows[i].cid).head != i:
                    return False
                live += 1
        return live == cids_count(&self.cids) and cids_check(&self.cids)


def _fail_after(allocations):
    """Let that many allocations succeed, and all others fail, until called with None."""
    memory.grabs_left = -1 if allocations is None else allocations


def _held():
    """Bytes that all wantlists hold."""
    return memory.bytes_held
