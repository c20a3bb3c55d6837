# cython: language_level=3
"""What can be asked of the system's heap, so that large blocks do not wait for it. Where there is no such thing, nothing is done."""

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>
    #include <stdlib.h>
    /* glibc gives free memory at the end of a heap back to the system, and gets it again page by page. It keeps twice the
       size of the largest chunk with pages of its own that was ever freed, so one is; elsewhere that does nothing. */
    static void bitswap_hold(size_t size) {
        void *volatile chunk = malloc(size);
        free(chunk);
    }
    #if defined(__linux__) && defined(__GLIBC__)
    #include <sys/mman.h>
    #ifndef MADV_POPULATE_WRITE
    #define MADV_POPULATE_WRITE 23 /* since Linux 5.14; those before refuse it */
    #endif
    #define BITSWAP_PAGE ((uintptr_t)4096)
    #define BITSWAP_STEP ((size_t)8 << 20)
    /* A heap grows by what is asked for, with a system call for each large block that stops the threads which touch new
       pages meanwhile. So much more than is needed is asked for, and freed: untouched, it takes no memory. */
    static void bitswap_grow(int first) {
        if (first)
            bitswap_hold(BITSWAP_STEP);
        bitswap_hold(BITSWAP_STEP);
    }
    static void bitswap_populate(void *data, size_t size) {
        uintptr_t low = ((uintptr_t)data + BITSWAP_PAGE - 1) & ~(BITSWAP_PAGE - 1);
        uintptr_t high = ((uintptr_t)data + size) & ~(BITSWAP_PAGE - 1);
        if (low < high)
            madvise((void *)low, high - low, MADV_POPULATE_WRITE);
    }
    #else
    static void bitswap_grow(int first) {}
    static void bitswap_populate(void *data, size_t size) {}
    #endif
    """
    # Memory at the end of the heap is kept, twice `size` at most.
    void hold "bitswap_hold"(size_t size) noexcept nogil
    # The heap has some megabytes more before they are asked for.
    void grow "bitswap_grow"(bint first) noexcept nogil
    # The pages of these bytes are there before they are touched; what the bytes are does not change.
    void populate "bitswap_populate"(void* data, size_t size) noexcept nogil
