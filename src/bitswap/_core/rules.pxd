# cython: language_level=3
"""By which rules wants are kept and answered; one set for a whole core."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from bitswap._core.answers cimport Task, push_task
from bitswap._core.cidtable cimport SEND_DONT_HAVE, Row
from bitswap._core.messagebody cimport WANT_BLOCK
from bitswap._core.records cimport TASK_BLOCK, TASK_DENIAL, TASK_HAVE, TASK_UNSIZED, Peer, Queues, want_at
from bitswap._core.rows cimport ROW_PRESENT, ROW_SIZE, Note

cdef extern from *:
    """
    #define BITSWAP_FREE_SHARE 8u
    """
    const uint64_t FREE_SHARE "BITSWAP_FREE_SHARE"  # see `decision.core.FREE_SHARE`


cdef struct Rules:
    int64_t replaced        # bytes of the largest block that answers a question for it; -1 = none
    bint denials            # whether DONT_HAVE is ever said
    uint64_t most_wants     # of one peer
    uint64_t least_wants    # the same while there are `many_wants`
    uint64_t many_wants


cdef inline uint64_t share(const Rules* rules, uint64_t wanted) noexcept nogil:
    """Wants that one peer may have while all have `wanted`; see `decision.core.FREE_SHARE`."""
    cdef uint64_t fair = (rules.many_wants - wanted) // FREE_SHARE if wanted < rules.many_wants else 0
    return rules.most_wants if fair > rules.most_wants else rules.least_wants if fair < rules.least_wants else fair


cdef inline uint64_t most_denials(const Rules* rules, const Peer* peer) noexcept nogil:
    """Answers queued at which what is not in the ledger is denied in silence; see `decision.core`."""
    return peer.wanted + rules.least_wants


cdef inline uint64_t limit_of(const Task* task, uint64_t limit) noexcept nogil:
    """Answers that we have the block for are as many as there are wants: only DONT_HAVEs are dropped at the limit."""
    return <uint64_t>-1 if task.flags & TASK_HAVE else limit


cdef inline bint answer_to(const Row* row, const Note* note, const Rules* rules, Task* task) noexcept nogil:
    """The answer that a want gets now; False if it gets none."""
    cdef int64_t size = note.what & ROW_SIZE
    task.priority = row.priority
    task.flags = TASK_BLOCK if row.kind == WANT_BLOCK else 0
    if row.flags & SEND_DONT_HAVE:
        task.flags |= TASK_DENIAL
    if not note.what & ROW_PRESENT:
        return (row.flags & SEND_DONT_HAVE) != 0 and rules.denials
    task.flags |= TASK_HAVE
    if size <= rules.replaced:
        task.flags |= TASK_BLOCK
    elif rules.replaced < 0 and row.kind != WANT_BLOCK:
        task.flags |= TASK_UNSIZED
    return True


cdef inline void deny(
    Queues* q, Peer* peer, uint32_t number, int32_t priority, bint block, uint64_t limit
) noexcept nogil:
    """Say DONT_HAVE to something that is not, or no longer, in the ledger."""
    cdef Task task
    task.priority = priority
    task.size = 0
    task.flags = TASK_DENIAL | (TASK_BLOCK if block else 0)
    push_task(q, peer, want_at(q, number), &task, limit)
