"""The reactor's selector: where it can, it looks for what is ready without giving up the interpreter lock.

Under load there is nearly always something, and giving up the lock to be told so costs a switch interval
whenever another thread computes. Only when nothing is ready does it wait, and the others have the lock.
"""

from __future__ import annotations

import select
import selectors
from importlib import import_module
from math import ceil
from typing import TYPE_CHECKING, Any

from bitswap._core import IMPLEMENTATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import FileDescriptorLike

Ready = list[tuple[selectors.SelectorKey, int]]


def new_selector() -> selectors.BaseSelector:
    """The best selector that there is here; one thread may change it while another one waits."""
    if IMPLEMENTATION == "compiled" and hasattr(selectors, "EpollSelector"):
        try:
            ready: Callable[[int, int], list[tuple[int, int]]] = import_module(
                "bitswap.network.libp2p.sockets_c"
            ).ready
        except ImportError:
            return selectors.DefaultSelector()
        return _looking_first(ready)
    return selectors.DefaultSelector()


def _looking_first(ready: Callable[[int, int], list[tuple[int, int]]]) -> selectors.BaseSelector:
    class LookingFirst(selectors.EpollSelector):
        def __init__(self) -> None:
            super().__init__()
            self._keys: dict[int, selectors.SelectorKey] = {}

        def register(
            self, fileobj: FileDescriptorLike, events: int, data: Any = None
        ) -> selectors.SelectorKey:
            return self._noted(super().register(fileobj, events, data))

        def modify(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
            return self._noted(super().modify(fileobj, events, data))

        def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
            key = super().unregister(fileobj)
            self._keys.pop(key.fd, None)
            return key

        def _noted(self, key: selectors.SelectorKey) -> selectors.SelectorKey:
            self._keys[key.fd] = key
            return key

        def select(self, timeout: float | None = None) -> Ready:
            wait = -1 if timeout is None else ceil(timeout * 1e3) if timeout > 0 else 0
            # As `selectors` has it: errors and hang-ups are for both.
            return [
                (
                    key,
                    (events & ~select.EPOLLIN and selectors.EVENT_WRITE)
                    | (events & ~select.EPOLLOUT and selectors.EVENT_READ),
                )
                for fd, events in ready(self.fileno(), wait)
                if (key := self._keys.get(fd)) is not None
            ]

    return LookingFirst()
