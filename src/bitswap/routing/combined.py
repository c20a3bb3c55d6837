"""Several routers asked at once: whoever finds a provider first names it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count
from queue import SimpleQueue
from typing import Generic, TypeVar

from bitswap.cid import CID
from bitswap.errors import UsageError
from bitswap.network.interface import Peer
from bitswap.routing.interface import ContentRouting, PeerRouting, Provider, RoutingError
from bitswap.routing.threads import Reading

_T = TypeVar("_T")

MAX_ADDRESSES = 128
"""Addresses of one peer that are taken from each router."""

_numbers = count()


class CombinedRouting:
    """Asks all `routers` in parallel; results come as they are found, by any of them.

    A router that fails takes nothing from the others; RoutingError is raised only when nothing was found.
    A node asks the routers of this object itself, each on a thread of its own; elsewhere one call takes a
    thread a router ("bitswap-routing-…") until it is read to its end or closed.
    """

    def __init__(self, *routers: ContentRouting) -> None:
        if not routers:
            raise UsageError("there has to be a router")
        self.routers: tuple[ContentRouting, ...] = routers_of(routers)

    def find_providers(self, cid: CID, limit: int) -> Iterator[Provider]:
        starts = [partial(router.find_providers, cid, limit) for router in self.routers]
        return _Merged(starts, limit)

    def find_peer(self, peer: Peer) -> Iterator[str]:
        starts = [
            partial(router.find_peer, peer) for router in self.routers if isinstance(router, PeerRouting)
        ]
        return _Merged(starts, MAX_ADDRESSES)


def routers_of(routers: Iterable[ContentRouting]) -> tuple[ContentRouting, ...]:
    """The routers that these are made of."""
    found: list[ContentRouting] = []
    for router in routers:
        found += router.routers if isinstance(router, CombinedRouting) else (router,)
    return tuple(found)


class _Merged(Generic[_T]):
    """What several readings find, each once, in the order in which it is found; `close` from any thread."""

    def __init__(self, starts: Sequence[Callable[[], Iterable[_T]]], limit: int) -> None:
        self._left = limit
        self._given: set[_T] = set()
        self._errors: list[Exception] = []
        self._closed = False
        # Bounded by `limit` for each reading.
        self._events: SimpleQueue[tuple[_T] | Exception | None] = SimpleQueue()
        self._reading = len(starts)
        self._readings = [Reading(start, limit, self._found, self._events.put) for start in starts]
        for reading in self._readings:
            name = f"bitswap-routing-{next(_numbers)}"
            threading.Thread(target=reading.run, name=name, daemon=True).start()

    def _found(self, item: _T) -> None:
        self._events.put((item,))

    def __iter__(self) -> Iterator[_T]:
        return self

    def __next__(self) -> _T:
        while self._reading and self._left > 0 and not self._closed:
            event = self._events.get()
            if isinstance(event, tuple):
                if event[0] in self._given:
                    continue
                self._given.add(event[0])
                self._left -= 1
                return event[0]
            self._reading -= 1
            if event is not None:
                self._errors.append(event)
        failed = self._errors and not self._given and not self._closed
        self.close()
        if failed:
            raise RoutingError("; ".join(map(str, self._errors))) from self._errors[0]
        raise StopIteration

    def close(self) -> None:
        """Stop every reading; whoever waits in `next` sees the end."""
        if not self._closed:
            self._closed = True
            for reading in self._readings:
                reading.stop()
            self._events.put(None)
