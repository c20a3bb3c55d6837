"""`get_block` and `get_blocks` for coroutines, of nodes and of sessions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import closing
from typing import TypeAlias

from bitswap.aio.request import Request
from bitswap.aio.source import source_of
from bitswap.block import Block
from bitswap.cidsource import AnyCid
from bitswap.options import ClientOptions
from bitswap.spans import SpanTracer, span

AnyCids: TypeAlias = "Iterable[AnyCid] | AsyncIterable[AnyCid]"
"""What several CIDs may be given as."""


class Fetcher(ABC):
    """Nodes and sessions: whatever can make a request."""

    @abstractmethod
    def _request(self, timeout: float | None) -> Request:
        """A new request; raises Closed."""

    @property
    @abstractmethod
    def _options(self) -> ClientOptions: ...

    _spans_prefix = ""

    @property
    @abstractmethod
    def _spans(self) -> SpanTracer | None: ...

    async def get_block(self, cid: AnyCid, timeout: float | None = None) -> Block:
        """One block, from the store or from peers. A cancelled call wants nothing any more.

        Raises InvalidCid; Timeout after `timeout` seconds (None: waits for ever); NotFound where only named
        peers are asked and none has it; Closed.
        """
        spanned = span(self._spans, f"{self._spans_prefix}GetBlock", cid=cid)
        with spanned, closing(self._request(timeout)) as request:
            blocks = await request.step([cid])
            while not blocks:
                await request.wait()
                blocks = await request.step()
            return blocks[0]

    async def get_blocks(self, cids: AnyCids, timeout: float | None = None) -> AsyncGenerator[Block, None]:
        """Many blocks; yields them as they come, each once. Closing the iterator cancels the rest.

        `cids` is read in the event loop as far as the window allows, so it may be endless, and an
        asynchronous one may depend on the blocks that have come; a plain one that is slow keeps the event
        loop waiting. Nothing is asked before the first block is awaited. A loop that is left early cancels
        the rest with the event loop's next turns; `aclose`, or `contextlib.aclosing`, before it returns.
        Repeated CIDs, `timeout` and errors are as in `bitswap.Bitswap.get_blocks`; the time in which nothing
        is outstanding, because an asynchronous `cids` has nothing to ask for, does not count.
        """
        spanned = span(self._spans, f"{self._spans_prefix}GetBlocks")
        with spanned, closing(self._request(timeout)) as request:
            source = source_of(cids, request.wake, self._options)
            try:
                while True:
                    try:
                        part = source.take(request.room)
                    except Exception:
                        for block in await request.poll():
                            yield block
                        raise
                    blocks = await request.step(part)
                    if blocks is None:
                        # A plain source that is slow is read on; what has come is handed out meanwhile.
                        await request.wait(at_once=source.more and source.ready and request.room > 0)
                    elif blocks:
                        # As `Fetcher.get_blocks`: what was handed out is kept no longer.
                        blocks.reverse()
                        while blocks:
                            spanned.event("received block", cid=blocks[-1].cid)
                            yield blocks.pop()
                    elif not source.more:
                        return
                    elif not source.ready:
                        await request.wake.wait()
            finally:
                # Before the source, which may take its time.
                request.close()
                await source.close()
