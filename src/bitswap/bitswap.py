"""A Bitswap node: both halves over one network and one store (boxo Bitswap and its block service)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.cidsource import AnyCid, to_cid
from bitswap.client import Client
from bitswap.clientsession import ClientSession, SessionStat
from bitswap.decision.score_ledger import Receipt
from bitswap.errors import BitswapError
from bitswap.getter import Fetcher
from bitswap.metrics.interface import ObservedNetwork
from bitswap.network.interface import Network, Peer
from bitswap.oneblock import OneBlock
from bitswap.options import ClientOptions, Options
from bitswap.server import Server
from bitswap.stat import Stat
from bitswap.storedgetter import StoredGetter
from bitswap.tracer import SentOnly, tell

if TYPE_CHECKING:
    from typing_extensions import Self

    from bitswap.blockstore.interface import Blockstore
    from bitswap.clock import Clock
    from bitswap.explanation import Explanation
    from bitswap.message import Message
    from bitswap.metrics import Metrics
    from bitswap.routing import ContentRouting
    from bitswap.tracer import Tracer


class Bitswap(Fetcher):
    """Fetches blocks from peers and serves them to peers, from the moment it is made until `close`.

    What is in the store is not asked for, and what was fetched is put there. The network is closed with the
    node; the store is flushed, and stays the caller's. Every method is safe from any thread. `tracer` sees
    every message; `metrics` (`bitswap.metrics`) counts and measures, in the network too if that can.
    `routing` (`bitswap.routing`) is asked who has what no connected peer has; whoever it names is dialled.
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
        self._tracer = tracer
        sent = None if tracer is None else SentOnly(tracer)
        if metrics is not None and isinstance(network, ObservedNetwork):
            network.observe(metrics)
        self.client = Client(
            network,
            self.options.client,
            clock=clock,
            tracer=sent,
            have_many=store.has_many,
            metrics=metrics,
            routing=routing,
            routing_options=self.options.routing,
        )
        self.server: Server | None = None
        if self.options.server.enabled:
            self.server = Server(
                network, store, self.options.server, clock=clock, tracer=sent, metrics=metrics
            )
        self._spans = self.client._spans
        self._generation = 0
        try:
            network.start(self)
        except BaseException:
            self.close()
            raise

    # -- fetching

    @property
    def _client_options(self) -> ClientOptions:
        return self.options.client

    def getter(self, timeout: float | None = None) -> StoredGetter:
        """A request to fill and empty at will, in a session of its own."""
        return StoredGetter(self, self.client.getter(timeout), self.options.client)

    def get_block(self, cid: AnyCid, timeout: float | None = None) -> Block:
        """One block, from the store or from peers.

        Raises InvalidCid; Timeout after `timeout` seconds (None: waits for ever); Closed.
        """
        block = self._stored(cid)
        return super().get_block(cid, timeout) if block is None else block

    def _get_one(self, cid: CID, timeout: float | None) -> Block:
        return self._fetch(OneBlock(self.client, None, cid, timeout), cid)

    def _fetch(self, one: OneBlock, cid: CID) -> Block:
        """What is put into the store after it was looked at, and before peers are asked, nobody announces."""
        block = one.get(lambda: self._stored(cid))
        if one.fetched:
            self.keep([block])
        return block

    def new_session(self, peers: Iterable[Peer] | None = None, *, broadcast: bool = True) -> BitswapSession:
        """Wants that belong together, so that the peers that had one block are asked for the next.

        `peers` (ids) are asked before anybody else; with `broadcast=False` nobody else ever is, and what none
        of them has fails with NotFound. Raises UsageError, Closed.
        """
        return BitswapSession(self, self.client.new_session(peers, broadcast=broadcast))

    def _stored(self, cid: AnyCid) -> Block | None:
        return self.store.get_many([to_cid(cid)])[0]  # an error that nobody sees costs more than the look-up

    # -- adding

    def add_block(self, block: Block) -> None:
        """Store a block and give it to everybody who waits for it, here and elsewhere."""
        self.add_blocks([block])

    def add_blocks(self, blocks: Iterable[Block]) -> None:
        """Store blocks, a slice at a time, and give them to everybody who waits for them."""
        source = iter(blocks)
        while part := list(islice(source, self.options.client.lookup_slice)):
            self.store.put_many(part)
            self.notify_new_blocks(part)

    def notify_new_blocks(self, blocks: Iterable[Block]) -> None:
        """These blocks were put into the store: give them to everybody who waits for them."""
        new = list(blocks)
        self._generation += 1
        self.client.notify_new_blocks(new)
        if self.server is not None:
            self.server.notify_new_blocks(new)

    def blocks_removed(self, cids: Iterable[CID]) -> None:
        """These blocks were removed from the store: needed where `ServerOptions.max_known_blocks` is set."""
        if self.server is not None:
            self.server.blocks_removed(list(cids))

    @property
    def generation(self) -> int:
        """Differs after blocks were put into the store from before."""
        return self._generation

    def keep(self, blocks: Sequence[Block]) -> None:
        """Store fetched blocks and serve them to peers that wait for them."""
        self.store.put_many(blocks)
        self._generation += 1
        if self.server is not None:
            self.server.notify_new_blocks(blocks)

    # -- peers

    def connect(self, address: str, timeout: float | None = None) -> Peer:
        """Dial a multiaddr, return the peer id; raises UsageError, RemoteError, Timeout, Closed."""
        return self.network.connect(address, timeout)

    def disconnect(self, peer: Peer) -> None:
        """Close all connections to a peer."""
        self.network.disconnect(peer)

    def peers(self) -> list[Peer]:
        """Everybody who is connected."""
        return self.network.peers()

    # -- reading

    def stat(self) -> Stat:
        """What both halves counted."""
        return Stat.of(self.client.stat(), None if self.server is None else self.server.stat())

    def wantlist(self) -> list[CID]:
        """Every CID that this node waits for."""
        return self.client.wantlist()

    def wantlist_for_peer(self, peer: Peer) -> list[CID]:
        """What `peer` waits for, as far as it told this node; of this node itself, its own wantlist."""
        if peer == self.network.self_id:
            return self.wantlist()
        return [] if self.server is None else self.server.wantlist_for_peer(peer)

    def ledger_for_peer(self, peer: Peer) -> Receipt:
        """Bytes exchanged with a connected peer; all zero for others, and without a server."""
        return Receipt(peer, 0.0, 0, 0, 0) if self.server is None else self.server.ledger_for_peer(peer)

    def explain(self, cid: AnyCid) -> Explanation:
        """Where a block stays: who was asked, what they said, what it waits for, what happens next and when.

        Changes nothing, and asks nobody but the store. Raises InvalidCid.
        """
        return self._found(self.client.explain(cid))

    def _found(self, told: Explanation) -> Explanation:
        """What nobody waits for may have come already."""
        return told if told.wanted or not self.store.has(told.cid) else told.stored()

    # -- what the network says (Receiver)

    def peer_connected(self, peer: Peer) -> None:
        self.client.peer_connected(peer)
        if self.server is not None:
            self.server.peer_connected(peer)

    def peer_disconnected(self, peer: Peer, reason: BaseException | None) -> None:
        self.client.peer_disconnected(peer, reason)
        if self.server is not None:
            self.server.peer_disconnected(peer, reason)

    def message_received(self, peer: Peer, message: Message) -> None:
        if self._tracer is not None:
            tell("tracer", self._tracer.message_received, peer, message)
        wanted = self.client.receive(peer, (message,))
        if self.server is not None:
            if wanted:
                self.server.blocks_received(peer, wanted)
            self.server.message_received(peer, message)

    def messages_received(self, peer: Peer, messages: Sequence[Message]) -> None:
        """Of nothing but blocks: there is something for the server in what was wanted only."""
        if self._tracer is not None:
            for message in messages:
                tell("tracer", self._tracer.message_received, peer, message)
        wanted = self.client.receive(peer, messages)
        if self.server is not None and wanted:
            self.server.blocks_received(peer, wanted)

    def receive_error(self, peer: Peer, error: BaseException) -> None:
        self.client.receive_error(peer, error)
        if self.server is not None:
            self.server.receive_error(peer, error)

    # -- life

    def close(self) -> None:
        """End every request with Closed, stop serving, close the network, flush the store. Idempotent."""
        self.client._end()
        if self.server is not None:
            self.server.close()
        self.network.close()
        self.client._join()
        # The caller may have closed the store already.
        with contextlib.suppress(BitswapError):
            self.store.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BitswapSession(Fetcher):
    """A session of a node with a store; see `Bitswap.new_session`. A context manager."""

    _spans_prefix = "Session."

    def __init__(self, node: Bitswap, session: ClientSession) -> None:
        self._node = node
        self._spans = node._spans
        self.of_client = session
        """The same session without the store."""

    def getter(self, timeout: float | None = None) -> StoredGetter:
        """A request within this session."""
        return StoredGetter(self._node, self.of_client.getter(timeout), self._node.options.client)

    def _get_one(self, cid: CID, timeout: float | None) -> Block:
        return self._node._fetch(self.of_client._one_block(cid, timeout), cid)

    @property
    def _client_options(self) -> ClientOptions:
        return self._node.options.client

    def explain(self, cid: AnyCid) -> Explanation:
        """Where a block stays that this session wants; see `Bitswap.explain`."""
        return self._node._found(self.of_client.explain(cid))

    def get_block(self, cid: AnyCid, timeout: float | None = None) -> Block:
        """One block, from the store or from peers; raises as `Bitswap.get_block` does, and NotFound."""
        block = self._node._stored(cid)
        return super().get_block(cid, timeout) if block is None else block

    @property
    def stats(self) -> SessionStat:
        """What came from peers; blocks from the store do not count."""
        return self.of_client.stats

    @property
    def duplicates(self) -> int:
        """Blocks that came once more after they had been received."""
        return self.of_client.duplicates

    def close(self) -> None:
        """Cancel what the session still wants; a second call does nothing."""
        self.of_client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
