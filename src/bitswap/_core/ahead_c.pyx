# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Large blocks, put where they stay as they arrive, and hashed by a second thread while the rest of their message still comes.

The second thread needs no interpreter lock, and nobody depends on it: what it has not begun when a message is complete is
done by whoever decodes the message, so results are the same without it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.pythread cimport (
    NOWAIT_LOCK, WAIT_LOCK, PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock, PyThread_release_lock,
)
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy

from bitswap._core.heap cimport grow, populate
from bitswap._core.messagebody cimport (
    TAG_BLOCKS, TAG_DATA, TAG_PAYLOAD, TAG_PENDING, TAG_PREFIX, TAG_PRESENCES, TAG_WANTLIST,
)
from bitswap._core.protowire cimport Fault, Span, read_tag, read_varint
from bitswap._core.sha256_c cimport in_pieces, sha256_begin, sha256_drop, sha256_end, sha256_more

__all__ = ["AVAILABLE", "LEAST", "MOST_EARLY", "Arrival", "HashAhead"]

cdef enum:
    SMALLEST = 16 * 1024    # bytes of a block that is worth the hand-over
    STEP = 128 * 1024       # bytes between two looks at what else there is
    WAKE = 64 * 1024        # bytes in the queue for which a sleeping thread is woken
    EARLY = 8 * 1024 * 1024 # bytes that have pages before they come, in all: some messages of the usual size
    NEAR = 26               # bits of an address within a part of the heap (64 MiB, as large as those of glibc)
    HEADER = 32             # bytes that hold the tags, lengths and prefix in front of a block's data

AVAILABLE = in_pieces()
LEAST = SMALLEST
MOST_EARLY = EARLY


cdef inline bint is_element(uint64_t tag) noexcept nogil:
    return tag == TAG_PAYLOAD or tag == TAG_WANTLIST or tag == TAG_PRESENCES or tag == TAG_BLOCKS


cdef void advance(Job* job, size_t size) noexcept nogil:
    """Hash `size` more bytes."""
    cdef const uint8_t* data = job.content + job.done
    job.done += size
    if job.state == NULL and not job.failed:
        job.state = sha256_begin()
    if job.state == NULL or not sha256_more(job.state, data, size):
        job.failed = True
    elif job.done == job.length:
        job.finished = sha256_end(job.state, job.digest)
        job.failed = not job.finished
    if job.failed or job.finished:
        sha256_drop(job.state)
        job.state = NULL


