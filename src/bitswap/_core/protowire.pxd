# cython: language_level=3
"""Protobuf primitives over C pointers, inlined into whoever reads or writes messages.

The same rules and the same error positions as `protowire.py`, which says where they come from. Readers return the position
after what they read, or NULL with `fault` set; they never look at or past `end`.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

cdef extern from *:
    """
    enum {
        BITSWAP_VARINT = 0, BITSWAP_FIXED64 = 1, BITSWAP_BYTES = 2,
        BITSWAP_GROUP = 3, BITSWAP_END_GROUP = 4, BITSWAP_FIXED32 = 5
    };
    /* The codes index MALFORMED in interface.py; 10 is out of memory. */
    enum {
        BITSWAP_CUT_VARINT = 1, BITSWAP_LONG_VARINT, BITSWAP_BAD_FIELD, BITSWAP_BAD_TYPE, BITSWAP_STRAY_END,
        BITSWAP_OPEN_GROUP, BITSWAP_DEEP_GROUP, BITSWAP_LONG_LENGTH, BITSWAP_CUT_FIXED, BITSWAP_NO_MEMORY
    };
    #define BITSWAP_MAX_FIELD 0x1FFFFFFFu
    #define BITSWAP_MAX_GROUP_FIELD 0x7FFFFFFFu
    #define BITSWAP_MAX_DEPTH 10001
    #define BITSWAP_SMALL_DEPTH 16
    """
    int VARINT "BITSWAP_VARINT"
    int FIXED64 "BITSWAP_FIXED64"
    int BYTES "BITSWAP_BYTES"
    int GROUP "BITSWAP_GROUP"
    int END_GROUP "BITSWAP_END_GROUP"
    int FIXED32 "BITSWAP_FIXED32"
    int CUT_VARINT "BITSWAP_CUT_VARINT"
    int LONG_VARINT "BITSWAP_LONG_VARINT"
    int BAD_FIELD "BITSWAP_BAD_FIELD"
    int BAD_TYPE "BITSWAP_BAD_TYPE"
    int STRAY_END "BITSWAP_STRAY_END"
    int OPEN_GROUP "BITSWAP_OPEN_GROUP"
    int DEEP_GROUP "BITSWAP_DEEP_GROUP"
    int LONG_LENGTH "BITSWAP_LONG_LENGTH"
    int CUT_FIXED "BITSWAP_CUT_FIXED"
    int NO_MEMORY "BITSWAP_NO_MEMORY"
    const uint64_t MAX_FIELD "BITSWAP_MAX_FIELD"
    const uint64_t MAX_GROUP_FIELD "BITSWAP_MAX_GROUP_FIELD"
    const int MAX_DEPTH "BITSWAP_MAX_DEPTH"
    const int SMALL_DEPTH "BITSWAP_SMALL_DEPTH"


cdef struct Fault:
    int code
    const uint8_t* at


cdef struct Span:
    const uint8_t* data
    size_t length


cdef inline const uint8_t* fail(Fault* fault, int code, const uint8_t* at) noexcept nogil:
    fault.code = code
    fault.at = at
    return NULL


cdef inline const uint8_t* read_long_varint(
    const uint8_t* p, const uint8_t* end, uint64_t* value, Fault* fault
) noexcept nogil:
    cdef uint64_t total = 0
    cdef uint64_t byte
    cdef int count
    for count in range(10):
        if p + count >= end:
            return fail(fault, CUT_VARINT, p)
        byte = p[count]
        if count == 9 and byte > 1:
            break
        total |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            value[0] = total
            return p + count + 1
    return fail(fault, LONG_VARINT, p)


cdef inline const uint8_t* read_varint(
    const uint8_t* p, const uint8_t* end, uint64_t* value, Fault* fault
) noexcept nogil:
    if p < end and p[0] < 0x80:
        value[0] = p[0]
        return p + 1
    return read_long_varint(p, end, value, fault)


cdef inline const uint8_t* read_tag(
    const uint8_t* p, const uint8_t* end, uint64_t* tag, Fault* fault
) noexcept nogil:
    """The tag of a field of a message."""
    cdef const uint8_t* after = read_varint(p, end, tag, fault)
    if after == NULL:
        return NULL
    if tag[0] < 8 or tag[0] >> 3 > MAX_FIELD:
        return fail(fault, BAD_FIELD, p)
    return after


cdef inline const uint8_t* read_span(const uint8_t* p, const uint8_t* end, Span* span, Fault* fault) noexcept nogil:
    """A length and as many bytes."""
    cdef uint64_t length = 0
    cdef const uint8_t* after = read_varint(p, end, &length, fault)
    if after == NULL:
        return NULL
    if length > <uint64_t>(end - after):
        return fail(fault, LONG_LENGTH, p)
    span.data = after
    span.length = <size_t>length
    return after + length


cdef inline const uint8_t* skip_plain(
    const uint8_t* tag_at, const uint8_t* p, const uint8_t* end, int wire_type, Fault* fault
) noexcept nogil:
    """Past a value that is no group."""
    cdef uint64_t ignored = 0
    cdef Span span
    cdef int size
    if wire_type == VARINT:
        return read_varint(p, end, &ignored, fault)
    if wire_type == BYTES:
        return read_span(p, end, &span, fault)
    if wire_type == FIXED32 or wire_type == FIXED64:
        size = 4 if wire_type == FIXED32 else 8
        return p + size if end - p >= size else fail(fault, CUT_FIXED, p)
    return fail(fault, STRAY_END if wire_type == END_GROUP else BAD_TYPE, tag_at)


cdef inline const uint8_t* skip_group(
    const uint8_t* tag_at, const uint8_t* p, const uint8_t* end, uint32_t field, Fault* fault
) noexcept nogil:
    """Past a group; the numbers of the open ones are kept on the heap once they nest deep."""
    cdef uint32_t small[16]
    cdef uint32_t* opened = small
    cdef uint32_t* bigger
    cdef uint64_t tag = 0
    cdef int depth = 1
    cdef int i
    opened[0] = field
    while depth and p != NULL:
        if p == end:
            p = fail(fault, OPEN_GROUP, p)
            break
        tag_at = p
        p = read_varint(p, end, &tag, fault)
        if p == NULL:
            break
        if tag < 8 or tag >> 3 > MAX_GROUP_FIELD:
            p = fail(fault, BAD_FIELD, tag_at)
        elif tag & 7 == <uint64_t>GROUP:
            if depth == MAX_DEPTH:
                p = fail(fault, DEEP_GROUP, tag_at)
                break
            if depth == SMALL_DEPTH:
                bigger = <uint32_t*>malloc(MAX_DEPTH * sizeof(uint32_t))
                if bigger == NULL:
                    p = fail(fault, NO_MEMORY, tag_at)
                    break
                for i in range(depth):
                    bigger[i] = opened[i]
                opened = bigger
            opened[depth] = <uint32_t>(tag >> 3)
            depth += 1
        elif tag & 7 == <uint64_t>END_GROUP:
            if opened[depth - 1] != tag >> 3:
                p = fail(fault, STRAY_END, tag_at)
            else:
                depth -= 1
        else:
            p = skip_plain(tag_at, p, end, <int>(tag & 7), fault)
    if opened != small:
        free(opened)
    return p


cdef inline const uint8_t* skip_value(
    const uint8_t* tag_at, const uint8_t* p, const uint8_t* end, uint64_t tag, Fault* fault
) noexcept nogil:
    """Past the value of an unknown field whose tag is at `tag_at`."""
    if tag & 7 == <uint64_t>GROUP:
        return skip_group(tag_at, p, end, <uint32_t>(tag >> 3), fault)
    return skip_plain(tag_at, p, end, <int>(tag & 7), fault)


cdef inline int varint_size(uint64_t value) noexcept nogil:
    cdef int size = 1
    while value > 0x7F:
        value >>= 7
        size += 1
    return size


cdef inline int int32_size(int32_t value) noexcept nogil:
    """Bytes of a non-zero int32 field with a one-byte tag; 0 is not written."""
    if value == 0:
        return 0
    return 1 + varint_size(<uint64_t>value) if value > 0 else 11


cdef inline size_t field_size(size_t length) noexcept nogil:
    """Bytes of a length-delimited field with a one-byte tag."""
    return 1 + varint_size(length) + length


cdef inline uint8_t* write_varint(uint8_t* p, uint64_t value) noexcept nogil:
    while value > 0x7F:
        p[0] = <uint8_t>(value | 0x80)
        p += 1
        value >>= 7
    p[0] = <uint8_t>value
    return p + 1


cdef inline uint8_t* write_head(uint8_t* p, uint8_t tag, size_t length) noexcept nogil:
    p[0] = tag
    return write_varint(p + 1, length)


cdef inline uint8_t* write_int32(uint8_t* p, uint8_t tag, int32_t value) noexcept nogil:
    if value == 0:
        return p
    p[0] = tag
    # Negative numbers are written as 64 bits.
    return write_varint(p + 1, <uint64_t>value)


cdef inline uint8_t* write_true(uint8_t* p, uint8_t tag) noexcept nogil:
    p[0] = tag
    p[1] = 1
    return p + 2


# Varints as multiformats has them, inside CIDs: minimal, at most 9 bytes.


cdef inline const uint8_t* read_strict_varint(const uint8_t* p, const uint8_t* end, uint64_t* value) noexcept nogil:
    cdef uint64_t total = 0
    cdef int count
    for count in range(9):
        if p + count >= end:
            return NULL
        total |= <uint64_t>(p[count] & 0x7F) << (7 * count)
        if p[count] < 0x80:
            if p[count] == 0 and count:
                return NULL
            value[0] = total
            return p + count + 1
    return NULL


cdef inline const uint8_t* cid_digest(
    const uint8_t* p, const uint8_t* end, uint64_t* version, uint64_t* length
) noexcept nogil:
    """Where the digest of a CIDv1 begins, and its declared length; NULL if a part before it is malformed."""
    cdef uint64_t ignored = 0
    p = read_strict_varint(p, end, version)
    if p != NULL:
        p = read_strict_varint(p, end, &ignored)
    if p != NULL:
        p = read_strict_varint(p, end, &ignored)
    if p != NULL:
        p = read_strict_varint(p, end, length)
    return p


cdef inline bint valid_cid(const uint8_t* p, size_t size) noexcept nogil:
    """Whether the bytes are exactly one CID (go-cid `Cast`)."""
    cdef const uint8_t* end = p + size
    cdef uint64_t version = 0
    cdef uint64_t length = 0
    # CIDv1 with a one-byte codec and sha2-256: nearly every CID there is.
    if size == 36 and p[0] == 1 and p[1] < 0x80 and p[2] == 0x12 and p[3] == 0x20:
        return True
    if size > 2 and p[0] == 0x12 and p[1] == 0x20:
        return size == 34
    p = cid_digest(p, end, &version, &length)
    return p != NULL and version == 1 and length <= 0x7FFFFFFF and length == <uint64_t>(end - p)
