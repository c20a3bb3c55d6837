"""A Bitswap node for coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from bitswap import bitswap as threaded
from bitswap.aio.fetcher import Fetcher
from bitswap.aio.request import Request
from bitswap.aio.threads import Threads
from bitswap.block import Block
from bitswap.errors import Closed, UsageError
from bitswap.network.interface import Network, Peer
from bitswap.options import ClientOptions, Options

if TYPE_CHECKING:
    from typing_extensions import Self

    from bitswap.blockstore.interface import Blockstore
    from bitswap.cid import CID
    from bitswap.cidsource import AnyCid
    from bitswap.clientsession import SessionStat
    from bitswap.clock import Clock
    from bitswap.decision.score_ledger import Receipt
    from bitswap.explanation import Explanation
    from bitswap.metrics import Metrics
    from bitswap.routing import ContentRouting
    from bitswap.spans import SpanTracer
    from bitswap.stat import Stat
    from bitswap.tracer import Tracer


class Bitswap(Fetcher):
    """`bitswap.Bitswap` for asyncio; an asynchronous context manager.

    Runs from `start` (or `async with`) until `close`, and raises UsageError before that. The store and dials
    are used in a bounded number of threads, so the event loop waits for neither; waiting for blocks takes no
    thread. Iterables are read in the event loop.
    """

    def __init__(
        self,
        network: Network,
        store: Blockstore,
        options: Options | None = None,
        *,
        clock: Clock | None = None,
        tracer: Tracer | None = None,
        metrics: Metrics | None = None,
        routing: ContentRouting | None = None,
    ) -> None:
        self.network = network
        self.store = store
        self.options = options or Options()
        self._clock = clock
        self._tracer = tracer
        self._metrics = metrics
        self._routing = routing
        self._threads = Threads(self.options.client)
        self._running: threaded.Bitswap | None = None
        self._starting = False
        self._closed = False

    async def start(self) -> None:
        """Start the network; raises what `Network.start` raises, UsageError the second time, Closed."""
        if self._closed:
            raise Closed("the node was closed")
        if self._starting:
            raise UsageError("the node was started already")
        self._starting = True
        job = asyncio.ensure_future(self._threads.run(self._make))
        try:
            await asyncio.shield(job)
        except BaseException:
            # Cancelled or failed; the network may be up, or come up yet.
            await asyncio.gather(job, return_exceptions=True)
            await self.close()
            raise

    def _make(self) -> None:
        self._running = threaded.Bitswap(
            self.network,
            self.store,
            self.options,
            clock=self._clock,
            tracer=self._tracer,
            metrics=self._metrics,
            routing=self._routing,
        )

    @property
    def _node(self) -> threaded.Bitswap:
        if self._running is None:
            raise Closed("the node was closed") if self._closed else UsageError("the node was not started")
        return self._running

    # -- fetching

    @property
    def _options(self) -> ClientOptions:
        return self.options.client

    @property
    def _spans(self) -> SpanTracer | None:
        return self._node._spans

    def _request(self, timeout: float | None) -> Request:
        return Request(self._threads, self._node.getter(), timeout)

    def new_session(self, peers: Iterable[Peer] | None = None, *, broadcast: bool = True) -> Session:
        """Wants that belong together; see `bitswap.Bitswap.new_session`. Raises UsageError, Closed."""
        return Session(self, self._threads, self._node.new_session(peers, broadcast=broadcast))

    # -- adding

    async def add_block(self, block: Block) -> None:
        """Store a block and give it to everybody who waits for it, here and elsewhere."""
        await self.add_blocks([block])

    async def add_blocks(self, blocks: Iterable[Block] | AsyncIterable[Block]) -> None:
        """Store blocks, a slice at a time, and give them to everybody who waits for them.

        A cancelled call may still store the slice that it was at.
        """
        node, size = self._node, self.options.client.lookup_slice
        part: list[Block] = []
        if isinstance(blocks, AsyncIterable):
            async for block in blocks:
                part.append(block)
                if len(part) >= size:
                    await self._add(node, part)
                    part = []
            if part:
                await self._add(node, part)
            return
        source = iter(blocks)
        while part := list(islice(source, size)):
            await self._add(node, part)

    async def _add(self, node: threaded.Bitswap, part: list[Block]) -> None:
        await self._threads.run(lambda: node.add_blocks(part))

    async def notify_new_blocks(self, blocks: Iterable[Block]) -> None:
        """These blocks were put into the store: give them to everybody who waits for them."""
        node, new = self._node, list(blocks)
        await self._threads.run(lambda: node.notify_new_blocks(new))

    # -- peers

    async def connect(self, address: str, timeout: float | None = None) -> Peer:
        """Dial a multiaddr, return the peer id; raises UsageError, RemoteError, Timeout, Closed.

        `timeout` counts from when a thread is free (`ClientOptions.aio_dials`). After a cancelled call the
        dial goes on, and its connection may come up.
        """
        node = self._node
        return await self._threads.dial(lambda: node.connect(address, timeout))

    async def disconnect(self, peer: Peer) -> None:
        """Close all connections to a peer."""
        node = self._node
        await self._threads.dial(lambda: node.disconnect(peer))

    def peers(self) -> list[Peer]:
        """Everybody who is connected."""
        return self._node.peers()

    # -- reading

    def stat(self) -> Stat:
        """What both halves counted."""
        return self._node.stat()

    def wantlist(self) -> list[CID]:
        """Every CID that this node waits for."""
        return self._node.wantlist()

    def wantlist_for_peer(self, peer: Peer) -> list[CID]:
        """What `peer` waits for, as far as it told this node; of this node itself, its own wantlist."""
        return self._node.wantlist_for_peer(peer)

    def ledger_for_peer(self, peer: Peer) -> Receipt:
        """Bytes exchanged with a connected peer; all zero for others, and without a server."""
        return self._node.ledger_for_peer(peer)

    def explain(self, cid: AnyCid) -> Explanation:
        """Where a block stays; see `bitswap.Bitswap.explain`. Does not look into the store."""
        return self._node.client.explain(cid)

    # -- life

    async def close(self) -> None:
        """End every request with Closed, stop serving, close the network, flush the store. Idempotent.

        A cancelled call closes all the same, and does not wait for it.
        """
        self._closed = True
        closer = ThreadPoolExecutor(1, "bitswap-aio-close")
        try:
            await asyncio.get_running_loop().run_in_executor(closer, self._close)
        finally:
            closer.shutdown(wait=False)

    def _close(self) -> None:
        try:
            if self._running is not None:
                self._running.close()
        finally:
            self._threads.close()
            # A start that was under way has come to its end.
            if self._running is not None:
                self._running.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Session(Fetcher):
    """A session of an asyncio node; see `Bitswap.new_session`. An asynchronous context manager."""

    def __init__(self, node: Bitswap, threads: Threads, session: threaded.BitswapSession) -> None:
        self._node = node
        self._threads = threads
        self._session = session

    _spans_prefix = "Session."

    @property
    def _options(self) -> ClientOptions:
        return self._node.options.client

    @property
    def _spans(self) -> SpanTracer | None:
        return self._session._spans

    def _request(self, timeout: float | None) -> Request:
        return Request(self._threads, self._session.getter(), timeout)

    def explain(self, cid: AnyCid) -> Explanation:
        """Where a block stays that this session wants. Does not look into the store."""
        return self._session.of_client.explain(cid)

    @property
    def stats(self) -> SessionStat:
        """What came from peers; blocks from the store do not count."""
        return self._session.stats

    @property
    def duplicates(self) -> int:
        """Blocks that came once more after they had been received."""
        return self._session.duplicates

    def close(self) -> None:
        """Cancel what the session still wants; a second call does nothing."""
        self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
