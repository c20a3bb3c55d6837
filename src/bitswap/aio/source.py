"""The CIDs of a request, read as far as its window allows: from any iterable, plain or asynchronous."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Iterable
from typing import Protocol

from bitswap.aio.request import Wake
from bitswap.cid import CID
from bitswap.cidsource import AnyCid, CidSource, Repetitions, to_cid
from bitswap.options import ClientOptions


class Source(Protocol):
    """Where CIDs come from."""

    @property
    def more(self) -> bool:
        """Whether there may be more, or an error to tell."""

    @property
    def ready(self) -> bool:
        """Whether `take` would not come back with empty hands though there is more."""

    def take(self, room: int) -> list[CID]:
        """The next ones, at most `room`; raises what the iterable raised, as soon as it did."""

    async def close(self) -> None:
        """Read no further."""


class PlainSource:
    """An iterable, read in the event loop by whoever takes from it."""

    def __init__(self, cids: Iterable[AnyCid], remembered: int) -> None:
        self._cids = CidSource(cids, remembered)

    @property
    def more(self) -> bool:
        return self._cids.more

    @property
    def ready(self) -> bool:
        return self._cids.more

    def take(self, room: int) -> list[CID]:
        return self._cids.read(room)

    async def close(self) -> None:
        self._cids.more = False


class AsyncSource:
    """An asynchronous iterable, read ahead by a task: blocks that have come do not wait for the next CID.

    `wake` is set whenever something was read; at most `ahead` CIDs wait to be taken.
    """

    def __init__(self, cids: AsyncIterable[AnyCid], wake: Wake, options: ClientOptions) -> None:
        self._cids = cids
        self._wake = wake
        self._ahead = options.lookup_slice
        self._repetitions = Repetitions(options.max_repetitions)
        self._read: deque[CID] = deque()
        self._room = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None
        self._task = asyncio.create_task(self._run(), name="bitswap-aio-source")

    @property
    def more(self) -> bool:
        return bool(self._read) or not self._ended or self._error is not None

    @property
    def ready(self) -> bool:
        return bool(self._read) or self._ended

    def take(self, room: int) -> list[CID]:
        if self._error is not None:
            # What was read before it and not taken is lost, as it is with a plain iterable.
            raise self._error
        part = [self._read.popleft() for _ in range(min(room, len(self._read)))]
        if len(self._read) < self._ahead:
            self._room.set()
        return part

    async def _run(self) -> None:
        try:
            async for value in self._cids:
                cid = to_cid(value)
                if not self._repetitions.is_new(cid):
                    continue
                self._read.append(cid)
                self._wake.set()
                while len(self._read) >= self._ahead:
                    self._room.clear()
                    await self._room.wait()
        except BaseException as error:
            self._error = error
            if not isinstance(error, Exception):
                raise
        finally:
            self._ended = True
            self._wake.set()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


def source_of(cids: Iterable[AnyCid] | AsyncIterable[AnyCid], wake: Wake, options: ClientOptions) -> Source:
    """Raises UsageError for a single CID."""
    if isinstance(cids, AsyncIterable):
        return AsyncSource(cids, wake, options)
    return PlainSource(cids, options.max_repetitions)
