# cython: language_level=3
"""Answers of one peer: how they are queued, merged, taken and put back (go-peertaskqueue `peertracker`, boxo's task merger).

Nothing here needs memory. A want that has become idle, see `is_idle`, is for the caller to unlink.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from bitswap._core.cidstore cimport cid_length
from bitswap._core.memory cimport LINE, prefetch
from bitswap._core.records cimport (
    BLOCK_OVERHEAD, MARKS, MERGE_BITSWAP, MERGE_REPLACE, PRESENCE_OVERHEAD, REPEATED, TASK_BLOCK, TASK_DENIAL,
    TASK_FLAGS, TASK_HAVE, WANTED, WITHDRAWN, Item, Peer, Queues, Slot, Want, cid_of, is_queued,
    key_priority, size_of, task_key, want_at, work_of,
)
from bitswap._core.taskheap cimport dequeue, dequeue_first, enqueue, mark_slot, requeue
from bitswap._core.wantlists cimport FEW, unlink_hashed, unlink_want


# An answer to be queued.
cdef struct Task:
    int32_t priority
    uint32_t size   # bytes of the block; of no account where CIDs know it
    uint16_t flags  # TASK_FLAGS


cdef inline bint is_idle(const Peer* peer, const Want* want) noexcept nogil:
    return (want.flags & WANTED) == 0 and want.active == 0 and not is_queued(peer, want)


cdef inline void unlink_idle(Queues* q, const Peer* peer, uint32_t number) noexcept nogil:
    if is_idle(peer, want_at(q, number)):
        unlink_want(q, number)


cdef inline void unlink_idle_hashed(Queues* q, const Peer* peer, uint32_t number, uint32_t hash) noexcept nogil:
    if is_idle(peer, want_at(q, number)):
        unlink_hashed(q, number, hash)


cdef inline bint is_news(const Queues* q, const Want* want, uint16_t flags) noexcept nogil:
    """Whether an answer says more than those under way: the block is first asked for, or first there."""
    if q.merging != MERGE_BITSWAP:
        return q.merging == MERGE_REPLACE
    return ((flags & TASK_BLOCK) != 0 and want.kinds & 15 == 0) or ((flags & TASK_HAVE) != 0 and want.kinds >> 4 == 0)


cdef inline void become(const Queues* q, Want* want, const Task* task, uint16_t kept) noexcept nogil:
    """Make `task` what is queued, but for the flags in `kept`."""
    want.flags = (want.flags & ~TASK_FLAGS) | (task.flags & ~kept) | (want.flags & kept)
    if q.own_sizes:
        want.seq = task.size


cdef inline void raise_priority(const Queues* q, Peer* peer, const Want* want, int32_t priority) noexcept nogil:
    cdef uint64_t key = peer.slots[want.pos].key
    if priority > key_priority(key):
        requeue(q, peer, want.pos, task_key(priority, <uint32_t>key))


cdef inline void merge_task(
    const Queues* q, Peer* peer, Want* want, const Task* task, int how
) noexcept nogil:
    """Let the queued answer take another one in; nothing is taken back but by MERGE_REPLACE."""
    peer.queued_work -= work_of(q, want)
    if how == MERGE_REPLACE:
        become(q, want, task, 0)
    elif how == MERGE_BITSWAP:
        # Whether DONT_HAVE was asked for stays as it first was, as in boxo.
        if task.flags & TASK_HAVE and not want.flags & TASK_HAVE:
            become(q, want, task, TASK_DENIAL | TASK_BLOCK)
        want.flags |= task.flags & TASK_BLOCK
    peer.queued_work += work_of(q, want)
    raise_priority(q, peer, want, task.priority)


cdef inline void queue_task(
    const Queues* q, Peer* peer, Want* want, const Task* task, uint32_t seq
) noexcept nogil:
    become(q, want, task, 0)
    peer.queued_work += work_of(q, want)
    enqueue(q, peer, want.pos, task_key(task.priority, seq))


cdef inline bint push_task(
    const Queues* q, Peer* peer, Want* want, const Task* task, uint64_t limit
) noexcept nogil:
    """Queue or merge; False if it was dropped because `limit` CIDs are queued already."""
    if want.active and not is_news(q, want, task.flags):
        want.flags = (want.flags & ~WITHDRAWN) | REPEATED
    elif is_queued(peer, want):
        merge_task(q, peer, want, task, q.merging)
    elif peer.queued < limit:
        peer.last_task += 1
        queue_task(q, peer, want, task, peer.last_task)
    else:
        return False
    return True


cdef inline void drop_task(const Queues* q, Peer* peer, Want* want) noexcept nogil:
    """Forget the queued answer."""
    peer.queued_work -= work_of(q, want)
    dequeue(q, peer, want.pos)
    want.flags &= ~TASK_FLAGS


cdef inline void mark_task(const Queues* q, Peer* peer, Want* want) noexcept nogil:
    """Forget the queued answer, with others; until `sweep_slots` it still has its place."""
    peer.queued_work -= work_of(q, want)
    want.flags &= ~TASK_FLAGS
    mark_slot(peer, want.pos)


cdef inline bint withdraw(Want* want) noexcept nogil:
    """What is under way goes out, but is not to be put back."""
    if want.active:
        want.flags |= WITHDRAWN
    return want.active != 0


# Under way


cdef inline int64_t frame_bytes(const Queues* q, const Want* want) noexcept nogil:
    """Bytes of a frame that the queued answer takes, at most."""
    cdef int64_t length = cid_length(cid_of(q, want))
    if want.flags & TASK_BLOCK and want.flags & TASK_HAVE:
        return length + size_of(q, want) + BLOCK_OVERHEAD
    return length + PRESENCE_OVERHEAD


cdef inline void expect_queue(const Peer* peer) noexcept nogil:
    """Tell the processor that the answers to a peer are about to be taken; `expect_first` follows."""
    cdef int line
    prefetch(peer.name)
    for line in range(3):
        prefetch(<const uint8_t*>peer.slots + line * LINE)


cdef inline void expect_first(const Queues* q, const Peer* peer) noexcept nogil:
    """Tell the processor which wants have the first answers, or are likely to have."""
    cdef uint32_t i
    for i in range(min(peer.queued, <uint32_t>FEW)):
        prefetch(want_at(q, peer.slots[i].want))


cdef inline void expect_tasks(const Queues* q, const Peer* peer) noexcept nogil:
    """Tell the processor which answers may be taken after the next."""
    cdef const Slot* slots = peer.slots
    cdef uint32_t i
    if peer.queued > 4:
        for i in range(1, 5):
            prefetch(cid_of(q, want_at(q, slots[i].want)))


cdef inline void take_task(Queues* q, Peer* peer, Item* item) noexcept nogil:
    """Take the first queued answer."""
    cdef uint64_t key = peer.slots[0].key
    cdef uint32_t number = peer.slots[0].want
    cdef Want* want = want_at(q, number)
    item.want = number
    item.priority = key_priority(key)
    item.seq = <uint32_t>key
    item.work = work_of(q, want)
    item.want_seq = want.seq
    item.want_priority = 0
    item.flags = want.flags & (TASK_FLAGS | MARKS)  # marks for `untake_task` only
    peer.queued_work -= item.work
    dequeue_first(q, peer)
    want.flags &= ~(TASK_FLAGS | MARKS)
    peer.active += want.active == 0
    want.active += 1
    want.kinds += (want_kinds(item.flags))
    peer.active_work += item.work


cdef inline int want_kinds(uint16_t flags) noexcept nogil:
    """What an answer under way adds to `kinds`."""
    return (1 if flags & TASK_BLOCK else 0) + (16 if flags & TASK_HAVE else 0)


cdef inline void end_task(Queues* q, Peer* peer, const Item* item) noexcept nogil:
    """An answer is no longer under way."""
    cdef Want* want = want_at(q, item.want)
    want.active -= 1
    want.kinds -= want_kinds(item.flags)
    peer.active_work -= item.work
    if want.active == 0:
        peer.active -= 1
        want.flags &= ~MARKS


cdef inline void vanish(const Queues* q, Item* item) noexcept nogil:
    """The block turned out not to be there. If it comes while this is under way, that is news."""
    want_at(q, item.want).kinds -= 16
    item.flags &= ~TASK_HAVE


cdef inline void put_back(const Queues* q, Peer* peer, const Item* item) noexcept nogil:
    """Queue an answer again, in its old place, that is no longer under way; a newer one takes it in."""
    cdef Want* want = want_at(q, item.want)
    cdef Task task
    task.priority = item.priority
    task.size = item.want_seq
    task.flags = item.flags & TASK_FLAGS
    if not is_queued(peer, want):
        queue_task(q, peer, want, &task, item.seq)
    elif q.merging == MERGE_BITSWAP:
        merge_task(q, peer, want, &task, MERGE_BITSWAP)
    else:
        raise_priority(q, peer, want, task.priority)


cdef inline void untake_task(Queues* q, Peer* peer, const Item* item) noexcept nogil:
    """Undo `take_task`, of which nobody has been told."""
    cdef Want* want = want_at(q, item.want)
    end_task(q, peer, item)
    put_back(q, peer, item)
    want.flags |= item.flags & MARKS
