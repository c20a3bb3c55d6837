"""Waiting for what another thread or process does, without a clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bitswap import CID, Bitswap, Client, Server

_LOST = 1.0  # seconds after which is looked again: a thread may have had the lock in hand before it told


class _Told:
    """A lock that says when another thread lets go of it: what it guards may have changed."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._watcher = threading.get_ident()
        self.changed = threading.Event()

    def acquire(self, blocking: bool = True, timeout: float = -1.0) -> bool:
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        self._lock.release()
        if threading.get_ident() != self._watcher:
            self.changed.set()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


@contextmanager
def _watching(half: Client | Server) -> Iterator[threading.Event]:
    name = "_lock" if isinstance(half, Client) else "_engine_lock"
    lock = vars(half)[name]
    told = vars(half)[name] = _Told(lock)
    try:
        yield told.changed
    finally:
        vars(half)[name] = lock


def until_changed(half: Client | Server, holds: Callable[[], bool]) -> None:
    """Wait until something holds of what one half of a node knows; by one thread at a time for each half."""
    with _watching(half) as changed:
        while not holds():
            changed.wait(_LOST)
            changed.clear()


def asked(node: Bitswap, peer: str, cid: CID) -> None:
    """Wait until `node` knows that `peer` wants `cid`."""
    assert node.server is not None
    until_changed(node.server, lambda: cid in node.wantlist_for_peer(peer))


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that nobody tells of; the test's own time limit is the end of that."""
    while not holds():
        threading.Event().wait(0.001)
