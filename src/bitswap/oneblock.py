"""One block in two steps with the client's lock, where a getter that is filled, emptied and closed takes six.

The first makes the request, asks, and leaves who is to be woken; the second takes the block and ends it.
Whatever is out of the usual goes on with the getter.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.errors import Closed
from bitswap.getter import Getter, held_lock, nap

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from bitswap.client import Client
    from bitswap.session import Session


class OneBlock:
    """A request for a CID that is neither inline nor unknown; without a session in one of its own."""

    def __init__(self, client: Client, session: Session | None, cid: CID, timeout: float | None) -> None:
        self.fetched = False
        """Whether it came from a peer."""
        self._client = client
        self._session = session
        self._alone = session is None
        self._cid = cid
        self._timeout = timeout
        self._getter: Getter | None = None

    def get(self, found: Callable[[], Block | None] | None = None) -> Block:
        """Wait for it; raises as `Fetcher.get_block`. `found` is asked once peers were: it may have come."""
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        try:
            getter, waiter = self._ask()
            block = None if found is None else found()
            if block is not None:
                return block
            while not waiter.acquire(timeout=nap(deadline)):
                if deadline is not None and time.monotonic() >= deadline:
                    raise getter.timed_out(self._timeout or 0.0, waiter)
            block = self._take(getter)
            if block is None:
                left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
                block = getter.take(left)[0]
            self.fetched = True
            return block
        finally:
            if self._getter is not None:
                self._getter.close()

    def _ask(self) -> tuple[Getter, threading.Lock]:
        client = self._client
        machine = client._machine
        with client._lock:
            client._check_open()
            now = client._clock.now()
            if self._session is None:
                self._session = machine.new_session(None, broadcast=True)
            elif self._session.closed:
                raise Closed("the session was closed")
            subscription = machine.subscribe(self._session)
            self._getter = getter = Getter(client, subscription, self._timeout, alone=self._alone)
            waiter = held_lock()
            getter._waiters.append(waiter)
            machine.want(subscription, [self._cid], now)
            work = client._work(now)
        client._do(work)
        return getter, waiter

    def _take(self, getter: Getter) -> Block | None:
        client, subscription = self._client, getter._subscription
        with client._lock:
            client._check_open(subscription)
            now = client._clock.now()
            blocks = client._machine.take(subscription, now)
            if blocks:
                self._getter = None
                if self._alone:
                    client._machine.close_session(subscription.session, now)
                else:
                    client._machine.close(subscription, now)
            work = client._work(now)
        client._do(work)
        return blocks[0] if blocks else None
