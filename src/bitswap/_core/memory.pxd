# cython: language_level=3
"""Memory of the compiled core: malloc and its kin, counted, and made to fail by tests.

Both counters belong to the extension module that includes this file. They are not atomic, so although callers need not
be Python functions, the thread must hold the interpreter lock.
"""

from libc.stdint cimport int64_t, uint8_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc, realloc

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdlib.h>
    #if defined(_WIN32)
    #include <malloc.h>
    #define bitswap_usable(p) _msize(p)
    #elif defined(__APPLE__)
    #include <malloc/malloc.h>
    #define bitswap_usable(p) malloc_size(p)
    #elif defined(__linux__)
    #include <malloc.h>
    #define bitswap_usable(p) malloc_usable_size(p)
    #else
    #define bitswap_usable(p) ((size_t)0 * (size_t)(uintptr_t)(p))  /* not counted */
    #endif
    #if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
    #include <intrin.h>
    #define bitswap_prefetch(p) _mm_prefetch((const char *)(p), _MM_HINT_T0)
    #elif defined(__GNUC__)
    #define bitswap_prefetch(p) __builtin_prefetch(p)
    #else
    #define bitswap_prefetch(p) ((void)(p))
    #endif
    #define BITSWAP_LINE 64
    #if defined(__linux__)
    /* Large arrays in pages of their own: to grow, pages are moved, and nothing is copied. malloc does the same, but no
       longer once something as large has been freed. */
    #include <string.h>
    #include <sys/mman.h>
    #define BITSWAP_MAPPED ((size_t)1 << 20)
    #define BITSWAP_PAGES(size) (((size) + 0xFFFF) & ~(size_t)0xFFFF)
    static void *bitswap_map(size_t size) {
        void *p = mmap(NULL, BITSWAP_PAGES(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return p == MAP_FAILED ? NULL : p;
    }
    static void bitswap_free_array(void *p, size_t size) {
        if (p != NULL && size >= BITSWAP_MAPPED) munmap(p, BITSWAP_PAGES(size));
        else free(p);
    }
    static void *bitswap_resize(void *p, size_t before, size_t size) {
        void *moved;
        if (before < BITSWAP_MAPPED && size < BITSWAP_MAPPED) return realloc(p, size);
        if (p != NULL && before >= BITSWAP_MAPPED && size >= BITSWAP_MAPPED) {
            moved = mremap(p, BITSWAP_PAGES(before), BITSWAP_PAGES(size), MREMAP_MAYMOVE);
            return moved == MAP_FAILED ? NULL : moved;
        }
        moved = size >= BITSWAP_MAPPED ? bitswap_map(size) : malloc(size);
        if (moved == NULL || p == NULL) return moved;
        memcpy(moved, p, before < size ? before : size);
        bitswap_free_array(p, before);
        return moved;
    }
    static size_t bitswap_array_bytes(void *p, size_t size) {
        return size >= BITSWAP_MAPPED ? BITSWAP_PAGES(size) : malloc_usable_size(p);
    }
    #else
    static void bitswap_free_array(void *p, size_t size) { (void)size; free(p); }
    static void *bitswap_resize(void *p, size_t before, size_t size) { (void)before; return realloc(p, size); }
    static size_t bitswap_array_bytes(void *p, size_t size) { (void)size; return bitswap_usable(p); }
    #endif
    static int64_t bitswap_grabs_left = -1;
    static size_t bitswap_held = 0;
    """
    size_t usable "bitswap_usable"(void* p) noexcept nogil
    void free_array "bitswap_free_array"(void* p, size_t size) noexcept nogil
    void* resize "bitswap_resize"(void* p, size_t before, size_t size) noexcept nogil
    size_t usable_array "bitswap_array_bytes"(void* p, size_t size) noexcept nogil
    void prefetch "bitswap_prefetch"(const void* p) noexcept nogil
    const size_t LINE "BITSWAP_LINE"    # bytes of a cache line
    int64_t grabs_left "bitswap_grabs_left"  # allocations that succeed before all fail; below 0: no limit
    size_t bytes_held "bitswap_held"    # of all that was grabbed and not released


cdef inline bint refused() noexcept nogil:
    """Whether a test wants this allocation to fail."""
    if grabs_left < 0:
        return False
    return count_down()


cdef inline bint count_down() noexcept nogil:
    global grabs_left
    if grabs_left == 0:
        return True
    grabs_left -= 1
    return False


cdef inline void* counted(void* p) noexcept nogil:
    global bytes_held
    if p != NULL:
        bytes_held += usable(p)
    return p


cdef inline void* grab(size_t size) noexcept nogil:
    """`size` bytes, or NULL when memory is short."""
    if refused():
        return NULL
    return counted(malloc(size if size else 1))


cdef inline void* grab_zeroed(size_t count, size_t size) noexcept nogil:
    """Zeroed memory for `count` things of `size` bytes, or NULL."""
    if refused():
        return NULL
    return counted(calloc(count if count else 1, size if size else 1))


cdef inline void* regrab(void* p, size_t size) noexcept nogil:
    """`p`, which may be NULL, moved to where there are `size` bytes; on NULL it is still where it was."""
    global bytes_held
    cdef size_t before
    cdef void* moved
    if refused():
        return NULL
    before = usable(p) if p != NULL else 0
    moved = realloc(p, size if size else 1)
    if moved != NULL:
        bytes_held -= before
        counted(moved)
    return moved


cdef inline void release(void* p) noexcept nogil:
    """Free what one of the others returned; NULL is fine."""
    global bytes_held
    if p != NULL:
        bytes_held -= usable(p)
        free(p)


cdef inline void* regrab_array(void* p, size_t before, size_t size) noexcept nogil:
    """As `regrab` of what may be large, and had `before` bytes; for `release_array`. Neither size is 0 unless `p` is NULL."""
    global bytes_held
    cdef size_t held
    cdef void* moved
    if refused():
        return NULL
    held = usable_array(p, before) if p != NULL else 0
    moved = resize(p, before, size)
    if moved != NULL:
        bytes_held += usable_array(moved, size) - held
    return moved


cdef inline void release_array(void* p, size_t size) noexcept nogil:
    global bytes_held
    if p != NULL:
        bytes_held -= usable_array(p, size)
        free_array(p, size)


cdef inline void* grab_lines(size_t count) noexcept nogil:
    """`count` cache lines, aligned, not zeroed; for `release_lines`."""
    cdef uint8_t* start
    cdef uint8_t* p
    if count > (<size_t>-1) // LINE - 2:
        return NULL
    start = <uint8_t*>grab((count + 1) * LINE + sizeof(void*))
    if start == NULL:
        return NULL
    p = start + sizeof(void*)
    p += (LINE - <uintptr_t>p % LINE) % LINE
    (<void**>p)[-1] = start
    return p


cdef inline void release_lines(void* p) noexcept nogil:
    if p != NULL:
        release((<void**>p)[-1])
