# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The message and its wire format, compiled: `wire_py` on C records.

A body is parsed in one pass into tables of wants and presences, merged as they come; a second pass over its top level
copies and hashes the blocks. No Python object is made for a want or a presence until somebody asks for it.
A call into Python may run anything, so no pointer into a table is used after one.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from bitswap._core.ahead_c cimport Arrival
from bitswap._core.cidtable cimport (
    CANCEL, DROPPED, MAX_ROWS, SEND_DONT_HAVE, SMALL_TABLE, Chunk, Row, Secret, Table, add_row, clear_table, compact,
    drop_row, empty_table, find_row, free_arena, hash_cid, keep, keep_cids, reserve,
)
from bitswap._core.messagebody cimport (
    DONT_HAVE, HAVE, TAG_BLOCKS, TAG_PAYLOAD, WANT_BLOCK, BadCid, Body, merge_want, parse_block, parse_body,
)
from bitswap._core.messagewrite cimport Part, content_end, entry_size, next_part, presence_size
from bitswap._core.objects_c cimport Outgoing, cid_object, new_cid, new_entry, read_payload, start_of, to_int32
from bitswap._core.protowire cimport NO_MEMORY, Fault, Span, read_span, read_tag, skip_value

import os
import sys

from bitswap._core.elements import PRESENCE, WANT, legacy_block, read_cid
from bitswap._core.framing_c import FrameReader
from bitswap._core.interface import check_version, malformed, too_large
from bitswap.options import MAX_FRAME

__all__ = ["FrameReader", "Message"]

cdef tuple _element_names = ("one want", "one block", "one presence")


cdef void draw_secret():
    cdef bytes random = os.urandom(sizeof(Secret))
    memcpy(&secret, PyBytes_AS_STRING(random), sizeof(Secret))


draw_secret()


cdef inline Row* row_of(Table* table, object cid) noexcept:
    cdef size_t length = PyBytes_GET_SIZE(cid)
    return find_row(table, start_of(cid), length, hash_cid(start_of(cid), length, &secret))


cdef int put(Table* table, Chunk** arena, const uint8_t* cid, size_t length, Row** row) except -1:
    """The row of a CID: 1 if it is new (the CID is copied), 0 if it was there."""
    cdef uint32_t hashed = hash_cid(cid, length, &secret)
    row[0] = find_row(table, cid, length, hashed)
    if row[0] != NULL:
        return 0
    if length > 0x7FFFFFFF:
        raise OverflowError("CID of 2 GiB or more")
    cid = keep(arena, cid, length)
    if cid != NULL:
        row[0] = add_row(table, cid, <uint32_t>length, hashed)
    if row[0] == NULL:
        raise MemoryError
    return 1


cdef int check_cid(const BadCid* bad, str kind) except -1:
    if bad.found:
        read_cid(PyBytes_FromStringAndSize(<const char*>bad.bytes.data, bad.bytes.length), kind, bad.position)
        raise SystemError(f"the two readers of CIDs disagree about {kind} {bad.position}")
    return 0


