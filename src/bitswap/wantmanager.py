"""The fetching half as one machine: messages in, messages and blocks out (go-bitswap `wantmanager`).

No thread, clock or socket: `client.Client` drives it for real, and `testnet` under a virtual clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.deadlines import Deadlines
from bitswap.errors import Cause, Reason, nearness
from bitswap.explanation import Explanation
from bitswap.message import FrameTooLarge, Message
from bitswap.messagequeue import MessageQueue
from bitswap.metrics.interface import ClientGauges
from bitswap.moments import Moments
from bitswap.network.interface import Peer
from bitswap.notifications import Subscription
from bitswap.options import ClientOptions
from bitswap.peermanager import Outgoing, PeerManager
from bitswap.providerquerymanager import SessionSearches
from bitswap.session import Session
from bitswap.sessionmanager import Received, SessionManager
from bitswap.stat import ClientStat

_NOTHING = Received([], [], [])
_MOST_REASONS = 4096  # of wants and peers that are looked at for the words of one error


class WantManager:
    """Everything that a node wants. Not shared between threads; `now` is in seconds and never runs backwards.

    After each call `outgoing` has the messages to send, `woken` the requests to wake and `next_deadline` the
    time to call `on_deadline`.
    """

    def __init__(
        self,
        options: ClientOptions | None = None,
        *,
        searches: SessionSearches[Session] | None = None,
        moments: Moments | None = None,
    ) -> None:
        """`searches`: how sessions find providers; None where there is no router. `moments`: where is noted
        what sessions do by themselves, if it is."""
        self.options = options or ClientOptions()
        self.searches = searches
        self._deadlines: Deadlines[object] = Deadlines()
        self._peers = PeerManager(self.options, self._deadlines)
        self._sessions = SessionManager(self._peers, self._deadlines, self.options, searches, moments)
        if searches is not None:
            searches.moments = moments
        self._unwanted: dict[Peer, int] = {}
        self._blocks = self._data = self._messages = 0
        self._duplicates = self._duplicate_data = 0

    # -- connections

    def peer_connected(self, peer: Peer, now: float, *, supports_have: bool = True) -> None:
        """`peer` can be sent to."""
        if self._peers.connected(peer, supports_have=supports_have):
            self._sessions.peer_connected(peer, now)
            if self.searches is not None:
                self.searches.manager.peer_connected(peer, now)

    def peer_disconnected(self, peer: Peer, reason: BaseException | str | None, now: float) -> None:
        """`peer` is gone: what it was asked for goes to others, or fails with this reason."""
        if self._peers.disconnected(peer) is not None:
            self._unwanted.pop(peer, None)
            text = str(reason or "connection closed")
            if not text.startswith("connection "):
                text = f"connection lost: {text}"
            if self.searches is not None:
                self.searches.manager.peer_disconnected(peer)
            self._sessions.peer_disconnected(peer, Reason(text, Cause.CONNECTION_LOST, now), now)

    def set_have_support(self, peer: Peer, supports_have: bool) -> None:
        """What the protocol negotiated with `peer` says."""
        queue = self._peers.queue(peer)
        if queue is not None:
            queue.set_have_support(supports_have)

    def peers(self) -> Sequence[Peer]:
        return self._peers.peers()

    # -- what comes in

    def message_received(self, peer: Peer, message: Message, now: float) -> Received:
        """Take in blocks and answers; returns the blocks by whether somebody wanted them."""
        self._messages += 1
        blocks, haves, dont_haves = message.blocks(), message.haves(), message.dont_haves()
        if not (blocks or haves or dont_haves):
            return _NOTHING
        cids = [block.cid for block in blocks]
        self._peers.received(peer, cids, haves, dont_haves, now)
        received = self._blocks_received(peer, blocks, cids, now) if blocks else _NOTHING
        if haves or dont_haves:
            self._sessions.answers_received(peer, haves, dont_haves, now)
        return received

    def messages_received(self, peer: Peer, messages: Sequence[Message], now: float) -> Received:
        """The same for some messages; several have nothing but blocks, and count as one that has them all."""
        if len(messages) == 1:
            return self.message_received(peer, messages[0], now)
        blocks = [block for message in messages for block in message.blocks()]
        cids = [block.cid for block in blocks]
        if len(set(cids)) < len(cids):
            return self._one_by_one(peer, messages, now)
        self._messages += len(messages)
        self._peers.received(peer, cids, (), (), now)
        return self._blocks_received(peer, blocks, cids, now)

    def _one_by_one(self, peer: Peer, messages: Sequence[Message], now: float) -> Received:
        """What came twice is wanted once."""
        whole = Received([], [], [])
        for message in messages:
            part = self.message_received(peer, message, now)
            whole.wanted.extend(part.wanted)
            whole.duplicates.extend(part.duplicates)
            whole.unwanted.extend(part.unwanted)
        return whole

    def stream_broke(self, peer: Peer, error: BaseException, now: float) -> None:
        """A stream of `peer` was reset here because of `error`: what it held did not come."""
        if isinstance(error, FrameTooLarge):
            self._peers.answer_too_large(peer, error.length)

    def _blocks_received(
        self, peer: Peer, blocks: Sequence[Block], cids: Sequence[CID], now: float
    ) -> Received:
        received = self._sessions.blocks_received(peer, blocks, cids, now)
        size = received.size
        for others in (received.duplicates, received.unwanted):
            size += sum(map(len, others))
        self._blocks += len(blocks)
        self._data += size
        queue = self._peers.queue(peer)
        if queue is not None:
            queue.places.filled(len(blocks), size)
        self.count_duplicates(received.duplicates)
        if received.unwanted and peer in self._peers:
            self._unwanted[peer] = self._unwanted.get(peer, 0) + len(received.unwanted)
        return received

    def count_duplicates(self, blocks: Sequence[Block]) -> None:
        """Count blocks that came although the node had them."""
        self._duplicates += len(blocks)
        self._duplicate_data += sum(map(len, blocks))

    def blocks_added(self, blocks: Sequence[Block], now: float) -> None:
        """This node has these blocks now; whoever waits for them gets them, and no peer is asked any more."""
        self._sessions.blocks_received(None, blocks, [block.cid for block in blocks], now)

    # -- requests

    def new_session(self, peers: Iterable[Peer] | None = None, *, broadcast: bool = True) -> Session:
        """A session; `peers` are asked first, and nobody else without `broadcast`."""
        return self._sessions.new_session(peers, broadcast)

    def close_session(self, session: Session, now: float) -> None:
        self._sessions.close_session(session, now)

    def subscribe(self, session: Session, owner: object = None) -> Subscription:
        return self._sessions.subscribe(session, owner)

    def want(self, subscription: Subscription, cids: Iterable[CID], now: float) -> None:
        self._sessions.want(subscription, cids, now)

    def cancel(self, subscription: Subscription, cids: Iterable[CID], now: float) -> list[CID]:
        """Stop wanting these; returns those that were outstanding."""
        return self._sessions.cancel(subscription, cids, now)

    def take(self, subscription: Subscription, now: float) -> list[Block]:
        """The blocks that have come for a request, in order of arrival; makes room for its next wants."""
        blocks = subscription.take()
        self._sessions.flow(subscription, now)
        return blocks

    def close(self, subscription: Subscription, now: float) -> None:
        self._sessions.close(subscription, now)

    def close_all(self, now: float) -> None:
        """End every session and request."""
        self._sessions.close_all(now)
        if self.searches is not None:
            self.searches.manager.close(now)

    def woken(self) -> list[Subscription]:
        """Requests that got blocks, failures or their end since the last call."""
        return self._sessions.woken()

    # -- what goes out

    def outgoing(self, now: float) -> list[Outgoing]:
        """Messages to send at once, at most one a peer until told how that went."""
        if self.searches is not None:
            while events := self.searches.events(now):
                self._sessions.searches_moved(events, now)
        return self._peers.outgoing(now)

    def message_sent(self, queue: MessageQueue, now: float) -> None:
        self._peers.message_sent(queue, now)

    def message_failed(self, queue: MessageQueue, error: BaseException, now: float) -> None:
        """Its wants are kept and sent again; after some failures in a row they go to others as well."""
        if self._peers.message_failed(queue, now):
            reason = Reason(f"sending failed: {error}", Cause.SEND_FAILED, now)
            self._sessions.silent(queue.peer, list(queue.cids()), reason, now)

    # -- time

    def next_deadline(self) -> float | None:
        """When to call `on_deadline`; None: not until something else happens."""
        when = self._deadlines.next()
        other = None if self.searches is None else self.searches.manager.next_deadline()
        return other if when is None or (other is not None and other < when) else when

    def on_deadline(self, now: float) -> None:
        """Do what is due: resend, give up waiting, ask again."""
        if self.searches is not None:
            self.searches.manager.on_deadline(now)
        for owner in self._deadlines.due(now):
            if isinstance(owner, MessageQueue):
                asked = next(iter(owner.blocks_asked.values()), now)
                expired = owner.on_deadline(now)
                self._peers.touch(owner)
                if expired:
                    words = f"no answer in {owner.times.timeout:.3g} s"
                    reason = Reason(words, Cause.TIMED_OUT, asked)
                    self._sessions.silent(owner.peer, expired, reason, now)
            elif isinstance(owner, Session):
                self._sessions.on_deadline(owner, now)

    # -- reading

    def wantlist(self) -> list[CID]:
        """Every CID that somebody waits for, first come first."""
        return self._sessions.wanted()

    def is_wanted(self, cid: CID) -> bool:
        return self._sessions.is_wanted(cid)

    def outstanding(self, peer: Peer) -> int:
        """Wants that `peer` is taken to hold of this node."""
        queue = self._peers.queue(peer)
        return 0 if queue is None else queue.outstanding

    def unwanted(self, peer: Peer) -> int:
        """Blocks from `peer` that nobody had asked for, since it connected."""
        return self._unwanted.get(peer, 0)

    def reasons(self, cid: CID, now: float | None = None) -> dict[Peer, Reason]:
        """Why each peer has not sent `cid` so far; with `now`, everybody who was asked, and when."""
        return self._sessions.reasons(cid, now)

    def waited_for(self, subscription: Subscription, now: float) -> dict[Peer, Reason]:
        """Who was asked for something that is outstanding, and how near that came."""
        reasons: dict[Peer, Reason] = {}
        looked_at = 0
        for cid in subscription.active:
            for peer, reason in self.reasons(cid, now).items():
                looked_at += 1
                if peer not in reasons or nearness(reason) > nearness(reasons[peer]):
                    reasons[peer] = reason
            if looked_at >= _MOST_REASONS:
                break
        return reasons

    def explain(self, cid: CID, now: float, session: Session | None = None) -> Explanation:
        """Where `cid` stays, for all sessions or for one of them; changes nothing."""
        return Explanation.of(cid, self._sessions.explain(cid, now, session))

    def owners(self, session: Session | None = None) -> list[object]:
        """Whose the requests are, of all sessions or of one of them."""
        return self._sessions.owners(session)

    def asked_of(self, cid: CID) -> dict[Peer, str]:
        """Which peers were asked for `cid`, and what became of that."""
        return self._peers.asked_of(cid)

    def gauges(self) -> ClientGauges:
        return ClientGauges(
            wantlist_total=self._sessions.wanted_count,
            want_blocks_total=self._peers.blocks_asked(),
            blocks_received=self._blocks,
            haves_received=self._sessions.haves,
            wanthaves_broadcast=self._peers.wanthaves_broadcast,
            bcast_skips_total=self._peers.broadcast_skips,
        )

    def stat(self) -> ClientStat:
        return ClientStat(
            wantlist=tuple(self.wantlist()),
            blocks_received=self._blocks,
            data_received=self._data,
            dup_blocks_received=self._duplicates,
            dup_data_received=self._duplicate_data,
            messages_received=self._messages,
        )