cdef class HashAhead:
    """What the thread that decodes messages and the one that works ahead of it share."""

    def __cinit__(self):
        self.mutex = PyThread_allocate_lock()
        self.bell = PyThread_allocate_lock()
        self.answer = PyThread_allocate_lock()
        if self.mutex == NULL or self.bell == NULL or self.answer == NULL:
            raise MemoryError
        PyThread_acquire_lock(self.bell, NOWAIT_LOCK)
        PyThread_acquire_lock(self.answer, NOWAIT_LOCK)

    def __dealloc__(self):
        if self.mutex != NULL:
            PyThread_free_lock(self.mutex)
        if self.bell != NULL:
            PyThread_free_lock(self.bell)
        if self.answer != NULL:
            PyThread_free_lock(self.answer)

    def run(self):
        with nogil:
            self.work()

    def stop(self):
        cdef bint ring
        PyThread_acquire_lock(self.mutex, WAIT_LOCK)
        self.stopping = True
        ring, self.asleep = self.asleep, False
        PyThread_release_lock(self.mutex)
        if ring:
            PyThread_release_lock(self.bell)

    cdef void work(self) noexcept nogil:
        cdef Job* job
        cdef size_t size, early
        PyThread_acquire_lock(self.mutex, WAIT_LOCK)
        while not self.stopping:
            job = self.first
            if job == NULL:
                self.asleep = True
                PyThread_release_lock(self.mutex)
                PyThread_acquire_lock(self.bell, WAIT_LOCK)
                PyThread_acquire_lock(self.mutex, WAIT_LOCK)
                continue
            size = min(job.available - job.done, <size_t>STEP)
            job.running = True
            early = self.reserve(job)
            PyThread_release_lock(self.mutex)
            if early:
                populate(job.content + job.touched - early, early)
            advance(job, size)
            PyThread_acquire_lock(self.mutex, WAIT_LOCK)
            job.running = False
            self.waiting -= size
            if job.done == job.available or job.dropped:
                self.take_back(job)
            if self.awaited == job and (job.done == job.length or job.dropped):
                self.awaited = NULL
                PyThread_release_lock(self.answer)
        PyThread_release_lock(self.mutex)

    cdef void offer(self, Job* job, size_t available) noexcept nogil:
        """So much of a job's source is there now."""
        cdef bint ring = False
        PyThread_acquire_lock(self.mutex, WAIT_LOCK)
        self.waiting += available - job.available
        job.available = available
        if not job.queued:
            job.queued = True
            job.before = self.last
            if self.last == NULL:
                self.first = job
            else:
                self.last.after = job
            self.last = job
        if self.asleep and (self.waiting >= WAKE or not job.touched):
            ring = True
            self.asleep = False
        PyThread_release_lock(self.mutex)
        if ring:
            PyThread_release_lock(self.bell)

    cdef size_t reserve(self, Job* job) noexcept nogil:
        """How many bytes of a job get their pages before they come; `touched` is behind them then. Under the lock.

        All of it, within a limit for all jobs: who announces large blocks and does not send them takes no more. Beyond
        that, as much as has come.
        """
        cdef size_t start = max(job.touched, job.available)
        cdef size_t stop = job.length
        if start >= stop:
            return 0
        if self.early + (stop - start) > EARLY:
            stop = min(2 * job.available, stop)
            if start >= stop:
                return 0
        job.touched = stop
        job.early += stop - start
        self.early += stop - start
        return stop - start

    cdef bint has_grown(self, const uint8_t* content, size_t length) noexcept nogil:
        """Whether bytes lie where no block has been: the pages of new memory are not there yet. A guess, for the sake of speed."""
        cdef uint64_t end = <uint64_t>(content + length)
        if self.high >> NEAR == end >> NEAR and self.high >= end:
            return False
        grow(self.high == 0)
        self.high = end
        return True

    cdef void unlink(self, Job* job) noexcept nogil:
        """Out of the queue; under the lock."""
        if not job.queued:
            return
        if job.before == NULL:
            self.first = job.after
        else:
            job.before.after = job.after
        if job.after == NULL:
            self.last = job.before
        else:
            job.after.before = job.before
        job.before = job.after = NULL
        job.queued = False

    cdef bint take_back(self, Job* job) noexcept nogil:
        """Whether the job belongs to the caller from now on: not while the second thread is at it. Under the lock."""
        if job.running:
            return False
        if job.queued:
            self.waiting -= job.available - job.done
            self.unlink(job)
        return True

    cdef void try_to_finish(self, Job* job) noexcept nogil:
        """Do the rest of a job whose bytes are all there, unless the second thread is at it."""
        PyThread_acquire_lock(self.mutex, WAIT_LOCK)
        cdef bint taken = self.take_back(job)
        PyThread_release_lock(self.mutex)
        if taken and job.done < job.length:
            advance(job, job.length - job.done)

    cdef void finish(self, Job* job) noexcept nogil:
        """See it done."""
        if self.wait_for(job, False) and job.done < job.length:
            advance(job, job.length - job.done)

    cdef void let_go(self, Job* job) noexcept nogil:
        """Nobody touches its bytes after this."""
        self.wait_for(job, True)
        PyThread_acquire_lock(self.mutex, WAIT_LOCK)
        self.early -= job.early
        PyThread_release_lock(self.mutex)

    cdef bint wait_for(self, Job* job, bint dropped) noexcept nogil:
        """Take the job back, or wait until the second thread is through with it: then False."""
        PyThread_acquire_lock(self.mutex, WAIT_LOCK)
        cdef bint taken = self.take_back(job)
        if not taken:
            job.dropped = dropped
            self.awaited = job
        PyThread_release_lock(self.mutex)
        if not taken:
            PyThread_acquire_lock(self.answer, WAIT_LOCK)
        return taken


