"""The reactor's selector: where it can, it looks for what is ready without giving up the interpreter lock.

Under load there is nearly always something, and giving up the lock to be told so costs a switch interval
whenever another thread computes. Only when nothing is ready does it wait, and the others have the lock.
"""

from __future__ import annotations

import select
import selectors
from importlib import import_module
from typing import TYPE_CHECKING

from bitswap._core import IMPLEMENTATION

if TYPE_CHECKING:
    from collections.abc import Callable

    Ready = list[tuple[selectors.SelectorKey, int]]


def new_selector() -> selectors.BaseSelector:
    """The best selector that there is here."""
    if IMPLEMENTATION == "compiled" and hasattr(selectors, "EpollSelector"):
        try:
            ready: Callable[[int], list[tuple[int, int]]] = import_module(
                "bitswap.network.libp2p.sockets_c"
            ).ready
        except ImportError:
            return selectors.DefaultSelector()
        return _looking_first(ready)
    return selectors.DefaultSelector()


def _looking_first(ready: Callable[[int], list[tuple[int, int]]]) -> selectors.BaseSelector:
    class LookingFirst(selectors.EpollSelector):
        def select(self, timeout: float | None = None) -> Ready:
            found = ready(self.fileno())
            if not found:
                return [] if timeout is not None and timeout <= 0 else super().select(timeout)
            # As `selectors` has it: errors and hang-ups are for both.
            return [
                (
                    self.get_key(fd),
                    (events & ~select.EPOLLIN and selectors.EVENT_WRITE)
                    | (events & ~select.EPOLLOUT and selectors.EVENT_READ),
                )
                for fd, events in found
            ]

    return LookingFirst()
