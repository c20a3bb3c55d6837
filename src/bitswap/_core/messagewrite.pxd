# cython: language_level=3
"""Bodies of messages written from C tables and spans. No Python object is touched.

Sizes are those of element bodies; each writer writes exactly its size, with the field's head.
"""

from libc.stdint cimport int32_t, uint8_t
from libc.string cimport memcpy

from bitswap._core.cidtable cimport CANCEL, SEND_DONT_HAVE, Row, Table
from bitswap._core.messagebody cimport (
    TAG_BLOCKS, TAG_CANCEL, TAG_CID, TAG_DATA, TAG_ENTRY, TAG_FULL, TAG_PAYLOAD, TAG_PENDING, TAG_PREFIX,
    TAG_PRESENCE_TYPE, TAG_PRESENCES, TAG_PRIORITY, TAG_SEND_DONT_HAVE, TAG_WANT_TYPE, TAG_WANTLIST,
)
from bitswap._core.protowire cimport (
    Span, field_size, int32_size, write_head, write_int32, write_true,
)


# What goes into a message; nothing of it may change while it is written.
cdef struct Content:
    const Table* wants
    const Table* told
    const Span* prefixes  # of the blocks
    const Span* data
    size_t blocks
    int32_t pending
    int version


# A run of wants, blocks and presences, in this order: [first, last) of each.
cdef struct Part:
    size_t first[3]
    size_t last[3]
    bint full


cdef inline size_t cid_field_size(const Row* row) noexcept nogil:
    return field_size(row.length) if row.length else 0


cdef inline size_t entry_size(const Row* row) noexcept nogil:
    return (
        cid_field_size(row)
        + int32_size(row.priority)
        + int32_size(row.kind)
        + (2 if row.flags & CANCEL else 0)
        + (2 if row.flags & SEND_DONT_HAVE else 0)
    )


cdef inline size_t presence_size(const Row* row, int32_t kind) noexcept nogil:
    return cid_field_size(row) + int32_size(kind)


cdef inline uint8_t* write_cid(uint8_t* p, const Row* row) noexcept nogil:
    if row.length == 0:
        return p
    p = write_head(p, TAG_CID, row.length)
    memcpy(p, row.cid, row.length)
    return p + row.length


cdef inline uint8_t* write_entry(uint8_t* p, const Row* row) noexcept nogil:
    p = write_cid(write_head(p, TAG_ENTRY, entry_size(row)), row)
    p = write_int32(p, TAG_PRIORITY, row.priority)
    if row.flags & CANCEL:
        p = write_true(p, TAG_CANCEL)
    p = write_int32(p, TAG_WANT_TYPE, row.kind)
    if row.flags & SEND_DONT_HAVE:
        p = write_true(p, TAG_SEND_DONT_HAVE)
    return p


cdef inline uint8_t* write_presence(uint8_t* p, const Row* row) noexcept nogil:
    p = write_cid(write_head(p, TAG_PRESENCES, presence_size(row, row.kind)), row)
    return write_int32(p, TAG_PRESENCE_TYPE, row.kind)


cdef inline size_t block_size(size_t prefix, size_t data, int version) noexcept nogil:
    """One element of `blocks` (version 0) or `payload`."""
    if version == 0:
        return data
    return field_size(prefix) + (field_size(data) if data else 0)


cdef inline uint8_t* write_block(uint8_t* p, const Span* prefix, const Span* data, int version) noexcept nogil:
    p = write_head(p, TAG_PAYLOAD if version else TAG_BLOCKS, block_size(prefix.length, data.length, version))
    if version:
        p = write_head(p, TAG_PREFIX, prefix.length)
        memcpy(p, prefix.data, prefix.length)
        p += prefix.length
        if data.length == 0:
            return p
        p = write_head(p, TAG_DATA, data.length)
    memcpy(p, data.data, data.length)
    return p + data.length


cdef inline size_t element_size(const Content* content, int kind, size_t i) noexcept nogil:
    """Bytes of one want (kind 0), block (1) or presence (2) with its field's head."""
    if kind == 0:
        return field_size(entry_size(&content.wants.rows[i]))
    if kind == 1:
        return field_size(block_size(content.prefixes[i].length, content.data[i].length, content.version))
    return field_size(presence_size(&content.told.rows[i], content.told.rows[i].kind))


cdef inline size_t content_end(const Content* content, int kind) noexcept nogil:
    """How many wants, blocks or presences are written; tables have been compacted."""
    if kind == 0:
        return content.wants.count
    if kind == 1:
        return content.blocks
    return content.told.count if content.version else 0


cdef inline size_t next_part(const Content* content, Part* part, size_t limit, int* stuck) noexcept nogil:
    """Move `part` on to what follows it and fits in `limit` bytes.

    Returns 0, or the bytes of a body with nothing but the next element, of kind `stuck`, if even that is too long.
    """
    cdef size_t wants = 2 if part.full else 0
    cdef size_t rest = int32_size(content.pending) if content.version else 0
    cdef size_t size, total
    cdef bint nothing = True
    cdef int kind
    for kind in range(3):
        part.first[kind] = part.last[kind]
    for kind in range(3):
        while part.last[kind] < content_end(content, kind):
            size = element_size(content, kind, part.last[kind])
            total = field_size(wants + size) + rest if kind == 0 else field_size(wants) + rest + size
            if total > limit:
                stuck[0] = kind
                return total if nothing else 0
            nothing = False
            part.last[kind] += 1
            if kind == 0:
                wants += size
            else:
                rest += size
    return 0


cdef inline size_t wantlist_size(const Content* content, const Part* part) noexcept nogil:
    cdef size_t size = 2 if part.full else 0
    cdef size_t i
    for i in range(part.first[0], part.last[0]):
        size += field_size(entry_size(&content.wants.rows[i]))
    return size


cdef inline size_t part_size(const Content* content, const Part* part) noexcept nogil:
    """Bytes of the body that holds `part`."""
    cdef size_t size = field_size(wantlist_size(content, part))
    cdef size_t i
    for i in range(part.first[1], part.last[1]):
        size += element_size(content, 1, i)
    for i in range(part.first[2], part.last[2]):
        size += element_size(content, 2, i)
    return size + (int32_size(content.pending) if content.version else 0)


cdef inline uint8_t* write_part(uint8_t* p, const Content* content, const Part* part) noexcept nogil:
    """The body that holds `part`; the wantlist is written even when it is empty."""
    cdef size_t i
    p = write_head(p, TAG_WANTLIST, wantlist_size(content, part))
    for i in range(part.first[0], part.last[0]):
        p = write_entry(p, &content.wants.rows[i])
    if part.full:
        p = write_true(p, TAG_FULL)
    for i in range(part.first[1], part.last[1]):
        p = write_block(p, &content.prefixes[i], &content.data[i], content.version)
    for i in range(part.first[2], part.last[2]):
        p = write_presence(p, &content.told.rows[i])
    return write_int32(p, TAG_PENDING, content.pending) if content.version else p
