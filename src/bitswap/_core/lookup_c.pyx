# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A message about to be taken in by a core: which rows count, and the sizes of the blocks they ask for."""

from cpython.dict cimport PyDict_Next
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from bitswap._core cimport memory
from bitswap._core.cidarena cimport LONG_KEY, NIL, Cid
from bitswap._core.cidstore cimport cid_at, cids_find, cids_prefetch
from bitswap._core.cidtable cimport CANCEL, KEPT_ROWS, Row, compact
from bitswap._core.memory cimport grab, release
from bitswap._core.objects_c cimport new_cid
from bitswap._core.protowire cimport read_strict_varint
from bitswap._core.records cimport Queues
from bitswap._core.rows cimport (
    ROW_CANCEL, ROW_DENIED, ROW_KNOWN, ROW_PRESENT, ROW_SIZE, ROW_WANT, Note, Wantlist,
)
from bitswap._core.wire_c cimport Message

from operator import index

cdef extern from "Python.h":
    object PySequence_Fast(object values, const char* otherwise)
    Py_ssize_t PySequence_Fast_GET_SIZE(object values)
    PyObject* PySequence_Fast_GET_ITEM(object values, Py_ssize_t i)
    long long PyLong_AsLongLongAndOverflow(object number, int* overflow) except? -1
    bint PyLong_Check(object value)

cdef enum:
    FEW = 4  # rows whose notes need no memory of their own


def fail_after(count):
    """For tests: let so many allocations of this module succeed and all after them fail; None = no more."""
    memory.grabs_left = -1 if count is None else count


cdef uint32_t block_bytes(object size) except? 0xFFFFFFFFU:
    """A number of bytes as C has it; what is larger than any message is all the same."""
    cdef int overflow = 0
    cdef long long number = PyLong_AsLongLongAndOverflow(size, &overflow)
    if number < 0 and overflow <= 0:
        raise ValueError(f"a block cannot have {size} bytes")
    return ROW_SIZE if overflow or number > ROW_SIZE else <uint32_t>number


cdef dict plain_sizes(object sizes):
    """Sizes by CID, checked, so that what follows cannot fail half-way; to be used before other code can run."""
    cdef dict plain = sizes if type(sizes) is dict else dict(sizes)
    cdef PyObject* key = NULL
    cdef PyObject* value = NULL
    cdef Py_ssize_t place = 0
    while PyDict_Next(plain, &place, &key, &value):
        if not isinstance(<object>key, bytes):
            raise TypeError(f"a CID is needed, not {type(<object>key).__name__}")
        if not PyLong_Check(<object>value):
            return plain_sizes({cid: index(size) for cid, size in plain.items()})
        block_bytes(<object>value)
    return plain


cdef Message own_message(object message):
    """A message of any implementation as one of ours."""
    cdef Message copy
    if isinstance(message, Message):
        return message
    copy = Message(message.full)
    for cid, priority, want_type, cancel, send_dont_have in message.wantlist():
        if cancel:
            copy.cancel(cid)
        else:
            copy.add_entry(cid, priority, want_type, send_dont_have)
    return copy


cdef bint is_identity(const uint8_t* cid, size_t length) noexcept:
    """Whether the CID holds its own data; one that is malformed does not."""
    cdef const uint8_t* end = cid + length
    cdef uint64_t part = 1
    cdef int i
    if length < 4 or cid[0] == 0x12:
        return False
    if cid[1] < 0x80:
        return cid[2] == 0
    for i in range(3):
        cid = read_strict_varint(cid, end, &part)
        if cid == NULL:
            return False
    return part == 0