# Without the collector, which would take its bytes away before the jobs on them are let go; it is in no cycle.
@cython.no_gc
cdef class Arrival:
    """A body that is being filled, with the blocks found in what is there of it."""

    def __cinit__(self, bytes body not None, HashAhead ahead not None):
        self.body = body
        self.ahead = ahead
        self.contents = []

    def __dealloc__(self):
        cdef size_t i
        for i in range(self.count):
            self.ahead.let_go(self.jobs[i])
            sha256_drop(self.jobs[i].state)
            free(self.jobs[i])
        free(self.jobs)

    def __len__(self):
        return PyBytes_GET_SIZE(self.body)

    def __bytes__(self):
        cdef size_t i
        for i in range(self.count):
            memcpy(self.jobs[i].place, self.jobs[i].content, self.jobs[i].available)
        return self.body

    cdef int take(self, const uint8_t* p, Py_ssize_t size) except -1:
        """The next bytes of the body, no more than it has: those of large blocks go where they stay, the others into it."""
        cdef uint8_t* body = <uint8_t*>PyBytes_AS_STRING(self.body)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(self.body)
        cdef Py_ssize_t count
        cdef Job* job
        while size:
            job = self.jobs[self.count - 1] if self.count else NULL
            if job != NULL and job.available < job.length:
                count = min(size, <Py_ssize_t>(job.length - job.available))
                memcpy(job.content + job.available, p, count)
                self.ahead.offer(job, job.available + count)
            else:
                if self.have < self.place:
                    count = self.place - self.have
                elif length - self.place < SMALLEST:
                    count = length - self.have
                else:
                    count = HEADER - (self.have - self.place)
                count = min(size, count)
                memcpy(body + self.have, p, count)
            self.have += count
            p += count
            size -= count
            self.look()
        return 0

    cdef int look(self) except -1:
        """Find blocks in the form that everybody sends: prefix of four bytes, then data. The decoder reads the others."""
        cdef const uint8_t* body = <const uint8_t*>PyBytes_AS_STRING(self.body)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(self.body)
        cdef const uint8_t* end = body + self.have
        cdef const uint8_t* p
        cdef uint64_t tag = 0
        cdef uint64_t size = 0
        cdef Fault fault
        while length - self.place >= SMALLEST:
            if self.have - self.place < HEADER:
                return 0
            p = read_tag(body + self.place, end, &tag, &fault)
            if p != NULL:
                p = read_varint(p, end, &size, &fault)
            if p != NULL and tag == TAG_PENDING:
                self.place = p - body
            elif p != NULL and is_element(tag) and size <= <uint64_t>(length - (p - body)):
                self.place = (p - body) + size
                if tag == TAG_PAYLOAD and size >= SMALLEST:
                    self.look_at(p, size, end)
            else:
                self.place = length
        return 0

    cdef int look_at(self, const uint8_t* p, uint64_t size, const uint8_t* end) except -1:
        """One element of `payload`, of which at least the beginning is there."""
        cdef const uint8_t* data
        cdef uint64_t length = 0
        cdef Fault fault
        if not (p[0] == TAG_PREFIX and p[1] == 4 and p[2] == 1 and p[3] < 0x80 and p[4] == 0x12 and p[5] == 0x20):
            return 0
        data = read_varint(p + 7, end, &length, &fault) if p[6] == TAG_DATA else NULL
        if data != NULL and length <= size and <uint64_t>(data - p) == size - length:
            self.add(data, length)
            # No more than what a header and the next have.
            memcpy(self.jobs[self.count - 1].content, data, end - data)
            self.ahead.offer(self.jobs[self.count - 1], end - data)
        return 0

    cdef int add(self, const uint8_t* place, size_t length) except -1:
        cdef Job** grown
        cdef Job* job
        cdef size_t capacity
        cdef bytes content = PyBytes_FromStringAndSize(NULL, length)
        if self.count == self.capacity:
            capacity = max(<size_t>8, 2 * self.capacity)
            grown = <Job**>realloc(self.jobs, capacity * sizeof(Job*))
            if grown == NULL:
                raise MemoryError
            self.jobs = grown
            self.capacity = capacity
        job = <Job*>calloc(1, sizeof(Job))
        if job == NULL:
            raise MemoryError
        job.place = <uint8_t*>place
        job.content = <uint8_t*>PyBytes_AS_STRING(content)
        job.length = length
        job.touched = 0 if self.ahead.has_grown(job.content, length) else length
        self.jobs[self.count] = job
        try:
            self.contents.append(content)
        except MemoryError:
            free(job)
            raise
        self.count += 1
        return 0

    cdef void settle(self) noexcept nogil:
        """The body is complete: bring all jobs to their end, the last ones here while the second thread is at the first."""
        cdef size_t i = self.count
        while i > 0:
            i -= 1
            self.ahead.try_to_finish(self.jobs[i])
        for i in range(self.count):
            self.ahead.finish(self.jobs[i])
            if not self.jobs[i].finished:
                memcpy(self.jobs[i].place, self.jobs[i].content, self.jobs[i].length)
        self.given = 0

    cdef bytes next_block(self, const Span* data, uint8_t* digest):
        """The data of the block at this place and its hash, or None; to be asked in the order of the body."""
        cdef Job* job
        while self.given < self.count:
            job = self.jobs[self.given]
            if job.place > data.data:
                break
            self.given += 1
            if job.place == data.data and job.length == data.length and job.finished:
                memcpy(digest, job.digest, 32)
                return self.contents[self.given - 1]
        return None
