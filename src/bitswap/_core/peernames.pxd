# cython: language_level=3
"""The numbers of peers by name: a hash table of numbers beside the records, which hold the names.

Names are exactly of the type `str`, so that hashing and comparing them runs no other code.
"""

from cpython.object cimport PyObject, PyObject_Hash
from cpython.ref cimport Py_XDECREF, Py_XINCREF
from libc.stdint cimport uint32_t, uint64_t

from bitswap._core.cidarena cimport NIL
from bitswap._core.memory cimport grab_zeroed, prefetch, release
from bitswap._core.records cimport Peer, Queues, is_taken, peer_at

cdef extern from "Python.h":
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    int PyUnicode_Compare(object a, object b) except? -1


cdef inline uint32_t name_place(const Queues* q, object name) noexcept:
    """Where a name belongs in the table. Python's hashes of texts are salted."""
    cdef uint64_t hashed = <uint64_t>PyObject_Hash(name)
    return <uint32_t>(hashed ^ hashed >> 32) & (q.names.room - 1)


cdef inline bint is_named(const Peer* peer, object name) noexcept:
    if peer.name == <PyObject*>name:
        return True
    if PyUnicode_GET_LENGTH(<object>peer.name) != PyUnicode_GET_LENGTH(name):
        return False
    return PyUnicode_Compare(<object>peer.name, name) == 0


cdef inline uint32_t find_name(const Queues* q, object name) noexcept:
    """The number of a peer, NIL if there is none of that name."""
    cdef uint32_t place
    if q.names.count == 0:
        return NIL
    place = name_place(q, name)
    while q.names.places[place]:
        if is_named(peer_at(q, q.names.places[place] - 1), name):
            return q.names.places[place] - 1
        place = (place + 1) & (q.names.room - 1)
    return NIL


cdef inline void expect_name(const Queues* q, object name) noexcept:
    """Tell the processor that a name is about to be looked for."""
    if q.names.count:
        prefetch(&q.names.places[name_place(q, name)])


cdef inline const Peer* likely_peer(const Queues* q, object name) noexcept:
    """Who is likely to have that name; NULL if nobody has it, or that is not known."""
    cdef uint32_t number
    if q.names.count == 0:
        return NULL
    number = q.names.places[name_place(q, name)]
    return peer_at(q, number - 1) if number else NULL


cdef inline void put_name(Queues* q, uint32_t number) noexcept:
    cdef uint32_t place = name_place(q, <object>peer_at(q, number).name)
    while q.names.places[place]:
        place = (place + 1) & (q.names.room - 1)
    q.names.places[place] = number + 1


cdef inline int reserve_name(Queues* q) noexcept:
    """Make `add_name` a certainty; -1 when memory is short."""
    cdef uint32_t* old = q.names.places
    cdef uint32_t before = q.names.room
    cdef uint32_t i
    cdef uint32_t* places
    if (q.names.count + 1) * 4 <= before * 3:
        return 0
    places = <uint32_t*>grab_zeroed(before * 2 if before else 8, sizeof(uint32_t))
    if places == NULL:
        return -1
    q.names.places = places
    q.names.room = before * 2 if before else 8
    for i in range(before):
        if old[i]:
            put_name(q, old[i] - 1)
    release(old)
    return 0


cdef inline void add_name(Queues* q, uint32_t number, object name) noexcept:
    """Name a peer by a name that no other has."""
    Py_XINCREF(<PyObject*>name)
    peer_at(q, number).name = <PyObject*>name
    put_name(q, number)
    q.names.count += 1


cdef inline void drop_name(Queues* q, uint32_t number) noexcept:
    cdef Peer* peer = peer_at(q, number)
    cdef PyObject* name = peer.name
    cdef uint32_t mask = q.names.room - 1
    cdef uint32_t hole = name_place(q, <object>name)
    cdef uint32_t place, home
    while q.names.places[hole] != number + 1:
        hole = (hole + 1) & mask
    place = hole
    while True:
        # What could stand in the hole is moved there, so that no search ends at it.
        place = (place + 1) & mask
        if q.names.places[place] == 0:
            break
        home = name_place(q, <object>peer_at(q, q.names.places[place] - 1).name)
        if ((place - home) & mask) >= ((place - hole) & mask):
            q.names.places[hole] = q.names.places[place]
            hole = place
    q.names.places[hole] = 0
    q.names.count -= 1
    if q.names.count == 0:
        free_places(q)
    peer.name = NULL
    Py_XDECREF(name)


cdef inline void free_places(Queues* q) noexcept:
    release(q.names.places)
    q.names.places = NULL
    q.names.count = q.names.room = 0


cdef inline void free_names(Queues* q) noexcept:
    """Let go of all names."""
    cdef uint32_t i
    for i in range(q.peers.fresh):
        if is_taken(peer_at(q, i)):
            Py_XDECREF(peer_at(q, i).name)
            peer_at(q, i).name = NULL
    free_places(q)
