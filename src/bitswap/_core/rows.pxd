# cython: language_level=3
"""The rows of a wantlist that is being taken in, and what is known of each."""

from libc.stdint cimport uint16_t, uint32_t

from bitswap._core.cidarena cimport NIL, Cid
from bitswap._core.cidstore cimport cid_at, cids_find, cids_intern
from bitswap._core.cidtable cimport SEND_DONT_HAVE, Row
from bitswap._core.messagebody cimport WANT_BLOCK
from bitswap._core.records cimport AVAILABLE, WANTS_BLOCK, WANTS_DENIAL, Queues
from bitswap._core.wantlists cimport find_want, link_want

cdef extern from *:
    """
    /* What is known of a row: bits above the size of its block. */
    #define BITSWAP_ROW_SIZE 0x7FFFFFu
    enum {
        BITSWAP_ROW_CANCEL = 1 << 23, BITSWAP_ROW_WANT = 1 << 24, BITSWAP_ROW_KNOWN = 1 << 25,
        BITSWAP_ROW_PRESENT = 1 << 26, BITSWAP_ROW_DENIED = 1 << 27, BITSWAP_ROW_REFUSED = 1 << 28
    };
    """
    const uint32_t ROW_SIZE "BITSWAP_ROW_SIZE"
    const uint32_t ROW_CANCEL "BITSWAP_ROW_CANCEL"      # something is withdrawn
    const uint32_t ROW_WANT "BITSWAP_ROW_WANT"          # something is wanted
    const uint32_t ROW_KNOWN "BITSWAP_ROW_KNOWN"        # the size was known when the row was looked up
    const uint32_t ROW_PRESENT "BITSWAP_ROW_PRESENT"    # there is a block, and a message can carry it
    const uint32_t ROW_DENIED "BITSWAP_ROW_DENIED"      # the peer may not have it
    const uint32_t ROW_REFUSED "BITSWAP_ROW_REFUSED"    # there is no room for the want


# What is known of one row of a wantlist.
cdef struct Note:
    uint32_t what
    uint32_t want   # number, once there is one
    uint32_t cid    # id of a CID whose block is known, else NIL


# A wantlist about to be taken in; nothing of it may change meanwhile.
cdef struct Wantlist:
    const Row* rows
    Note* notes
    uint32_t count
    uint32_t wants      # rows that are ROW_WANT
    size_t key_bytes    # of these
    bint full
    bint any_long       # one of these keys is long
    bint any_denied


cdef inline bint is_wanted(const Note* note) noexcept nogil:
    """Whether a row is a want that may be recorded."""
    return note.what & (ROW_WANT | ROW_DENIED) == ROW_WANT


cdef inline uint16_t ledger_flags(const Row* row, const Note* note) noexcept nogil:
    return (
        (WANTS_BLOCK if row.kind == WANT_BLOCK else 0)
        | (WANTS_DENIAL if row.flags & SEND_DONT_HAVE else 0)
        | (AVAILABLE if note.what & ROW_PRESENT else 0)
    )


cdef inline uint32_t intern_row(Queues* q, const Row* row, const Note* note) noexcept nogil:
    """The CID of a row. A size is kept as long as anybody refers to the CID."""
    cdef uint32_t cid = note.cid
    cdef Cid* entry
    if cid == NIL:
        cid = cids_intern(&q.cids, row.cid, row.length, row.hash)
    entry = cid_at(&q.cids, cid)
    if note.what & ROW_PRESENT and not entry.sized:
        entry.size = note.what & ROW_SIZE
        entry.sized = 1
    return cid


cdef inline uint32_t find_row(const Queues* q, uint32_t peer, const Row* row) noexcept nogil:
    """What the peer has to do with the CID of a row, or NIL."""
    cdef uint32_t cid = cids_find(&q.cids, row.cid, row.length, row.hash)
    return NIL if cid == NIL else find_want(q, peer, cid)


cdef inline void link_row(Queues* q, uint32_t number, const Row* row, Note* note) noexcept nogil:
    """See to it that the peer has a want for a row, be it one that is in nothing yet."""
    cdef uint32_t cid = intern_row(q, row, note)
    note.want = find_want(q, number, cid)
    if note.want == NIL:
        note.want = link_want(q, number, cid)
