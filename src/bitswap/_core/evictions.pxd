# cython: language_level=3
"""Which of a peer's wants is given up first when it has too many: by priority, then what we lack, then the youngest.

The order is made when a peer has too many, and kept, so that a flood of single wants at the limit stays cheap. Entries that
are out of date are skipped, and an order that is mostly that is dropped, to be made anew when it is needed.
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t

from bitswap._core.cidarena cimport NIL
from bitswap._core.memory cimport grab, regrab, release
from bitswap._core.records cimport (
    AVAILABLE, MOST_SEQ, WANTED, Order, Peer, Queues, Slot, Want, want_at,
)

cdef enum:
    ORDER_SLACK = 64  # entries of an order that are never worth making it anew


cdef inline uint64_t standing(int32_t priority, bint available) noexcept nogil:
    """The more it is asked for, the greater; between equal ones nothing is changed."""
    return <uint64_t>(<uint32_t>priority ^ 0x80000000U) << 1 | available


cdef inline uint64_t rank_of(const Want* want) noexcept nogil:
    """The smallest is given up first. `seq` has 31 bits."""
    return standing(want.priority, (want.flags & AVAILABLE) != 0) << 31 | (<uint32_t>MOST_SEQ - want.seq)


cdef inline void drop_order(Peer* peer) noexcept nogil:
    if peer.order != NULL:
        release(peer.order.slots)
        release(peer.order)
        peer.order = NULL


cdef inline void order_sink(Order* order, uint32_t place) noexcept nogil:
    cdef Slot slot = order.slots[place]
    cdef uint32_t child
    while True:
        child = 2 * place + 1
        if child >= order.count:
            break
        if child + 1 < order.count and order.slots[child + 1].key < order.slots[child].key:
            child += 1
        if order.slots[child].key >= slot.key:
            break
        order.slots[place] = order.slots[child]
        place = child
    order.slots[place] = slot


cdef inline void order_push(Order* order, uint64_t key, uint32_t want) noexcept nogil:
    """There is room."""
    cdef uint32_t place = order.count
    cdef uint32_t parent
    order.count += 1
    while place:
        parent = (place - 1) >> 1
        if order.slots[parent].key <= key:
            break
        order.slots[place] = order.slots[parent]
        place = parent
    order.slots[place].key = key
    order.slots[place].want = want


cdef inline void order_pop(Order* order) noexcept nogil:
    order.count -= 1
    if order.count:
        order.slots[0] = order.slots[order.count]
        order_sink(order, 0)


cdef inline int order_room(Order* order, size_t more) noexcept nogil:
    """Room for that many entries more; -1 when memory is short."""
    cdef size_t room = order.count + more
    cdef Slot* slots
    if room <= order.room:
        return 0
    if room > MOST_SEQ:
        return -1
    room += room // 8
    slots = <Slot*>regrab(order.slots, room * sizeof(Slot))
    if slots == NULL:
        return -1
    order.slots = slots
    order.room = <uint32_t>room
    return 0


cdef inline int prepare_order(const Queues* q, Peer* peer, size_t more) noexcept nogil:
    """Have an order that takes `more` changes without needing memory; -1 when that is short."""
    cdef Order* order = peer.order
    cdef uint32_t i, number
    if order != NULL and order.count > 2 * peer.wanted + ORDER_SLACK:
        drop_order(peer)
        order = NULL
    if order != NULL:
        return order_room(order, more)
    order = <Order*>grab(sizeof(Order))
    if order == NULL:
        return -1
    order.slots = NULL
    order.count = order.room = 0
    if order_room(order, peer.wanted + more) < 0:
        release(order)
        return -1
    for i in range(peer.count):
        number = peer.slots[i].want
        if want_at(q, number).flags & WANTED:
            order.slots[order.count].key = rank_of(want_at(q, number))
            order.slots[order.count].want = number
            order.count += 1
    for i in range(order.count // 2, 0, -1):
        order_sink(order, i - 1)
    peer.order = order
    return 0


cdef inline void note_rank(const Queues* q, Peer* peer, uint32_t number) noexcept nogil:
    """Enter a want, or its new rank, if there is an order."""
    cdef Order* order = peer.order
    if order == NULL:
        return
    if order.count == order.room:
        if order.count > 2 * peer.wanted + ORDER_SLACK or order_room(order, 1) < 0:
            drop_order(peer)
            return
    order_push(order, rank_of(want_at(q, number)), number)


cdef inline bint is_in_force(const Queues* q, uint32_t peer, const Slot* slot) noexcept nogil:
    """Whether an entry still says what is."""
    cdef const Want* want = want_at(q, slot.want)
    return want.peer == peer and (want.flags & WANTED) != 0 and rank_of(want) == slot.key


cdef inline uint32_t lowest_want(const Queues* q, uint32_t number, Peer* peer) noexcept nogil:
    """What would be given up first, NIL if the peer wants nothing; there is an order."""
    cdef Order* order = peer.order
    while order.count:
        if is_in_force(q, number, &order.slots[0]):
            return order.slots[0].want
        order_pop(order)
    return NIL
