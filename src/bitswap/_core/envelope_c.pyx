# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What is sent to one peer at a time, from the answers taken to the message."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t

from bitswap._core.cidarena cimport KEY_ROOM, Cid
from bitswap._core.cidstore cimport cid_key, cid_length
from bitswap._core.flights cimport is_current, leave_flights, settle_outcomes
from bitswap._core.knownblocks cimport forget_if_known
from bitswap._core.memory cimport release
from bitswap._core.messagebody cimport DONT_HAVE, HAVE
from bitswap._core.objects_c cimport (
    Outgoing, cid_of_block, data_of_block, expect_block, is_same_cid, new_cid,
)
from bitswap._core.records cimport (
    AHEAD, BLOCK_OVERHEAD, OUTCOMES, POSTPONED, PRESENCE_OVERHEAD, REPEATED, SAYS_BLOCK, SAYS_DONT_HAVE, SAYS_HAVE, SILENCE,
    TASK_BLOCK, TASK_DENIAL, TASK_HAVE, VANISHED, Item, Want, cid_of, peer_at, want_at,
)
from bitswap._core.wire_c cimport Message

from bitswap.block import Block
from bitswap.options import MAX_FRAME

cdef extern from *:
    """
    #define BITSWAP_NOT_FOUND 0xFFFFFFFFu
    """
    const uint32_t NOT_FOUND "BITSWAP_NOT_FOUND"    # instead of the bytes of a block

cdef object _block_type = Block
cdef int64_t _frame = MAX_FRAME


cdef inline bint is_block(const Item* item) noexcept:
    return (item.flags & TASK_BLOCK) != 0 and (item.flags & TASK_HAVE) != 0


cdef inline uint16_t outcome_of(
    const Item* item, const Want* want, uint32_t length, bint denials, int64_t* room
) noexcept:
    """What becomes of an answer in a message with `room` bytes left; the block found, if any, was noted down."""
    cdef uint16_t vanished = 0
    if is_block(item):
        if item.found != NOT_FOUND and item.found <= _frame - MESSAGE_OVERHEAD - BLOCK_OVERHEAD - length:
            room[0] -= <int64_t>length + item.found + BLOCK_OVERHEAD
            return POSTPONED if room[0] < 0 else SAYS_BLOCK
        if want.flags & REPEATED:
            return POSTPONED
        vanished = VANISHED
        if not (item.flags & TASK_DENIAL and denials):
            return vanished | SILENCE
    room[0] -= length + PRESENCE_OVERHEAD
    if room[0] < 0:
        return vanished | POSTPONED
    return vanished | (SAYS_HAVE if item.flags & TASK_HAVE and not vanished else SAYS_DONT_HAVE)


@cython.no_gc_clear  # it needs its core to the end
@cython.freelist(16)
cdef class Envelope:
    """See `interface.Envelope`."""

    def __cinit__(self):
        self.flight.ended = True

    def __dealloc__(self):
        if not self.flight.ended and is_current(&self.core.q, &self.flight):
            leave_flights(peer_at(&self.core.q, self.flight.peer), &self.flight)
        release(self.flight.items)

    @property
    def pending_bytes(self):
        return min(self.flight.pending_work, 0x7FFFFFFF)

    @property
    def ended(self):
        return bool(self.flight.ended)

    cdef int name_blocks(self) except -1:
        """Make `cids`; of those that are left, should the peer leave meanwhile."""
        cdef uint32_t i
        cdef const Item* item
        cdef const Cid* cid
        cdef uint8_t room[KEY_ROOM]
        cdef list cids = []
        for i in range(self.flight.count):
            item = &self.flight.items[i]
            if is_block(item):
                if not is_current(&self.core.q, &self.flight):
                    break
                cid = cid_of(&self.core.q, want_at(&self.core.q, item.want))
                cids.append(new_cid(cid_key(cid, room), cid_length(cid)))
        self.cids = cids
        self.asked = len(cids)
        return 0

    @cython.boundscheck(True)  # anybody may have changed these lists
    cdef Outgoing look_at(self, object blocks):
        """The blocks that there are, each under the CID asked for; their lengths are noted down."""
        cdef list held = list(blocks)
        cdef Outgoing out = Outgoing.__new__(Outgoing, self.asked)
        cdef Item* item
        cdef Py_ssize_t place
        cdef uint32_t i
        for place in range(min(<Py_ssize_t>2 * AHEAD, len(held))):
            expect_block(held[place])
        place = 0
        for i in range(self.flight.count):
            item = &self.flight.items[i]
            if not is_block(item):
                continue
            item.found = NOT_FOUND
            block = held[place]
            if place + 2 * AHEAD < self.asked:
                expect_block(held[place + 2 * AHEAD])
            if block is not None:
                data = data_of_block(block)
                cid = cid_of_block(block)
                item.found = min(len(data), NOT_FOUND - 1)
                # Of two that are the same, the one whose hash is likely to be known.
                asked = self.cids[place]
                if not is_same_cid(cid, asked):
                    if cid != asked:
                        block = _block_type(asked, data)
                    cid = asked
                out.put(cid, data, block)
            place += 1
        return out

    cdef int compose(self, Message message, Outgoing out, bint denials) except -1:
        """Decide on the outcomes, and put into the message what goes there."""
        cdef int64_t left = _frame - MESSAGE_OVERHEAD
        cdef uint8_t room[KEY_ROOM]
        cdef Item* item
        cdef const Cid* cid
        cdef size_t sent = 0
        cdef uint32_t i
        if self.flight.count > <uint32_t>self.asked:
            message.expect_presences(self.flight.count - <uint32_t>self.asked)
        for i in range(self.flight.count):
            item = &self.flight.items[i]
            cid = cid_of(&self.core.q, want_at(&self.core.q, item.want))
            item.outcome = outcome_of(item, want_at(&self.core.q, item.want), cid_length(cid), denials, &left)
            if item.outcome & OUTCOMES == SAYS_HAVE:
                message.append_presence(cid_key(cid, room), cid_length(cid), HAVE)
            elif item.outcome & OUTCOMES == SAYS_DONT_HAVE:
                message.append_presence(cid_key(cid, room), cid_length(cid), DONT_HAVE)
            elif item.outcome == SAYS_BLOCK:
                sent += 1
        message.pending = <int32_t>min(self.flight.pending_work, <int64_t>0x7FFFFFFF)
        message.packed = out if sent == out.content.blocks else self.leave_out(out)
        if sent == 0:
            message.packed = None
        return 0

    cdef Outgoing leave_out(self, Outgoing out):
        """What is to be sent of the blocks that there are."""
        cdef Outgoing rest = Outgoing.__new__(Outgoing, out.content.blocks)
        cdef const Item* item
        cdef size_t place = 0
        cdef uint32_t i
        for i in range(self.flight.count):
            item = &self.flight.items[i]
            if not is_block(item) or item.found == NOT_FOUND:
                continue
            if item.outcome == SAYS_BLOCK:
                rest.put(out.held[3 * place], out.held[3 * place + 1], out.held[3 * place + 2])
            place += 1
        return rest

    cdef void seal(self) noexcept:
        """Act on the outcomes; from here on the message is to be sent."""
        cdef const Item* item
        cdef uint32_t i
        self.filled = True
        for i in range(self.flight.count):
            item = &self.flight.items[i]
            if item.outcome == SAYS_BLOCK:
                self.block_count += 1
                self.block_bytes += item.found
            elif is_block(item) and item.found == NOT_FOUND:
                # Before its want is let go of.
                forget_if_known(&self.core.q, want_at(&self.core.q, item.want).cid)
        settle_outcomes(&self.core.q, &self.flight)
