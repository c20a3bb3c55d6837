# cython: language_level=3
"""Bodies of messages parsed into C tables in one pass. No Python object is touched.

A parsed body is checked whole, as protobuf and for the CIDs of its wants and presences; blocks are only looked over, and
are read in a second pass by whoever wants them.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from bitswap._core.cidtable cimport (
    CANCEL, SEND_DONT_HAVE, Row, Secret, Table, add_row, find_row, hash_cid, reserve,
)
from bitswap._core.protowire cimport (
    NO_MEMORY, Fault, Span, field_size, read_span, read_tag, read_varint, skip_value, valid_cid,
)

cdef enum:
    WANT_BLOCK = 0
    WANT_HAVE = 1
    HAVE = 0
    DONT_HAVE = 1
    # Tags of one byte: field number << 3 | wire type.
    TAG_WANTLIST = 0x0A
    TAG_BLOCKS = 0x12
    TAG_PAYLOAD = 0x1A
    TAG_PRESENCES = 0x22
    TAG_PENDING = 0x28
    TAG_ENTRY = 0x0A
    TAG_FULL = 0x10
    TAG_CID = 0x0A
    TAG_PRIORITY = 0x10
    TAG_CANCEL = 0x18
    TAG_WANT_TYPE = 0x20
    TAG_SEND_DONT_HAVE = 0x28
    TAG_PRESENCE_TYPE = 0x10
    TAG_PREFIX = 0x0A
    TAG_DATA = 0x12
    MAX_RESERVED = 4096  # rows made room for before they are seen


cdef struct BadCid:
    bint found
    uint32_t position  # among the wants, or the presences, of the body
    Span bytes


# What `parse_body` fills; zero it first, then set `wants`, `told` and `secret`.
cdef struct Body:
    Table* wants
    Table* told         # presences, duplicates merged, even those of blocks in the same body
    const Secret* secret
    Fault fault
    BadCid bad_want     # the first bad one; wants after it are checked as protobuf only
    BadCid bad_presence
    uint32_t want_count
    uint32_t presence_count
    int32_t pending
    bint full
    bint has_blocks
    bint has_payload


cdef inline void merge_want(Row* row, int32_t priority, int32_t want_type, uint32_t flags) noexcept nogil:
    # The priority follows requests of the same type only, so the types are compared first.
    if row.kind == want_type:
        row.priority = priority
    elif row.kind == WANT_HAVE and want_type == WANT_BLOCK:
        row.kind = WANT_BLOCK
    row.flags |= flags


cdef inline bint good_cid(const Span* cid, uint32_t* count, BadCid* bad) noexcept nogil:
    """Count an element; False from the first one on whose CID is bad."""
    count[0] += 1
    if bad.found:
        return False
    if valid_cid(cid.data, cid.length):
        return True
    bad.found = True
    bad.position = count[0] - 1
    bad.bytes = cid[0]
    return False


cdef inline Row* row_for(Table* table, const Span* cid, const Secret* secret, bint* added) noexcept nogil:
    cdef uint32_t hashed = hash_cid(cid.data, cid.length, secret)
    cdef Row* row = find_row(table, cid.data, cid.length, hashed)
    added[0] = row == NULL
    return add_row(table, cid.data, <uint32_t>cid.length, hashed) if row == NULL else row


cdef inline const uint8_t* parse_want(const uint8_t* p, const uint8_t* end, Body* body) noexcept nogil:
    cdef const uint8_t* tag_at
    cdef uint64_t tag = 0
    cdef uint64_t value = 0
    cdef Span cid
    cdef int32_t priority = 0
    cdef int32_t want_type = 0
    cdef bint cancel = False
    cdef bint send_dont_have = False
    cdef uint32_t flags
    cdef Row* row
    cdef bint added = False
    cid.data = p
    cid.length = 0
    while p < end:
        tag_at = p
        p = read_tag(p, end, &tag, &body.fault)
        if p == NULL:
            return NULL
        if tag == TAG_CID:
            p = read_span(p, end, &cid, &body.fault)
        elif tag == TAG_PRIORITY or tag == TAG_CANCEL or tag == TAG_WANT_TYPE or tag == TAG_SEND_DONT_HAVE:
            p = read_varint(p, end, &value, &body.fault)
            if tag == TAG_PRIORITY:
                priority = <int32_t><uint32_t>value
            elif tag == TAG_WANT_TYPE:
                want_type = <int32_t><uint32_t>value
            elif tag == TAG_CANCEL:
                cancel = value != 0
            else:
                send_dont_have = value != 0
        else:
            p = skip_value(tag_at, p, end, tag, &body.fault)
        if p == NULL:
            return NULL
    if not good_cid(&cid, &body.want_count, &body.bad_want):
        return p
    row = row_for(body.wants, &cid, body.secret, &added)
    if row == NULL:
        body.fault.code = NO_MEMORY
        return NULL
    flags = (CANCEL if cancel else 0) | (SEND_DONT_HAVE if send_dont_have else 0)
    if added:
        row.priority = priority
        row.kind = want_type
        row.flags = flags
    else:
        merge_want(row, priority, want_type, flags)
    return p


cdef inline int make_room(Table* table, size_t rest, size_t first) noexcept nogil:
    """Room for as many rows as there will be if all are as long as the first."""
    cdef uint32_t rows = 8
    while rows < MAX_RESERVED and rows * field_size(first) < rest:
        rows *= 2
    return reserve(table, rows)


cdef inline const uint8_t* parse_wantlist(const uint8_t* p, const uint8_t* end, Body* body) noexcept nogil:
    cdef const uint8_t* tag_at
    cdef uint64_t tag = 0
    cdef uint64_t value = 0
    cdef Span entry
    while p < end:
        tag_at = p
        p = read_tag(p, end, &tag, &body.fault)
        if p == NULL:
            return NULL
        if tag == TAG_ENTRY:
            p = read_span(p, end, &entry, &body.fault)
            if p == NULL:
                return NULL
            if body.wants.capacity == 0 and make_room(body.wants, end - tag_at, entry.length) < 0:
                body.fault.code = NO_MEMORY
                return NULL
            if parse_want(entry.data, p, body) == NULL:
                return NULL
        elif tag == TAG_FULL:
            p = read_varint(p, end, &value, &body.fault)
            body.full = value != 0
        else:
            p = skip_value(tag_at, p, end, tag, &body.fault)
        if p == NULL:
            return NULL
    return p


cdef inline const uint8_t* parse_presence(const uint8_t* p, const uint8_t* end, Body* body) noexcept nogil:
    cdef const uint8_t* tag_at
    cdef uint64_t tag = 0
    cdef uint64_t value = 0
    cdef Span cid
    cdef Row* row
    cdef bint added = False
    cid.data = p
    cid.length = 0
    while p < end:
        tag_at = p
        p = read_tag(p, end, &tag, &body.fault)
        if p == NULL:
            return NULL
        if tag == TAG_CID:
            p = read_span(p, end, &cid, &body.fault)
        elif tag == TAG_PRESENCE_TYPE:
            p = read_varint(p, end, &value, &body.fault)
        else:
            p = skip_value(tag_at, p, end, tag, &body.fault)
        if p == NULL:
            return NULL
    if good_cid(&cid, &body.presence_count, &body.bad_presence):
        row = row_for(body.told, &cid, body.secret, &added)
        if row == NULL:
            body.fault.code = NO_MEMORY
            return NULL
        row.kind = <int32_t><uint32_t>value
    return p


cdef inline const uint8_t* parse_block(
    const uint8_t* p, const uint8_t* end, Span* prefix, Span* data, Fault* fault
) noexcept nogil:
    """One element of `payload`; what is absent is empty."""
    cdef const uint8_t* tag_at
    cdef uint64_t tag = 0
    prefix.data = data.data = p
    prefix.length = data.length = 0
    while p < end:
        tag_at = p
        p = read_tag(p, end, &tag, fault)
        if p == NULL:
            return NULL
        if tag == TAG_PREFIX:
            p = read_span(p, end, prefix, fault)
        elif tag == TAG_DATA:
            p = read_span(p, end, data, fault)
        else:
            p = skip_value(tag_at, p, end, tag, fault)
        if p == NULL:
            return NULL
    return p


cdef inline const uint8_t* parse_body(const uint8_t* p, const uint8_t* end, Body* body) noexcept nogil:
    """The whole body, or NULL with `fault` set. Rows point into it."""
    cdef const uint8_t* tag_at
    cdef uint64_t tag = 0
    cdef uint64_t value = 0
    cdef Span span, prefix, data
    while p < end:
        tag_at = p
        p = read_tag(p, end, &tag, &body.fault)
        if p == NULL:
            return NULL
        if tag == TAG_WANTLIST or tag == TAG_PAYLOAD or tag == TAG_PRESENCES or tag == TAG_BLOCKS:
            p = read_span(p, end, &span, &body.fault)
            if p == NULL:
                return NULL
            if tag == TAG_WANTLIST:
                p = parse_wantlist(span.data, p, body)
            elif tag == TAG_PRESENCES:
                p = parse_presence(span.data, p, body)
            elif tag == TAG_PAYLOAD:
                body.has_payload = True
                p = parse_block(span.data, p, &prefix, &data, &body.fault)
            else:
                body.has_blocks = True
        elif tag == TAG_PENDING:
            p = read_varint(p, end, &value, &body.fault)
            body.pending = <int32_t><uint32_t>value
        else:
            p = skip_value(tag_at, p, end, tag, &body.fault)
        if p == NULL:
            return NULL
    return p
