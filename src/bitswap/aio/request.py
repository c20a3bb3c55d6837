"""A getter as a coroutine uses it: its store in a thread, its waiting in none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from bitswap.aio.threads import Threads
from bitswap.block import Block
from bitswap.cidsource import AnyCid
from bitswap.storedgetter import StoredGetter


class Wake:
    """A flag of one event loop that any thread may set (a `Waiter`)."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def release(self) -> None:
        # A loop that has ended waits for nothing.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._event.set)

    def set(self) -> None:
        """The same from within the event loop."""
        self._event.set()

    def clear(self) -> None:
        self._event.clear()

    async def wait(self, seconds: float | None = None) -> None:
        """Return once it is set, which it is after `seconds` at the latest."""
        timer = None if seconds is None else self._loop.call_later(seconds, self._event.set)
        try:
            await self._event.wait()
        finally:
            if timer is not None:
                timer.cancel()


class Request:
    """What one coroutine wants: `step` as long as it gives something, then `wait`, then `step` again."""

    def __init__(self, threads: Threads, getter: StoredGetter, timeout: float | None) -> None:
        self.wake = Wake()
        self._threads = threads
        self._getter = getter
        self._timeout = timeout
        self._deadline: float | None = None

    @property
    def room(self) -> int:
        """How many CIDs more it would ask for at once; 0 until that is worth a message."""
        return self._getter.room

    async def step(self, cids: Sequence[AnyCid] = ()) -> list[Block] | None:
        """Want these as well and return what has come: None for nothing yet, [] if nothing is outstanding.

        Raises InvalidCid, NotFound, Closed.
        """
        self.wake.clear()
        blocks = await self._threads.run(lambda: self._step(cids))
        if blocks is not None:
            self._deadline = None
        return blocks

    def _step(self, cids: Sequence[AnyCid]) -> list[Block] | None:
        if cids:
            self._getter.want(cids)
        return self._getter.try_take(self.wake)

    async def poll(self) -> list[Block]:
        """What has come so far; raises Closed."""
        return await self._threads.run(self._getter.poll)

    async def wait(self, *, at_once: bool = False) -> None:
        """Wait until another step is worth it, which it is now with `at_once`.

        Raises Timeout if it takes too long since the last block.
        """
        limit = self._timeout
        if limit is None:
            if not at_once:
                await self.wake.wait()
            return
        now = asyncio.get_running_loop().time()
        if self._deadline is None:
            self._deadline = now + limit
        if now >= self._deadline:
            raise await self._threads.run(lambda: self._getter.timed_out(limit, self.wake))
        if not at_once:
            await self.wake.wait(self._deadline - now)

    def close(self) -> None:
        """Cancel the rest at once, whatever a thread still does for this request."""
        self._getter.abandon()
