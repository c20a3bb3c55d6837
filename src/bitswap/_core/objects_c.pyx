# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""CIDs, entries and blocks between their C form and Python's."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from bitswap._core.ahead_c cimport Arrival
from bitswap._core.memory cimport LINE, prefetch
from bitswap._core.messagewrite cimport Part, content_end, part_size, write_part
from bitswap._core.protowire cimport Span, cid_digest, varint_size, write_varint
from bitswap._core.sha256_c cimport sha256

import sys

from bitswap._core.elements import as_cid, payload_block
from bitswap._core.interface import Entry, int32
from bitswap.block import Block
from bitswap.cid import CID

cdef extern from "Python.h":
    PyTypeObject PyBaseObject_Type
    PyTypeObject PyTuple_Type
    long long PyLong_AsLongLongAndOverflow(object number, int* overflow) except? -1

cdef extern from *:
    """
    #if defined(CYTHON_COMPILING_IN_CPYTHON) && CYTHON_COMPILING_IN_CPYTHON
    /* As `bytes.__new__` does for a subclass, without the bytes that it copies from. */
    static PyObject *bitswap_bytes(PyTypeObject *type, const void *data, Py_ssize_t size) {
        PyBytesObject *made = (PyBytesObject *)type->tp_alloc(type, size);
        if (made == NULL) return NULL;
    #ifdef _Py_COMP_DIAG_PUSH
        _Py_COMP_DIAG_PUSH
        _Py_COMP_DIAG_IGNORE_DEPR_DECLS
    #endif
        made->ob_shash = -1;
    #ifdef _Py_COMP_DIAG_PUSH
        _Py_COMP_DIAG_POP
    #endif
        memcpy(made->ob_sval, data, (size_t)size); /* the zero behind it is there */
        return (PyObject *)made;
    }
    #else
    static PyObject *bitswap_bytes(PyTypeObject *type, const void *data, Py_ssize_t size) {
        return PyObject_CallFunction((PyObject *)type, "y#", (const char *)data, size);
    }
    #endif
    """
    object make_bytes "bitswap_bytes"(PyTypeObject* type, const void* data, Py_ssize_t size)

cdef extern from *:
    """
    #include <structmember.h>
    #if defined(CYTHON_COMPILING_IN_CPYTHON) && CYTHON_COMPILING_IN_CPYTHON
    /* Where objects of a type keep a slot, or 0 if that is not known. */
    static Py_ssize_t bitswap_slot_place(PyObject *slot) {
        return Py_TYPE(slot) == &PyMemberDescr_Type ? ((PyMemberDescrObject *)slot)->d_member->offset : 0;
    }
    static PyObject *bitswap_slot(PyObject *object, Py_ssize_t place) {
        return place ? *(PyObject **)((char *)object + place) : NULL;
    }
    #else
    static Py_ssize_t bitswap_slot_place(PyObject *slot) { (void)slot; return 0; }
    static PyObject *bitswap_slot(PyObject *object, Py_ssize_t place) { (void)object; (void)place; return NULL; }
    #endif
    """
    Py_ssize_t slot_place "bitswap_slot_place"(object slot) noexcept
    PyObject* slot_of "bitswap_slot"(object value, Py_ssize_t place) noexcept  # NULL if it is empty or not known

cdef object _cid_type = CID
cdef object _block_type = Block
cdef object _entry_type = Entry
cdef tuple _nothing = ()
cdef bytes _v0_prefix = b"\x00\x70\x12\x20"


cdef object new_cid(const uint8_t* p, size_t length):
    return make_bytes(<PyTypeObject*>_cid_type, p, length)


cdef bint is_same_cid(object a, object b) noexcept:
    if type(a) is not _cid_type or type(b) is not _cid_type:
        return False
    if PyBytes_GET_SIZE(a) != PyBytes_GET_SIZE(b):
        return False
    return memcmp(PyBytes_AS_STRING(a), PyBytes_AS_STRING(b), PyBytes_GET_SIZE(a)) == 0


cdef object new_entry(tuple fields):
    cdef tuple arguments = (fields,)
    return PyTuple_Type.tp_new(<type>_entry_type, <PyObject*>arguments, NULL)


cdef int32_t to_int32(object value, str name) except? -1:
    cdef int overflow = 0
    cdef long long number = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow or number != <int32_t>number:
        int32(value, name)  # raises
    return <int32_t>number


cdef object new_block(object cid, bytes data):
    """As `Block(cid, data)`, without the call of its `__init__`, which is Python."""
    block = PyBaseObject_Type.tp_new(<type>_block_type, <PyObject*>_nothing, NULL)
    block.cid = cid
    block.data = data
    return block


cdef object cid_object(object value):
    return value if type(value) is _cid_type else as_cid(value)


