"""A node of a virtual network: both machines and a dictionary of blocks, driven by events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.engine import Engine
from bitswap.message import Message, WantType
from bitswap.message.protocols import BITSWAP_1_1_0, BITSWAP_1_2_0, encoder_version, supports_have
from bitswap.network.interface import Peer
from bitswap.options import ClientOptions, RoutingOptions, ServerOptions
from bitswap.providerquerymanager import ProviderQueryManager, SessionSearches
from bitswap.testnet.fetch import Fetch, Finished
from bitswap.testnet.router import VirtualSearches
from bitswap.wantmanager import WantManager

if TYPE_CHECKING:
    from bitswap.decision.interface import Envelope
    from bitswap.messagequeue import MessageQueue
    from bitswap.session import Session
    from bitswap.testnet.delays import Delay
    from bitswap.testnet.router import VirtualRouter
    from bitswap.testnet.virtual import VirtualNetwork


class VirtualNode:
    """One node. `serves=False`: no serving half.

    `protocol`: the newest it speaks; below 1.2.0 it knows neither HAVE nor DONT_HAVE (`legacy`: 1.1.0).
    `store_latency`: seconds to read the blocks of one answer, `ServerOptions.task_workers` answers at a time;
    the sizes of its blocks are known at once, as with boxo's cached store. `blocks` is what it has: change it
    by `add`, or directly where nobody is to be told. `routers` are asked for providers, as `routing` says;
    `dial` is drawn for each dial of one.
    """

    def __init__(
        self,
        network: VirtualNetwork,
        name: Peer,
        *,
        client: ClientOptions | None = None,
        server: ServerOptions | None = None,
        serves: bool = True,
        legacy: bool = False,
        protocol: str | None = None,
        store_latency: float = 0.0,
        routers: Sequence[VirtualRouter] = (),
        routing: RoutingOptions | None = None,
        dial: Delay | None = None,
    ) -> None:
        protocol = protocol or (BITSWAP_1_1_0 if legacy else BITSWAP_1_2_0)
        self.name = name
        self.encoding = encoder_version(protocol)
        self.legacy = not supports_have(protocol)
        self.store_latency = store_latency
        self.searches: VirtualSearches | None = None
        """What looks for providers; None without `routers`."""
        found: SessionSearches[Session] | None = None
        if routers:
            manager = ProviderQueryManager(routing, self_id=name, looks_up=True)
            found = SessionSearches(manager)
            self.searches = VirtualSearches(self, manager, routers, dial=dial, changed=self.pump)
        self.wants = WantManager(client, searches=found)
        self.engine: Engine | None = None
        self._readers = 0
        if serves:
            options = server or ServerOptions(send_dont_haves=not self.legacy)
            self._readers = options.task_workers
            self.engine = Engine(name, options, network.random.getrandbits(32))
        self.blocks: dict[CID, Block] = {}
        self.sent = 0
        """Messages sent, answers included."""
        self.received = 0
        self.bytes_sent = 0
        """Bytes of these messages, as `VirtualNetwork.bytes` counts them."""
        self.bytes_received = 0
        self.largest_wantlist: dict[Peer, int] = {}
        """The most wants that this node held of each peer at once; kept while `watched`."""
        self.watched = True
        self.mute = False
        """Receives, and never answers anything."""
        self._network = network
        self._timer: float | None = None
        self._pumping = False

    # -- what a user would do

    def add(self, *blocks: Block) -> None:
        """Store blocks and tell everybody who waits for them."""
        self._stored(blocks)
        self.wants.blocks_added(blocks, self.now)
        self.pump()

    def _stored(self, blocks: Sequence[Block]) -> None:
        self.blocks.update((block.cid, block) for block in blocks)
        if self.engine is not None:
            self.engine.notify_new_blocks({block.cid: len(block.data) for block in blocks}, self.now)

    def session(self, peers: Iterable[VirtualNode] | None = None, *, broadcast: bool = True) -> Session:
        named = None if peers is None else [peer.name for peer in peers]
        return self.wants.new_session(named, broadcast=broadcast)

    def fetch(
        self,
        cids: Iterable[CID],
        session: Session | None = None,
        *,
        peers: Iterable[VirtualNode] | None = None,
        broadcast: bool = True,
        pause: float = 0.0,
        keep: bool = False,
        finished: Finished | None = None,
        came: Callable[[int], None] | None = None,
    ) -> Fetch:
        """Begin to fetch, in a new session unless one is given; see Fetch for the options."""
        session = session or self.session(peers, broadcast=broadcast)
        fetch = Fetch(self, session, cids, pause=pause, keep=keep, finished=finished, came=came)
        fetch.advance()
        self.pump()
        return fetch

    def close_session(self, session: Session) -> None:
        """End its requests, and forget it."""
        self.wants.close_session(session, self.now)
        self.pump()

    @property
    def now(self) -> float:
        return self._network.clock.now()

    # -- what its consumers say

    def later(self, delay: float, event: Callable[..., None], *args: Any) -> None:
        self._network.at(delay, event, *args)

    def blocks_taken(self, blocks: Sequence[Block], *, keep: bool) -> None:
        """A consumer took these; stores and serves them if it is to `keep` them."""
        if keep:
            self._stored(blocks)

    # -- what the network says

    def peer_connected(self, other: VirtualNode) -> None:
        self.wants.peer_connected(other.name, self.now, supports_have=not other.legacy)
        if self.engine is not None:
            self.engine.peer_connected(other.name)

    def peer_disconnected(self, other: VirtualNode, reason: BaseException | None) -> None:
        self.wants.peer_disconnected(other.name, reason, self.now)
        if self.engine is not None:
            self.engine.peer_disconnected(other.name)

    def message_received(self, peer: Peer, message: Message) -> None:
        self.received += 1
        if self.mute:
            return
        received = self.wants.message_received(peer, message, self.now)
        if self.engine is not None:
            if received.wanted:
                self.engine.blocks_received(peer, sum(map(len, received.wanted)), len(received.wanted))
            if self.legacy:
                message = _as_legacy(message)
            lookup = self.engine.lookup(message)
            self.engine.message_received(peer, lookup, self._sizes(lookup.cids), self.now)
            if self.watched:
                held = len(self.engine.wantlist_for_peer(peer))
                self.largest_wantlist[peer] = max(self.largest_wantlist.get(peer, 0), held)
        self.pump()

    def _sizes(self, cids: Iterable[CID]) -> list[int | None]:
        return [None if (block := self.blocks.get(cid)) is None else len(block.data) for cid in cids]

    # -- driving the machines

    def pump(self) -> None:
        """Hand out what came, send what there is to send, and set the timer."""
        if self._pumping:
            return
        self._pumping = True
        try:
            # What consumers take and want makes messages; sending makes nothing new at once.
            while self._wake():
                pass
            self._send_wants()
            self._send_answers()
            if self.searches is not None:
                self.searches.pump()
        finally:
            self._pumping = False
        self._set_timer()

    def _send_wants(self) -> None:
        for peer, message, queue in self.wants.outgoing(self.now):
            self.sent += 1
            self._network.send(self, peer, message, self._wants_done(queue))

    def _wants_done(self, queue: MessageQueue) -> Callable[[BaseException | None], None]:
        def done(error: BaseException | None) -> None:
            if error is None:
                self.wants.message_sent(queue, self.now)
            else:
                self.wants.message_failed(queue, error, self.now)
            self.pump()

        return done

    def _wake(self) -> bool:
        woken = self.wants.woken()
        for subscription in woken:
            if isinstance(subscription.owner, Fetch):
                subscription.owner.advance()
        return bool(woken)

    def _send_answers(self) -> None:
        engine = self.engine
        if engine is None:
            return
        while self._readers > 0 and (envelope := engine.next_envelope(self.now)) is not None:
            if self.store_latency > 0 and envelope.cids:
                self._readers -= 1
                self.later(self.store_latency, self._blocks_read, engine, envelope)
            else:
                self._answer(engine, envelope)

    def _blocks_read(self, engine: Engine, envelope: Envelope) -> None:
        self._readers += 1
        self._answer(engine, envelope)
        self.pump()

    def _answer(self, engine: Engine, envelope: Envelope) -> None:
        message = engine.fill(envelope, [self.blocks.get(cid) for cid in envelope.cids])
        if message is not None:
            self.sent += 1
            self._network.send(self, envelope.peer, message, self._answer_done(engine, envelope))

    def _answer_done(self, engine: Engine, envelope: Envelope) -> Callable[[BaseException | None], None]:
        def done(error: BaseException | None) -> None:
            if error is None:
                engine.envelope_sent(envelope, self.now)
            else:
                engine.envelope_failed(envelope, self.now)
            self.pump()

        return done

    def _set_timer(self) -> None:
        when = self.wants.next_deadline()
        other = None if self.engine is None else self.engine.next_deadline()
        if when is None or (other is not None and other < when):
            when = other
        if when is not None and (self._timer is None or when < self._timer):
            self._timer = when
            self._network.at(when - self.now, self._on_timer, when)

    def _on_timer(self, when: float) -> None:
        if self._timer == when:
            self._timer = None
        self.wants.on_deadline(self.now)
        self.pump()


def _as_legacy(message: Message) -> Message:
    """What a peer that knows only wants for blocks reads."""
    plain = Message(message.full)
    for entry in message.wantlist():
        if entry.cancel:
            plain.cancel(entry.cid)
        else:
            plain.add_entry(entry.cid, entry.priority, WantType.BLOCK, False)
    return plain
