"""Memory of the compiled core comes back, also where a history ends in the middle or memory is short."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable

import pytest

from bitswap.decision.implementations import implementations

from .leaks import live

pytestmark = [
    pytest.mark.skipif("c" not in implementations(), reason="there is no compiled core"),
    pytest.mark.timeout(600),
]


class _MallInfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t) for name in ("a", "b", "c", "d", "hblkhd", "f", "g", "uordblks", "i", "j")
    ]


def _c_bytes() -> Callable[[], int] | None:
    """What tells the bytes in use by malloc, where the C library does."""
    if not sys.platform.startswith("linux") or "LD_PRELOAD" in os.environ:
        return None
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo is None:
        return None
    mallinfo.restype = _MallInfo

    def read() -> int:
        info = mallinfo()
        return int(info.uordblks + info.hblkhd)

    return read


def least_growth(measure: Callable[[], int], enough: int) -> int:
    """The least by which a measure grows when the same histories are lived again, or what is below `enough`.

    Something stays of the first times, when what is kept for reuse grows. A loss comes each time.
    """
    least = before = sys.maxsize
    for _ in range(20):
        for seed in range(4):
            live(seed, operations=200)
        gc.collect()
        after = measure()
        if before != sys.maxsize:
            least = min(least, after - before)
        if least < enough:
            break
        before = after
    return least


def test_no_memory_of_c_is_lost() -> None:
    measure = _c_bytes()
    if measure is None:
        pytest.skip("the C library does not tell")
    assert least_growth(measure, 256) < 256


@pytest.mark.skipif(not hasattr(sys, "getallocatedblocks"), reason="this Python does not tell")
def test_no_objects_are_lost() -> None:
    assert least_growth(sys.getallocatedblocks, 4) < 4
