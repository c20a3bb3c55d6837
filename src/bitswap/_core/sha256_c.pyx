# cython: language_level=3
"""SHA-256 by OpenSSL with the interpreter lock held, found in the library that `hashlib` runs on.

`hashlib` releases the lock for what is above 2 KiB. Beside a thread that computes that costs up to a switch interval a
block, many times what the hash takes. Where the library cannot be reached `hashlib` itself is called.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uintptr_t
from libc.string cimport memcpy

import hashlib

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


cdef uintptr_t address(object library, str name) except? 0:
    """Of a function, 0 when it is not there."""
    import ctypes

    found = getattr(library, name, None)
    return 0 if found is None else ctypes.cast(found, ctypes.c_void_p).value


cdef int find() except -1:
    """Set the names above, or leave them alone."""
    global evp_digest, algorithm, ctx_make, ctx_free, digest_begin, digest_more, digest_end
    cdef uintptr_t fetch, known, compute
    try:
        import ctypes
        import _hashlib

        # A symbol is looked for in what the extension module was linked with, too.
        library = ctypes.PyDLL(getattr(_hashlib, "__file__", None))
        compute = address(library, "EVP_Digest")
        fetch = address(library, "EVP_MD_fetch")
        known = address(library, "EVP_sha256")
        ctx_make = <Make>address(library, "EVP_MD_CTX_new")
        ctx_free = <Free>address(library, "EVP_MD_CTX_free")
        digest_begin = <Begin>address(library, "EVP_DigestInit_ex")
        digest_more = <More>address(library, "EVP_DigestUpdate")
        digest_end = <End>address(library, "EVP_DigestFinal_ex")
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
