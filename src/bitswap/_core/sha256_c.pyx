# cython: language_level=3
"""SHA-256 by OpenSSL with the interpreter lock held, found in the library that `hashlib` runs on.

`hashlib` releases the lock for what is above 2 KiB. Beside a thread that computes that costs up to a switch interval a
block, many times what the hash takes. Where the library cannot be reached `hashlib` itself is called.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uintptr_t
from libc.string cimport memcpy

import hashlib
import os

__all__ = ["FOUND", "digest"]

ctypedef int (*Digest)(const void*, size_t, uint8_t*, unsigned int*, const void*, void*) noexcept
ctypedef const void* (*Fetch)(void*, const char*, const char*) noexcept
ctypedef const void* (*Known)() noexcept
ctypedef void* (*Make)() noexcept nogil
ctypedef void (*Free)(void*) noexcept nogil
ctypedef int (*Begin)(void*, const void*, void*) noexcept nogil
ctypedef int (*More)(void*, const void*, size_t) noexcept nogil
ctypedef int (*End)(void*, uint8_t*, unsigned int*) noexcept nogil

cdef Digest evp_digest = NULL
cdef const void* algorithm = NULL
cdef Make ctx_make = NULL
cdef Free ctx_free = NULL
cdef Begin digest_begin = NULL
cdef More digest_more = NULL
cdef End digest_end = NULL
cdef object _sha256 = hashlib.sha256


cdef extern from *:
    """
    #ifdef _WIN32
    #define HAVE_DLSYM 0
    static void *library_of(const char *path) { (void)path; return NULL; }
    static void *symbol_of(void *library, const char *name) { (void)library; (void)name; return NULL; }
    #else
    #include <dlfcn.h>
    #define HAVE_DLSYM 1
    static void *library_of(const char *path) { return dlopen(path, RTLD_NOW); }
    static void *symbol_of(void *library, const char *name) { return dlsym(library, name); }
    #endif
    """
    const bint HAVE_DLSYM
    void* library_of(const char* path)
    void* symbol_of(void* library, const char* name)


cdef class Library:
    """What an extension module was linked with; a symbol is looked for there, too. Kept open to the end.

    `ctypes`, with a library of its own to load, is left to the system that has no `dlsym`.
    """

    cdef void* handle
    cdef object loaded

    def __cinit__(self, str path):
        cdef bytes name
        if HAVE_DLSYM:
            if path is None:
                self.handle = library_of(NULL)
            else:
                name = os.fsencode(path)
                self.handle = library_of(PyBytes_AS_STRING(name))
            if self.handle == NULL:
                raise OSError("the library of hashlib does not open")
        else:
            import ctypes

            self.loaded = ctypes.PyDLL(path)

    cdef uintptr_t address(self, str name) except? 0:
        """Of a function, 0 when it is not there."""
        cdef bytes word
        if HAVE_DLSYM:
            word = name.encode()
            return <uintptr_t>symbol_of(self.handle, PyBytes_AS_STRING(word))
        import ctypes

        found = getattr(self.loaded, name, None)
        return 0 if found is None else ctypes.cast(found, ctypes.c_void_p).value


cdef int find() except -1:
    """Set the names above, or leave them alone."""
    global evp_digest, algorithm, ctx_make, ctx_free, digest_begin, digest_more, digest_end
    cdef Library library
    cdef uintptr_t fetch, known, compute
    try:
        import _hashlib

        library = Library(getattr(_hashlib, "__file__", None))
        compute = library.address("EVP_Digest")
        fetch = library.address("EVP_MD_fetch")
        known = library.address("EVP_sha256")
        ctx_make = <Make>library.address("EVP_MD_CTX_new")
        ctx_free = <Free>library.address("EVP_MD_CTX_free")
        digest_begin = <Begin>library.address("EVP_DigestInit_ex")
        digest_more = <More>library.address("EVP_DigestUpdate")
        digest_end = <End>library.address("EVP_DigestFinal_ex")
    except (ImportError, OSError, TypeError):
        return 0
    if fetch:
        algorithm = (<Fetch>fetch)(NULL, b"SHA2-256", NULL)  # kept to the end
    elif known:
        algorithm = (<Known>known)()
    if compute and algorithm != NULL:
        evp_digest = <Digest>compute
    return 0


cdef int sha256(const uint8_t* data, size_t size, uint8_t* out) except -1:
    """32 bytes to `out`."""
    if evp_digest != NULL and evp_digest(data, size, out, NULL, algorithm, NULL) == 1:
        return 0
    cdef bytes computed = _sha256(PyBytes_FromStringAndSize(<const char*>data, size)).digest()
    memcpy(out, PyBytes_AS_STRING(computed), 32)
    return 0


cdef bint in_pieces() noexcept nogil:
    return (
        algorithm != NULL and ctx_make != NULL and ctx_free != NULL
        and digest_begin != NULL and digest_more != NULL and digest_end != NULL
    )


cdef void* sha256_begin() noexcept nogil:
    cdef void* state = ctx_make()
    if state != NULL and digest_begin(state, algorithm, NULL) != 1:
        ctx_free(state)
        return NULL
    return state


cdef bint sha256_more(void* state, const uint8_t* data, size_t size) noexcept nogil:
    return digest_more(state, data, size) == 1


cdef bint sha256_end(void* state, uint8_t* out) noexcept nogil:
    """32 bytes to `out`; the state is still to be dropped."""
    return digest_end(state, out, NULL) == 1


cdef void sha256_drop(void* state) noexcept nogil:
    if state != NULL:
        ctx_free(state)


def digest(bytes data not None):
    cdef uint8_t out[32]
    sha256(<const uint8_t*>PyBytes_AS_STRING(data), len(data), out)
    return PyBytes_FromStringAndSize(<const char*>out, 32)


find()
FOUND = evp_digest != NULL