cdef class Lookup:
    """See `interface.Lookup`."""

    def __cinit__(self):
        self.list.notes = &self.few[0]
        self.room = FEW

    def __dealloc__(self):
        if self.list.notes != &self.few[0]:
            release(self.list.notes)

    cdef int read(self, const Queues* q, Message message, size_t longest) except -1:
        cdef uint32_t i
        cdef uint32_t count
        cdef const Row* row
        compact(&message.wants)
        count = message.wants.count
        if count > self.room:
            self.make_room(count)
        self.message = message
        self.list.count = count
        self.list.full = message.is_full
        for i in range(count):
            row = &message.wants.rows[i]
            self.list.notes[i].cid = NIL
            if row.length > longest or is_identity(row.cid, row.length):
                self.list.notes[i].what = 0
                self.ignored += 1
            elif row.flags & CANCEL:
                self.list.notes[i].what = ROW_CANCEL
            else:
                self.list.notes[i].what = ROW_WANT
                self.list.wants += 1
                self.list.key_bytes += row.length
                self.list.any_long = self.list.any_long or row.length > LONG_KEY
        self.asked = self.list.wants
        self.forgotten = q.known.forgotten
        if q.known.nodes.used and self.asked:
            self.recall(q)
        return 0

    cdef int make_room(self, uint32_t count) except -1:
        cdef Note* notes = <Note*>grab(count * sizeof(Note))
        if notes == NULL:
            raise MemoryError
        if self.list.notes != &self.few[0]:
            release(self.list.notes)
        self.list.notes = notes
        self.room = count
        return 0

    cdef bint recycle(self) noexcept:
        """Make it as new, with memory for another message; false if that is not worth it."""
        self.list.wants = self.list.count = 0
        self.list.key_bytes = 0
        self.list.any_long = False
        self.ignored = 0
        self.found = None
        return self.room <= KEPT_ROWS and self.message.recycle()

    cdef void recall(self, const Queues* q) noexcept:
        """Note the sizes that are known."""
        cdef const Row* rows = self.message.wants.rows
        cdef const Cid* cid
        cdef uint32_t i, found
        for i in range(self.list.count):
            if i + 8 < self.list.count:
                cids_prefetch(&q.cids, rows[i + 8].hash)
            if not self.list.notes[i].what & ROW_WANT:
                continue
            found = cids_find(&q.cids, rows[i].cid, rows[i].length, rows[i].hash)
            if found == NIL:
                continue
            cid = cid_at(&q.cids, found)
            if cid.known:
                self.list.notes[i].what |= ROW_KNOWN | cid.size
                self.list.notes[i].cid = found
                self.asked -= 1

    @property
    def cids(self):
        cdef uint32_t i = 0
        cdef list found = []
        cdef Message message = self.message
        if self.found is not None:
            return self.found
        while i < self.list.count:
            if self.list.notes[i].what & (ROW_WANT | ROW_KNOWN) == ROW_WANT:
                self.ready()
                found.append(new_cid(message.wants.rows[i].cid, message.wants.rows[i].length))
            i += 1
        self.found = found
        return found

    cdef Wantlist* ready(self) except NULL:
        """The wantlist, to be used before any other code can run."""
        if self.message is None or self.message.wants.count != self.list.count:
            raise ValueError("the message was changed after it was looked up")
        self.list.rows = self.message.wants.rows
        return &self.list

    cdef void check_ids(self, const Queues* q) noexcept:
        """Do not use ids that may be others' by now. A CID whose block is known keeps its id."""
        cdef uint32_t i
        if self.forgotten != q.known.forgotten:
            for i in range(self.list.count):
                self.list.notes[i].cid = NIL

    cdef int take_sizes(self, object sizes) except -1:
        """Note what the store has; forget what was noted by an earlier call."""
        cdef object given = PySequence_Fast(sizes, "sizes must be a sequence")
        cdef Py_ssize_t place = 0
        cdef uint32_t i
        cdef uint32_t what
        if PySequence_Fast_GET_SIZE(given) != self.asked:
            raise ValueError(f"{len(given)} sizes for {self.asked} blocks")
        self.list.any_denied = False
        self.largest = 0
        if self.list.wants == 0:
            return 0
        for i in range(self.list.count):
            what = self.list.notes[i].what & (ROW_CANCEL | ROW_WANT | ROW_KNOWN | ROW_SIZE)
            if what & (ROW_WANT | ROW_KNOWN) == ROW_WANT:
                size = <object>PySequence_Fast_GET_ITEM(given, place)
                place += 1
                what &= ~ROW_SIZE
                if size is not None:
                    if not PyLong_Check(size):
                        return self.take_sizes([None if item is None else index(item) for item in given])
                    what |= ROW_PRESENT | block_bytes(size)
            elif what & ROW_KNOWN:
                what |= ROW_PRESENT
            if what & ROW_SIZE > self.largest:
                self.largest = what & ROW_SIZE
            self.list.notes[i].what = what
            self.list.notes[i].want = NIL
        return 0

    cdef int ask_filter(self, object peer, object allowed) except -1:
        """Note what the peer may not have."""
        cdef const Row* row
        cdef uint32_t i = 0
        while i < self.list.count:
            if self.list.notes[i].what & ROW_WANT:
                row = &self.ready().rows[i]
                if not allowed(peer, new_cid(row.cid, row.length)):
                    self.list.notes[i].what |= ROW_DENIED
                    self.list.any_denied = True
            i += 1
        return 0
