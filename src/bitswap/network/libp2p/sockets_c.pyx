# cython: language_level=3, boundscheck=False, wraparound=False
"""Calls of sockets with the interpreter lock held as long as they do not wait; not built on Windows.

`socket` releases the lock for each call. Beside a thread that computes each release may cost a whole switch
interval, a thousand times what the call takes.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_SetFromErrno
from libc.errno cimport EINTR, errno

from bitswap._core.heap cimport hold

__all__ = ["ready", "receive_into", "send"]

cdef enum:
    GATHERED = 16  # every system takes that many
    MUCH = 64 * 1024  # bytes that are not often sent by one who only asks
    HELD = 2 * 1024 * 1024  # bytes that are encrypted and freed again and again: twice what one connection writes in a turn
    READY = 256  # sockets that one look finds; the others come with the next

cdef extern from *:
    """
    #include <sys/types.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <errno.h>
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
    #ifdef __linux__
    #include <sys/epoll.h>
    static int bitswap_ready(int fd, int *found, unsigned int *events, int room, int wait) {
        struct epoll_event look[256];
        int i, count = epoll_wait(fd, look, room < 256 ? room : 256, wait);
        for (i = 0; i < count; i++) {
            found[i] = look[i].data.fd;
            events[i] = look[i].events;
        }
        return count;
    }
    #else
    static int bitswap_ready(int fd, int *found, unsigned int *events, int room, int wait) {
        errno = ENOSYS;
        return -1;
    }
    #endif
    """
    cdef struct iovec:
        void* iov_base
        size_t iov_len
    Py_ssize_t recv(int fd, void* data, size_t size, int flags) noexcept
    Py_ssize_t gather "bitswap_send"(int fd, iovec* pieces, int count) noexcept
    int look "bitswap_ready"(int fd, int* found, unsigned int* events, int room, int wait) noexcept nogil
    int MSG_DONTWAIT

cdef bint holding = False


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
    global holding
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
        if sent > MUCH and not holding:
            holding = True
            hold(HELD)
    finally:
        while count:
            count -= 1
            PyBuffer_Release(&views[count])
    return sent


def ready(int fd, int wait):
    cdef int found[READY]
    cdef unsigned int events[READY]
    cdef int count = look(fd, found, events, READY, 0)
    cdef int i
    if count == 0 and wait != 0:
        with nogil:
            count = look(fd, found, events, READY, wait)
    if count < 0:
        if errno == EINTR:
            return []
        PyErr_SetFromErrno(OSError)
    return [(found[i], events[i]) for i in range(count)] if count else []
