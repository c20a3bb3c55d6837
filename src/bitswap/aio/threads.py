"""The threads in which an asyncio node does what may block."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bitswap.errors import Closed
from bitswap.options import ClientOptions

_T = TypeVar("_T")


class Threads:
    """`ClientOptions.aio_threads` for the store and `aio_dials` for dials, made when first needed.

    Two pools, so that peers which do not answer a dial never keep anybody from the store. What waits for a
    thread is bounded by the coroutines there are: each waits for one thing.
    """

    def __init__(self, options: ClientOptions) -> None:
        self._store = ThreadPoolExecutor(options.aio_threads, "bitswap-aio-store")
        self._dials = ThreadPoolExecutor(options.aio_dials, "bitswap-aio-dial")

    async def run(self, call: Callable[[], _T]) -> _T:
        """The result of `call`, which uses the store; raises what it raises, and Closed."""
        return await _run(self._store, call)

    async def dial(self, call: Callable[[], _T]) -> _T:
        """The same for what waits for a peer."""
        return await _run(self._dials, call)

    def close(self) -> None:
        """Join them, once what was begun is through; blocks, takes no more calls."""
        self._store.shutdown()
        self._dials.shutdown()


async def _run(pool: ThreadPoolExecutor, call: Callable[[], _T]) -> _T:
    try:
        job = asyncio.get_running_loop().run_in_executor(pool, call)
    except RuntimeError as error:
        raise Closed("the node was closed") from error
    return await job
