"""Names to addresses without stopping the reactor: a few threads, started when first needed."""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from collections.abc import Callable

from bitswap.errors import RemoteError

SocketAddress = tuple[int, "tuple[str, int] | tuple[str, int, int, int]"]
"""Address family and what `socket.connect` takes."""

Resolved = Callable[["list[SocketAddress] | Exception"], None]

_JOIN_SECONDS = 1.0


class ResolveError(RemoteError):
    """A host name that the system cannot resolve."""


def numeric(host: str, port: int) -> list[SocketAddress] | None:
    """The address without a lookup when `host` is an IP address, else None."""
    bare, _, zone = host.partition("%")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if address.version == 4:
        return [(socket.AF_INET, (host, port))]
    scope = 0
    if zone:
        scope = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
    return [(socket.AF_INET6, (bare, port, 0, scope))]


class Resolver:
    """Up to `threads` lookups at a time. `resolve` may be called from one thread only, `close` from any."""

    def __init__(self, threads: int) -> None:
        self._limit = threads
        self._threads: list[threading.Thread] = []
        self._work: queue.SimpleQueue[tuple[str, int, int, Resolved] | None] = queue.SimpleQueue()

    def resolve(self, host: str, port: int, family: int, done: Resolved) -> None:
        """Look `host` up; `done` is called on a resolver thread with addresses or an error."""
        if len(self._threads) < self._limit:
            name = f"bitswap-resolver-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._work.put((host, port, family, done))

    def close(self) -> None:
        """End the threads. One that hangs in the system's resolver is left behind."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        while True:
            item = self._work.get()
            if item is None:
                return
            host, port, family, done = item
            done(_look_up(host, port, family))
            del item, done  # a thread that waits keeps nothing of what it did


def _look_up(host: str, port: int, family: int) -> list[SocketAddress] | Exception:
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return ResolveError(f"cannot resolve {host!r}: {error}")
    addresses: list[SocketAddress] = []
    for entry_family, _, _, _, address in found:
        if entry_family in (socket.AF_INET, socket.AF_INET6) and (entry_family, address) not in addresses:
            addresses.append((entry_family, address))  # type: ignore[arg-type]
    return addresses or ResolveError(f"{host!r} has no addresses")
