"""A node of a virtual network: both machines and a dictionary of blocks, driven by events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.engine import Engine
from bitswap.message import Message, WantType
from bitswap.network.interface import Peer
from bitswap.options import ClientOptions, ServerOptions
from bitswap.wantmanager import WantManager

if TYPE_CHECKING:
    from bitswap.decision.interface import Envelope
    from bitswap.messagequeue import MessageQueue
    from bitswap.session import Session
    from bitswap.testnet.virtual import VirtualNetwork


class VirtualNode:
    """One node. `serves=False`: no serving half; `legacy`: a peer that knows neither HAVE nor DONT_HAVE.

    `blocks` is what it has: change it by `add`, or directly where nobody is to be told.
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
    ) -> None:
        self.name = name
        self.legacy = legacy
        self.encoding = 1
        self.wants = WantManager(client)
        self.engine: Engine | None = None
        if serves:
            options = server or ServerOptions(send_dont_haves=not legacy)
            self.engine = Engine(name, options, network.random.getrandbits(32))
        self.blocks: dict[CID, Block] = {}
        self.sent = 0
        """Messages sent, answers included."""
        self.received = 0
        self.largest_wantlist: dict[Peer, int] = {}
        """The most wants that this node held of each peer at once."""
        self.mute = False
        """Receives, and never answers anything."""
        self._network = network
        self._timer: float | None = None
        self._pumping = False

    # -- what a user would do

    def add(self, *blocks: Block) -> None:
        """Store blocks and tell everybody who waits for them."""
        self.blocks.update((block.cid, block) for block in blocks)
        self.wants.blocks_added(blocks, self.now)
        if self.engine is not None:
            self.engine.notify_new_blocks({block.cid: len(block.data) for block in blocks}, self.now)
        self.pump()

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
    ) -> Fetch:
        """Begin to fetch, in a new session unless one is given; the consumer rests `pause` s a block."""
        fetch = Fetch(self, session or self.session(peers, broadcast=broadcast), cids, pause)
        fetch.advance()
        self.pump()
        return fetch

    @property
    def now(self) -> float:
        return self._network.clock.now()

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
            held = len(self.engine.wantlist_for_peer(peer))
            self.largest_wantlist[peer] = max(self.largest_wantlist.get(peer, 0), held)
        self.pump()

    def _sizes(self, cids: Iterable[CID]) -> list[int | None]:
        return [None if (block := self.blocks.get(cid)) is None else len(block.data) for cid in cids]

    # -- driving the machines

    def pump(self) -> None:
        """Send what there is to send, hand out what came, and set the timer."""
        if self._pumping:
            return
        self._pumping = True
        try:
            busy = True
            while busy:
                busy = self._send_wants() | self._wake() | self._send_answers()
        finally:
            self._pumping = False
        self._set_timer()

    def _send_wants(self) -> bool:
        outgoing = self.wants.outgoing(self.now)
        for peer, message, queue in outgoing:
            self.sent += 1
            self._network.send(self, peer, message, self._wants_done(queue))
        return bool(outgoing)

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

    def _send_answers(self) -> bool:
        engine = self.engine
        if engine is None:
            return False
        busy = False
        while (envelope := engine.next_envelope(self.now)) is not None:
            busy = True
            message = engine.fill(envelope, [self.blocks.get(cid) for cid in envelope.cids])
            if message is not None:
                self.sent += 1
                self._network.send(self, envelope.peer, message, self._answer_done(engine, envelope))
        return busy

    def _answer_done(self, engine: Engine, envelope: Envelope) -> Callable[[BaseException | None], None]:
        def done(error: BaseException | None) -> None:
            if error is None:
                engine.envelope_sent(envelope, self.now)
            else:
                engine.envelope_failed(envelope, self.now)
            self.pump()

        return done

    def _set_timer(self) -> None:
        times = [self.wants.next_deadline(), None if self.engine is None else self.engine.next_deadline()]
        when = min((time for time in times if time is not None), default=None)
        if when is not None and (self._timer is None or when < self._timer):
            self._timer = when
            self._network.at(when - self.now, lambda: self._on_timer(when))

    def _on_timer(self, when: float) -> None:
        if self._timer == when:
            self._timer = None
        self.wants.on_deadline(self.now)
        self.pump()


class Fetch:
    """A consumer: feeds CIDs as its window allows and takes what comes."""

    def __init__(self, node: VirtualNode, session: Session, cids: Iterable[CID], pause: float) -> None:
        self.session = session
        self.blocks: list[Block] = []
        """What was taken, in order of arrival."""
        self.done = False
        """Whether nothing is outstanding any more."""
        self.finished_at: float | None = None
        self.most_held = 0
        """The most blocks that were wanted or not taken at once."""
        self._node = node
        self._source: Iterator[CID] = iter(cids)
        self._more = True
        self._pause = pause
        self._resting = False
        self._subscription = node.wants.subscribe(session, self)

    @property
    def missing(self) -> list[CID]:
        """What was given up."""
        return self._subscription.missing

    @property
    def reasons(self) -> dict[Peer, str]:
        return self._subscription.reasons

    @property
    def lost(self) -> bool:
        return self._subscription.lost

    def advance(self) -> None:
        """Take what has come, unless it is time for a pause, and want more."""
        if self.done or self._resting:
            return
        node, subscription = self._node, self._subscription
        taken = node.wants.take(subscription, node.now)
        self.blocks += taken
        self._feed()
        self.most_held = max(self.most_held, len(subscription.active) + len(subscription.ready))
        if taken and self._pause:
            self._resting = True
            node._network.at(self._pause * len(taken), self._rested)
        elif subscription.ready:
            self.advance()
        elif not self._more and not subscription.outstanding:
            self._finish()

    def _rested(self) -> None:
        self._resting = False
        self.advance()
        self._node.pump()

    def _feed(self) -> None:
        subscription = self._subscription
        while self._more and (room := subscription.room):
            part = list(islice(self._source, room))
            self._more = len(part) == room
            self._node.wants.want(subscription, part, self._node.now)

    def cancel(self, cids: Iterable[CID]) -> None:
        self._node.wants.cancel(self._subscription, cids, self._node.now)
        self._node.pump()

    def close(self) -> None:
        """Stop, and cancel the rest."""
        self._node.wants.close(self._subscription, self._node.now)
        self.done = True
        self._node.pump()

    def _finish(self) -> None:
        self.done = True
        self.finished_at = self._node.now


def _as_legacy(message: Message) -> Message:
    """What a peer that knows only wants for blocks reads."""
    plain = Message(message.full)
    for entry in message.wantlist():
        if entry.cancel:
            plain.cancel(entry.cid)
        else:
            plain.add_entry(entry.cid, entry.priority, WantType.BLOCK, False)
    return plain