cdef object read_payload(const Span* prefix, const Span* data, uint32_t position, Arrival arrival):
    """The block of an element of `payload`, under the CID that its prefix and data give."""
    cdef const uint8_t* p = prefix.data
    cdef uint8_t cid[36]
    cdef bytes content = arrival.next_block(data, cid + 4) if arrival is not None else None
    cdef bint hashed = content is not None
    if not hashed:
        content = PyBytes_FromStringAndSize(<const char*>data.data, data.length)
    # CIDv1 with a one-byte codec and sha2-256, as nearly all are; `Block.from_prefix` knows the others.
    if prefix.length != 4 or p[0] != 1 or p[1] >= 0x80 or p[2] != 0x12 or p[3] != 0x20:
        return payload_block(PyBytes_FromStringAndSize(<const char*>p, prefix.length), content, position)
    memcpy(cid, p, 4)
    if not hashed:
        sha256(start_of(content), PyBytes_GET_SIZE(content), cid + 4)
    return new_block(new_cid(cid, 36), content)


# The parts of a block are where its type has them; looking there takes a third of the time.
cdef Py_ssize_t _cid_place = slot_place(Block.cid)
cdef Py_ssize_t _data_place = slot_place(Block.data)


cdef object cid_of_block(object block):
    cdef PyObject* part = slot_of(block, _cid_place) if type(block) is _block_type else NULL
    return <object>part if part != NULL else block.cid


cdef object data_of_block(object block):
    cdef PyObject* part = slot_of(block, _data_place) if type(block) is _block_type else NULL
    return <object>part if part != NULL else block.data


cdef void expect_block(object block) noexcept:
    cdef PyObject* part = slot_of(block, _data_place) if type(block) is _block_type else NULL
    cdef int line
    if part != NULL:
        for line in range(5):
            prefetch(<const char*>part + line * LINE)


cdef class Outgoing:
    """A message while it is written; holds its blocks: CID, data and whose they are, one after the other."""

    def __cinit__(self, size_t capacity):
        if capacity == 0:
            self.held = []
            return
        if capacity > <size_t>sys.maxsize // (2 * sizeof(Span)):
            raise MemoryError
        self.prefixes = <Span*>malloc(2 * capacity * sizeof(Span))
        if self.prefixes == NULL:
            raise MemoryError
        self.data = self.prefixes + capacity
        self.held = [None] * (3 * <Py_ssize_t>capacity)
        self.content.prefixes = self.prefixes
        self.content.data = self.data

    def __dealloc__(self):
        free(self.prefixes)

    cdef int add(self, object block) except -1:
        return self.put(cid_object(cid_of_block(block)), data_of_block(block), block)

    cdef int put(self, object cid, object data, object block) except -1:
        """A block under a CID that may be another object than its own."""
        if type(data) is not bytes:
            data = bytes(data)
        cdef size_t i = self.content.blocks
        cdef const uint8_t* start = start_of(cid)
        cdef const uint8_t* end = start + PyBytes_GET_SIZE(cid)
        cdef uint64_t ignored = 0
        if start < end and start[0] == 0x12:
            self.prefixes[i].data = start_of(_v0_prefix)
            self.prefixes[i].length = PyBytes_GET_SIZE(_v0_prefix)
        elif end - start == 36 and start[0] == 1 and start[1] < 0x80 and start[2] == 0x12 and start[3] == 0x20:
            self.prefixes[i].data = start
            self.prefixes[i].length = 4
        else:
            end = cid_digest(start, end, &ignored, &ignored)
            if end == NULL:
                raise ValueError(f"{cid!r} is not a CID")
            self.prefixes[i].data = start
            self.prefixes[i].length = end - start
        self.data[i].data = start_of(data)
        self.data[i].length = PyBytes_GET_SIZE(data)
        self.held[3 * i] = cid
        self.held[3 * i + 1] = data
        self.held[3 * i + 2] = block
        self.content.blocks += 1
        return 0

    cdef int name_blocks(self, dict blocks) except -1:
        cdef size_t i
        for i in range(self.content.blocks):
            blocks[self.held[3 * i]] = self.held[3 * i + 2]
        return 0

    cdef bint rest(self, const Part* part) noexcept:
        """Whether something follows `part`."""
        cdef int kind
        for kind in range(3):
            if part.last[kind] < content_end(&self.content, kind):
                return True
        return False

    cdef bytes write(self, const Part* part, bint framed):
        cdef size_t length = part_size(&self.content, part)
        cdef bytes out = PyBytes_FromStringAndSize(NULL, length + (varint_size(length) if framed else 0))
        cdef uint8_t* p = <uint8_t*>PyBytes_AS_STRING(out)
        if framed:
            p = write_varint(p, length)
        write_part(p, &self.content, part)
        return out
