# cython: language_level=3
"""What a second thread does ahead of the decoder; see `ahead_c.pyx`."""

from cpython.pythread cimport PyThread_type_lock
from libc.stdint cimport uint8_t, uint64_t

from bitswap._core.protowire cimport Span


# A block to hash. What is not said to be under the lock belongs to whoever runs it.
cdef struct Job:
    uint8_t* place      # in the body, where its bytes would be
    uint8_t* content    # where they are
    size_t length
    size_t available    # has arrived; under the lock
    size_t done         # is hashed; to be read when nobody runs it
    void* state         # of the hash
    uint8_t[32] digest
    size_t touched      # has pages as far as is known, or is given them; under the lock, as all that follows
    size_t early        # of that, what was given them before it came
    bint queued
    bint running        # by the second thread
    bint dropped        # its bytes are about to go
    bint finished
    bint failed
    Job* before
    Job* after


cdef class HashAhead:
    cdef PyThread_type_lock mutex
    cdef PyThread_type_lock bell    # held while the second thread has nothing to do
    cdef PyThread_type_lock answer  # held until what is awaited is through
    cdef Job* first
    cdef Job* last
    cdef Job* awaited
    cdef size_t waiting             # bytes in the queue
    cdef readonly size_t early      # sum of those of all jobs
    cdef uint64_t high              # address behind the last block in memory that was new
    cdef bint asleep
    cdef bint stopping

    cdef void work(self) noexcept nogil
    cdef void offer(self, Job* job, size_t available) noexcept nogil
    cdef bint take_back(self, Job* job) noexcept nogil
    cdef size_t reserve(self, Job* job) noexcept nogil
    cdef bint has_grown(self, const uint8_t* content, size_t length) noexcept nogil
    cdef void unlink(self, Job* job) noexcept nogil
    cdef void try_to_finish(self, Job* job) noexcept nogil
    cdef void finish(self, Job* job) noexcept nogil
    cdef void let_go(self, Job* job) noexcept nogil
    cdef bint wait_for(self, Job* job, bint dropped) noexcept nogil


cdef class Arrival:
    cdef bytes body         # but for the data of the blocks that were found, which lie where they stay
    cdef HashAhead ahead
    cdef list contents      # the data of the blocks
    cdef Job** jobs
    cdef size_t count
    cdef size_t capacity
    cdef size_t given       # jobs that `next_block` has passed
    cdef Py_ssize_t have    # bytes of the body have come
    cdef Py_ssize_t place   # of the first element of the body that was not looked at

    cdef int take(self, const uint8_t* p, Py_ssize_t size) except -1
    cdef int look(self) except -1
    cdef int look_at(self, const uint8_t* p, uint64_t size, const uint8_t* end) except -1
    cdef int add(self, const uint8_t* place, size_t length) except -1
    cdef void settle(self) noexcept nogil
    cdef bytes next_block(self, const Span* data, uint8_t* digest)
