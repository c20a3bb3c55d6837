# cython: language_level=3, boundscheck=False, wraparound=False
"""Calls of sockets that do not block, with the interpreter lock held; not built on Windows.

`socket` releases the lock for each call. Beside a thread that computes each release may cost a whole switch
interval, a thousand times what the call takes.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_SetFromErrno

__all__ = ["receive_into", "send"]

cdef enum:
    GATHERED = 16  # every system takes that many

cdef extern from *:
    """
    #include <sys/types.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <string.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0 /* Python ignores the signal */
    #endif
    static Py_ssize_t bitswap_send(int fd, struct iovec *pieces, int count) {
        struct msghdr message;
        memset(&message, 0, sizeof(message));
        message.msg_iov = pieces;
        message.msg_iovlen = count;
        return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    """
    cdef struct iovec:
        void* iov_base
        size_t iov_len
    Py_ssize_t recv(int fd, void* data, size_t size, int flags) noexcept
    Py_ssize_t gather "bitswap_send"(int fd, iovec* pieces, int count) noexcept
    int MSG_DONTWAIT


def receive_into(int fd, buffer):
    cdef Py_buffer view
    cdef Py_ssize_t count
    PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
    try:
        count = recv(fd, view.buf, view.len, MSG_DONTWAIT)
        if count < 0:
            PyErr_SetFromErrno(OSError)
    finally:
        PyBuffer_Release(&view)
    return count


def send(int fd, parts):
    cdef Py_buffer views[GATHERED]
    cdef iovec pieces[GATHERED]
    cdef Py_ssize_t sent
    cdef int count = 0
    try:
        for part in parts:
            if count == GATHERED:
                break
            PyObject_GetBuffer(part, &views[count], PyBUF_SIMPLE)
            pieces[count].iov_base = views[count].buf
            pieces[count].iov_len = views[count].len
            count += 1
        sent = gather(fd, pieces, count)
        if sent < 0:
            PyErr_SetFromErrno(OSError)
    finally:
        while count:
            count -= 1
            PyBuffer_Release(&views[count])
    return sent
