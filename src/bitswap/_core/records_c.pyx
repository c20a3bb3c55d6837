# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""TLS records of established connections, by functions of OpenSSL that are given by address. No I/O.

They are called with the interpreter lock held. A thread that only computes keeps the lock for a whole switch
interval each time it is released to it, and a release for each record of 16 KiB would cost that a hundred times a MB.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uintptr_t
from libc.string cimport memcpy

__all__ = ["Library", "Records"]

cdef enum:
    RECORD = 16 * 1024    # plaintext of the largest record (RFC 8446, 5.1)
    RUN = 128 * 1024      # OpenSSL's buffer keeps the size of the largest run it ever held
    LARGEST = 1 << 30     # of what is given to OpenSSL at once
    WANT_READ = 2         # SSL_ERROR_WANT_READ

ctypedef int (*Transfer)(void*, void*, int) noexcept
ctypedef int (*Verdict)(void*, int) noexcept
ctypedef long (*Pending)(void*, char**) noexcept


cdef class Library:
    """Addresses of `SSL_read`, `SSL_write`, `SSL_get_error`, `BIO_read`, `BIO_write` and `BIO_get_mem_data`,
    all of one library."""

    cdef Transfer ssl_read
    cdef Transfer ssl_write
    cdef Verdict ssl_get_error
    cdef Transfer bio_read
    cdef Transfer bio_write
    cdef Pending bio_get_mem_data

    def __cinit__(
        self,
        uintptr_t ssl_read,
        uintptr_t ssl_write,
        uintptr_t ssl_get_error,
        uintptr_t bio_read,
        uintptr_t bio_write,
        uintptr_t bio_get_mem_data,
    ):
        self.ssl_read = <Transfer>ssl_read
        self.ssl_write = <Transfer>ssl_write
        self.ssl_get_error = <Verdict>ssl_get_error
        self.bio_read = <Transfer>bio_read
        self.bio_write = <Transfer>bio_write
        self.bio_get_mem_data = <Pending>bio_get_mem_data


cdef class Records:
    """One connection on memory buffers; `owner` is kept, so that the pointers stay valid."""

    cdef Library library
    cdef object owner
    cdef void* ssl
    cdef void* incoming
    cdef void* outgoing
    cdef Py_ssize_t encrypted   # plaintext whose ciphertext is in `outgoing`

    def __cinit__(self, Library library not None, owner, uintptr_t ssl, uintptr_t incoming, uintptr_t outgoing):
        if not (ssl and incoming and outgoing):
            raise ValueError("a connection on memory buffers is needed")
        self.library = library
        self.owner = owner
        self.ssl = <void*>ssl
        self.incoming = <void*>incoming
        self.outgoing = <void*>outgoing

    def receive(self, data):
        cdef Py_buffer view
        cdef uint8_t* p
        cdef Py_ssize_t left
        cdef int count
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            p = <uint8_t*>view.buf
            left = view.len
            while left:
                count = self.library.bio_write(self.incoming, p, <int>min(left, LARGEST))
                if count <= 0:
                    raise MemoryError
                p += count
                left -= count
        finally:
            PyBuffer_Release(&view)

    def read_into(self, buffer):
        cdef Py_buffer view
        cdef Py_ssize_t total = 0
        cdef int count
        PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        try:
            while total < view.len:
                count = self.library.ssl_read(self.ssl, <uint8_t*>view.buf + total, <int>min(view.len - total, LARGEST))
                if count > 0:
                    total += count
                elif self.library.ssl_get_error(self.ssl, count) == WANT_READ:
                    break
                else:
                    return total, count
        finally:
            PyBuffer_Release(&view)
        return total, 1

    def write(self, parts, list into):
        cdef Py_buffer view
        cdef Py_ssize_t left, taken
        cdef Py_ssize_t waiting = 0
        cdef int result = 1
        cdef uint8_t* p
        cdef uint8_t joined[RECORD]
        for part in parts:
            PyObject_GetBuffer(part, &view, PyBUF_SIMPLE)
            try:
                p = <uint8_t*>view.buf
                left = view.len
                while left and result > 0:
                    if waiting or left < RECORD:
                        # Small neighbours share a record; of a large part only what would make a short one is copied.
                        taken = min(left, RECORD - waiting)
                        memcpy(joined + waiting, p, taken)
                        waiting += taken
                        if waiting == RECORD:
                            waiting = 0
                            result = self.encrypt(joined, RECORD, into)
                    else:
                        taken = min(left - left % RECORD, RUN)
                        result = self.encrypt(p, taken, into)
                    p += taken
                    left -= taken
            finally:
                PyBuffer_Release(&view)
        if waiting and result > 0:
            result = self.encrypt(joined, waiting, into)
        self.collect(into)
        return result

    cdef int encrypt(self, uint8_t* p, Py_ssize_t size, list into) except? -2:
        """1, or what `SSL_write` said when it failed."""
        cdef int count
        while size:
            count = self.library.ssl_write(self.ssl, p, <int>size)
            if count <= 0:
                return count
            p += count
            size -= count
            self.encrypted += count
            if self.encrypted >= RUN:
                self.collect(into)
        return 1

    cdef int collect(self, list into) except -1:
        """Move the ciphertext that is there to `into`."""
        cdef Py_ssize_t size = self.library.bio_get_mem_data(self.outgoing, NULL)
        cdef bytes out
        self.encrypted = 0
        if size > 0:
            out = PyBytes_FromStringAndSize(NULL, size)
            if self.library.bio_read(self.outgoing, PyBytes_AS_STRING(out), <int>size) != size:
                raise MemoryError
            into.append(out)
        return 0