cdef class Message:
    """A Bitswap message; see `MessageType`."""

    def __cinit__(self, *args, **kwargs):
        self.read_size = -1

    def __init__(self, full=False):
        self.reset(full)

    def __dealloc__(self):
        self.forget()

    cdef void forget(self) noexcept:
        """Free what the rows need."""
        clear_table(&self.wants)
        clear_table(&self.told)
        free_arena(&self.arena)
        self.body = None

    cdef bint recycle(self) noexcept:
        """Make it as new, with its tables kept for another body; false if it is not worth that."""
        if self.block_map is not None or self.told.capacity or self.arena != NULL:
            return False
        self.body = None
        self.read_size = -1
        return empty_table(&self.wants)

    cdef dict unpacked(self):
        """The blocks by CID, for whoever wants more than to write them; they may be changed."""
        cdef dict blocks
        if self.block_map is None:
            blocks = {}
            if self.packed is not None:
                self.packed.name_blocks(blocks)
            self.block_map = blocks
        self.packed = None
        return self.block_map

    cdef list block_list(self):
        return list(self.unpacked().values()) if self.has_blocks() else []

    cdef bint has_blocks(self) noexcept:
        return self.packed is not None if self.block_map is None else len(self.block_map) > 0

    @property
    def full(self):
        return self.is_full

    @full.setter
    def full(self, value):
        self.is_full = value

    @property
    def pending_bytes(self):
        return self.pending

    @pending_bytes.setter
    def pending_bytes(self, value):
        self.pending = to_int32(value, "pending bytes")

    @property
    def body_size(self):
        return self.read_size if self.read_size >= 0 else len(self.to_body())

    # What goes in

    cdef int put_want(
        self, const uint8_t* cid, size_t length, int32_t priority, int32_t want_type, uint32_t flags
    ) except -1:
        """Add (1) or merge (0) a want; flags are CANCEL and SEND_DONT_HAVE."""
        cdef Row* row = NULL
        if not put(&self.wants, &self.arena, cid, length, &row):
            merge_want(row, priority, want_type, flags)
            return 0
        row.priority = priority
        row.kind = want_type
        row.flags = flags
        return 1

    cdef int put_presence(self, const uint8_t* cid, size_t length, int32_t presence_type) except -1:
        """Add (1) or replace (0) a presence; whether its block is in the message is for the caller to know."""
        cdef Row* row = NULL
        cdef int added = put(&self.told, &self.arena, cid, length, &row)
        row.kind = presence_type
        return added

    cdef int expect_presences(self, uint32_t count) except -1:
        """Make room for so many at once; it is no harm if fewer come."""
        cdef uint32_t room = SMALL_TABLE
        while room < count and room < MAX_ROWS:
            room *= 2
        if reserve(&self.told, room) < 0:
            raise MemoryError
        return 0

    cdef int append_presence(self, const uint8_t* cid, uint32_t length, int32_t presence_type) except -1:
        """As `put_presence`, of a CID of which the message is known to say nothing yet."""
        cdef Row* row = NULL
        cdef const uint8_t* kept = keep(&self.arena, cid, length)
        if kept != NULL:
            row = add_row(&self.told, kept, length, hash_cid(kept, length, &secret))
        if row == NULL:
            raise MemoryError
        row.kind = presence_type
        return 0

    def add_entry(self, cid, priority, want_type=WANT_BLOCK, send_dont_have=False):
        cid = cid_object(cid)
        cdef int32_t prio = to_int32(priority, "priority")
        cdef int32_t kind = to_int32(want_type, "want type")
        cdef uint32_t flags = SEND_DONT_HAVE if send_dont_have else 0
        if self.put_want(start_of(cid), PyBytes_GET_SIZE(cid), prio, kind, flags):
            return entry_size(&self.wants.rows[self.wants.count - 1])
        return 0

    def cancel(self, cid):
        cid = cid_object(cid)
        if self.put_want(start_of(cid), PyBytes_GET_SIZE(cid), 0, WANT_BLOCK, CANCEL):
            return entry_size(&self.wants.rows[self.wants.count - 1])
        return 0

    def remove(self, cid):
        cdef Row* row = row_of(&self.wants, cid_object(cid))
        if row != NULL:
            drop_row(&self.wants, row)

    def add_block(self, block):
        cid = cid_object(block.cid)
        cdef Row* row = row_of(&self.told, cid)
        if row != NULL:
            drop_row(&self.told, row)
        self.unpacked()[cid] = block

    def add_have(self, cid):
        self.add_presence(cid, HAVE)

    def add_dont_have(self, cid):
        self.add_presence(cid, DONT_HAVE)

    def add_presence(self, cid, presence_type):
        cid = cid_object(cid)
        cdef int32_t kind = to_int32(presence_type, "presence type")
        if not self.has_blocks() or cid not in self.unpacked():
            self.put_presence(start_of(cid), PyBytes_GET_SIZE(cid), kind)

    def reset(self, full):
        # Held until the end, since freeing blocks may run other code, which must find a whole message.
        cdef tuple old = (self.block_map, self.packed)
        self.forget()
        self.is_full = full
        self.pending = 0
        self.read_size = -1
        self.block_map = None
        self.packed = None

    # What comes out

    def wantlist(self):
        cdef Row row
        cdef uint32_t i = 0
        cdef list found = []
        while i < self.wants.count:
            row = self.wants.rows[i]
            i += 1
            if row.flags & DROPPED:
                continue
            cid = new_cid(row.cid, row.length)
            cancel = (row.flags & CANCEL) != 0
            send_dont_have = (row.flags & SEND_DONT_HAVE) != 0
            found.append(new_entry((cid, row.priority, row.kind, cancel, send_dont_have)))
        return found

    @property
    def entry_count(self):
        return self.wants.live

    def blocks(self):
        return self.block_list()

    def haves(self):
        return [cid for cid, kind in self.presences() if kind == HAVE]

    def dont_haves(self):
        return [cid for cid, kind in self.presences() if kind == DONT_HAVE]

    def presences(self):
        cdef Row row
        cdef uint32_t i = 0
        cdef list found = []
        while i < self.told.count:
            row = self.told.rows[i]
            i += 1
            if not row.flags & DROPPED:
                found.append((new_cid(row.cid, row.length), row.kind))
        return found

    def size(self):
        cdef size_t total = 0
        cdef uint32_t i
        for i in range(self.wants.count):
            if not self.wants.rows[i].flags & DROPPED:
                total += entry_size(&self.wants.rows[i])
        for i in range(self.told.count):
            if not self.told.rows[i].flags & DROPPED:
                total += presence_size(&self.told.rows[i], HAVE)
        for block in self.block_list():
            total += <size_t>len(block.data)
        return total

    def empty(self):
        return not (self.wants.live or self.told.live or self.has_blocks())

    @property
    def has_wants(self):
        return self.is_full or self.wants.live > 0

    def clone(self):
        cdef Message copy = Message.__new__(Message)
        cdef uint32_t i
        cdef Row* row
        for i in range(self.wants.count):
            row = &self.wants.rows[i]
            if not row.flags & DROPPED:
                copy.put_want(row.cid, row.length, row.priority, row.kind, row.flags)
        for i in range(self.told.count):
            row = &self.told.rows[i]
            if not row.flags & DROPPED:
                copy.put_presence(row.cid, row.length, row.kind)
        copy.block_map = self.unpacked().copy()
        copy.is_full = self.is_full
        copy.pending = self.pending
        copy.read_size = self.read_size
        return copy

    def __repr__(self):
        return (
            f"<Message full={bool(self.is_full)} entries={self.wants.live} blocks={len(self.block_list())} "
            f"presences={self.told.live} pending_bytes={self.pending}>"
        )

    # Reading the wire

    @classmethod
    def from_body(cls, body):
        cdef Message message = Message.__new__(cls)
        message.read(body)
        return message

    cdef int read(self, object body) except -1:
        """Become what a body says; of a message that is as new."""
        cdef Arrival arrival = <Arrival>body if type(body) is Arrival else None
        cdef bytes source
        if arrival is not None:
            source = arrival.body
        else:
            source = body if type(body) is bytes else bytes(memoryview(body))
        cdef const uint8_t* start = start_of(source)
        cdef const uint8_t* end = start + PyBytes_GET_SIZE(source)
        cdef Body parsed
        memset(&parsed, 0, sizeof(parsed))
        parsed.wants = &self.wants
        parsed.told = &self.told
        parsed.secret = &secret
        self.body = source
        self.read_size = end - start
        if parse_body(start, end, &parsed) == NULL:
            if parsed.fault.code == NO_MEMORY:
                raise MemoryError
            raise malformed(parsed.fault.code, parsed.fault.at - start)
        self.is_full = parsed.full
        self.pending = parsed.pending
        check_cid(&parsed.bad_want, WANT)
        if parsed.has_blocks:
            self.take_blocks(start, end, False, None)
        if parsed.has_payload:
            if arrival is not None:
                arrival.settle()
            self.take_blocks(start, end, True, arrival)
        check_cid(&parsed.bad_presence, PRESENCE)
        self.drop_told_blocks()
        self.let_go_of_body()
        return 0

    cdef int take_blocks(self, const uint8_t* p, const uint8_t* end, bint payload, Arrival arrival) except -1:
        """Copy and hash the blocks of one field, but for those of `arrival`.

        The body has been parsed, so nothing in it is malformed.
        """
        cdef uint64_t wanted = TAG_PAYLOAD if payload else TAG_BLOCKS
        cdef uint64_t tag = 0
        cdef const uint8_t* tag_at
        cdef Span span, prefix, data
        cdef Fault fault
        cdef uint32_t position = 0
        span.data = p
        span.length = 0
        while p < end:
            tag_at = p
            p = read_tag(p, end, &tag, &fault)
            if tag != wanted:
                p = skip_value(tag_at, p, end, tag, &fault)
            else:
                p = read_span(p, end, &span, &fault)
            # Only for want of memory, where groups nest deep.
            if p == NULL or (payload and tag == wanted and parse_block(span.data, p, &prefix, &data, &fault) == NULL):
                raise MemoryError
            if tag != wanted:
                continue
            if payload:
                block = read_payload(&prefix, &data, position, arrival)
                position += 1
            else:
                block = legacy_block(PyBytes_FromStringAndSize(<const char*>span.data, span.length))
            self.unpacked()[block.cid] = block
        return 0

    cdef int drop_told_blocks(self) except -1:
        """Drop presences of blocks that are in the message."""
        cdef uint32_t i = 0
        if self.has_blocks():
            while i < self.told.count:
                known = new_cid(self.told.rows[i].cid, self.told.rows[i].length) in self.unpacked()
                if known and i < self.told.count:
                    drop_row(&self.told, &self.told.rows[i])
                i += 1
            compact(&self.told)
        return 0

    cdef int let_go_of_body(self) except -1:
        """Keep the body only where rows point into it, and not for the sake of a few CIDs beside blocks."""
        if self.has_blocks():
            if keep_cids(&self.wants, &self.arena) < 0 or keep_cids(&self.told, &self.arena) < 0:
                raise MemoryError
            self.body = None
        elif not (self.wants.count or self.told.count):
            self.body = None
        return 0

    # Writing the wire

    def to_body(self, version=1):
        return self.encode(version, False)

    def to_frame(self, version=1):
        return self.encode(version, True)

    def to_frames(self, version=1, limit=MAX_FRAME):
        cdef size_t bound = min(max(limit, 0), sys.maxsize)
        cdef Outgoing out = self.outgoing(version)
        cdef Part part
        cdef size_t too_long
        cdef int kind = 0
        cdef list frames = []
        memset(&part, 0, sizeof(part))
        part.full = self.is_full
        while not frames or out.rest(&part):
            too_long = next_part(&out.content, &part, bound, &kind)
            if too_long:
                raise too_large(_element_names[kind], too_long, limit)
            frames.append(out.write(&part, True))
            part.full = False
        return frames

    cdef bytes encode(self, object version, bint framed):
        cdef Outgoing out = self.outgoing(version)
        cdef Part part
        cdef int kind
        for kind in range(3):
            part.first[kind] = 0
            part.last[kind] = content_end(&out.content, kind)
        part.full = self.is_full
        return out.write(&part, framed)

    cdef Outgoing outgoing(self, object version):
        """The message, ready to be written at once: from here on no other code may run and change its tables."""
        cdef Outgoing out
        if version != 1 and version != 0:
            check_version(version)
        if self.packed is not None:
            out = self.packed
        else:
            held = self.block_list()
            out = Outgoing.__new__(Outgoing, len(held))
            for block in held:
                out.add(block)
        compact(&self.wants)
        compact(&self.told)
        out.content.wants = &self.wants
        out.content.told = &self.told
        out.content.pending = self.pending
        out.content.version = version
        return out
