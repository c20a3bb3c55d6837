# cython: language_level=3
"""Blocks that the store has, as far as they are remembered, oldest first; their sizes are those of their CIDs."""

from libc.stdint cimport uint32_t

from bitswap._core.cidarena cimport NIL, Cid
from bitswap._core.cidstore cimport cid_at, cids_drop
from bitswap._core.records cimport Node, Queues, node_at
from bitswap._core.slab cimport free_record, take_record


cdef inline void remember_block(Queues* q, uint32_t number) noexcept nogil:
    """Of a CID that is not known; a record has been reserved."""
    cdef Cid* cid = cid_at(&q.cids, number)
    cdef uint32_t place = take_record(&q.known.nodes)
    cdef Node* node = node_at(q, place)
    node.cid = number
    node.head = cid.head
    node.earlier = q.known.newest
    node.later = NIL
    if q.known.newest == NIL:
        q.known.oldest = place
    else:
        node_at(q, q.known.newest).later = place
    q.known.newest = place
    cid.head = place
    cid.known = 1


cdef inline void forget_if_known(Queues* q, uint32_t number) noexcept nogil:
    if cid_at(&q.cids, number).known:
        forget_block(q, number)


cdef inline void forget_block(Queues* q, uint32_t number) noexcept nogil:
    """Of a CID that is known."""
    cdef Cid* cid = cid_at(&q.cids, number)
    cdef uint32_t place = cid.head
    cdef Node* node = node_at(q, place)
    if node.earlier == NIL:
        q.known.oldest = node.later
    else:
        node_at(q, node.earlier).later = node.later
    if node.later == NIL:
        q.known.newest = node.earlier
    else:
        node_at(q, node.later).earlier = node.earlier
    cid.head = node.head
    cid.known = 0
    q.known.forgotten += 1
    if cid.head == NIL:
        cids_drop(&q.cids, number)
    free_record(&q.known.nodes, place)
