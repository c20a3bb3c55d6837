"""The driver of the fetching half: one lock over the machine, one thread for its timers (boxo Client).

Whoever makes work available sends it: a caller that wants blocks, or the network thread that brought an
answer. So a want costs no change of threads on its way out, and a block one on its way in.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.cidsource import AnyCid, to_cid
from bitswap.clientsession import ClientSession, PeerStat, SessionStat, named_peers
from bitswap.clock import Clock, SystemClock
from bitswap.errors import Cause, Closed, NotFound, Timeout, as_reason
from bitswap.explanation import Explanation
from bitswap.getter import Fetcher, Getter, PeersLost, Waiter, describe
from bitswap.network.interface import WANTS, AnyThread, Network, Peer
from bitswap.oneblock import OneBlock
from bitswap.options import ClientOptions, RoutingOptions
from bitswap.providerdriver import ProviderDriver
from bitswap.spans import Telling, span, spans_of
from bitswap.tokenbucket import TokenBucket
from bitswap.tracer import tell
from bitswap.wantmanager import WantManager

if TYPE_CHECKING:
    from typing_extensions import Self

    from bitswap.message import Message
    from bitswap.messagequeue import MessageQueue
    from bitswap.metrics.interface import ClientGauges, Metrics
    from bitswap.notifications import Subscription
    from bitswap.peermanager import Outgoing
    from bitswap.providerquerymanager import Command
    from bitswap.routing import ContentRouting
    from bitswap.session import Session
    from bitswap.sessionmanager import Received
    from bitswap.stat import ClientStat
    from bitswap.tracer import Tracer

_log = logging.getLogger(__name__)
_W = TypeVar("_W", bound=Waiter)


class _Work(NamedTuple):
    """What is left to do after the lock was released."""

    messages: list[Outgoing]
    waiters: list[Waiter]
    commands: list[Command]


class Client(Fetcher):
    """Fetches blocks over a network; stores nothing and looks nowhere else.

    A `Receiver`: give it to `Network.start`, or let `Bitswap` pass on what the network says. `have_many`
    tells which CIDs the node has; only unexpected blocks are looked up, to count duplicates. `routing` names
    providers of blocks that no connected peer has; they are dialled. Every method is safe from any thread.
    """

    def __init__(
        self,
        network: Network,
        options: ClientOptions | None = None,
        *,
        clock: Clock | None = None,
        tracer: Tracer | None = None,
        have_many: Callable[[Sequence[CID]], Sequence[bool]] | None = None,
        metrics: Metrics | None = None,
        routing: ContentRouting | None = None,
        routing_options: RoutingOptions | None = None,
    ) -> None:
        self.network = network
        self.options = options or ClientOptions()
        self._clock = clock or SystemClock()
        self._tracer = tracer
        self._spans = spans_of(tracer)
        self._have_many = have_many
        # Seconds for asking the store about blocks that nobody wants; only the network's thread uses them.
        self._asking = TokenBucket(self.options.max_known_share, 1.0, self._clock.now())
        self._metrics = metrics
        self._providers = ProviderDriver(
            network,
            routing,
            routing_options,
            report=self._tell,
            connected=self.peer_connected,
            spans=self._spans,
        )
        self._telling = None if self._spans is None else Telling(self._spans)
        moments = None if self._telling is None else self._telling.moments
        self._machine = WantManager(self.options, searches=self._providers.searches, moments=moments)
        self._lock = threading.Lock()
        self._timer = threading.Condition(self._lock)
        self._timer_at = inf
        self._thread: threading.Thread | None = None
        self._closed = False
        self._unwatch = None if metrics is None else metrics.watch_client(self.gauges)

    # -- fetching

    @property
    def _client_options(self) -> ClientOptions:
        return self.options

    def getter(self, timeout: float | None = None) -> Getter:
        """A request in a session of its own, which ends with it."""
        return self._getter(self._new_session(None, True), timeout, alone=True)

    def _get_one(self, cid: CID, timeout: float | None) -> Block:
        return OneBlock(self, None, cid, timeout).get()

    def new_session(self, peers: Iterable[Peer] | None = None, *, broadcast: bool = True) -> ClientSession:
        """Wants that belong together, so that the peers that had one block are asked for the next.

        `peers` (ids) are asked before anybody else; with `broadcast=False` nobody else ever is, and what none
        of them has fails with NotFound. Raises UsageError, Closed.
        """
        named = named_peers(peers, broadcast)
        with span(self._spans, "NewSession"):
            for peer in named or ():
                # A caller that has just dialled it may be here before the notice of the connection.
                if self.network.is_connected(peer):
                    self.peer_connected(peer)
            return ClientSession(self, self._new_session(named, broadcast))

    def notify_new_blocks(self, blocks: Iterable[Block]) -> None:
        """The node has these blocks now: whoever waits for them gets them, and peers are asked no more."""
        new = list(blocks)
        with span(self._spans, "NotifyNewBlocks", blocks=len(new)):
            self._tell(lambda now: self._machine.blocks_added(new, now))

    # -- what the network says (Receiver)

    def peer_connected(self, peer: Peer) -> None:
        supports_have = self.network.supports_have(peer)
        self._tell(lambda now: self._machine.peer_connected(peer, now, supports_have=supports_have))

    def peer_disconnected(self, peer: Peer, reason: BaseException | None) -> None:
        self._tell(lambda now: self._machine.peer_disconnected(peer, reason, now))

    def message_received(self, peer: Peer, message: Message) -> None:
        self.receive(peer, (message,))

    def messages_received(self, peer: Peer, messages: Sequence[Message]) -> None:
        self.receive(peer, messages)

    def receive(self, peer: Peer, messages: Sequence[Message]) -> list[Block]:
        """Take in messages and return those of their blocks that somebody had asked for.

        More than one only of nothing but blocks.
        """
        if self._tracer is not None:
            for message in messages:
                tell("tracer", self._tracer.message_received, peer, message)
        with self._lock:
            if self._closed:
                return []
            now = self._clock.now()
            received = self._machine.messages_received(peer, messages, now)
            work = self._work(now)
        if self._metrics is not None:
            self._measure(self._metrics, received)
        self._do(work)
        if received.unwanted and self._have_many is not None:
            self._count_known(received.unwanted, self._have_many)
        return received.wanted

    def _measure(self, metrics: Metrics, received: Received) -> None:
        """Before anybody is woken, so that whoever got a block finds it counted."""
        sizes = [len(block.data) for part in received[:3] for block in part]
        if sizes:
            tell("metrics", metrics.blocks_received, sizes)
        if received.duplicates:
            tell("metrics", metrics.duplicates_received, [len(block.data) for block in received.duplicates])

    def receive_error(self, peer: Peer, error: BaseException) -> None:
        _log.debug("%s broke the protocol: %s", peer, error)
        self._tell(lambda now: self._machine.stream_broke(peer, error, now))

    def _count_known(
        self, blocks: Sequence[Block], have_many: Callable[[Sequence[CID]], Sequence[bool]]
    ) -> None:
        began = self._clock.now()
        if self._asking.level(began) <= 0:
            return
        try:
            known = have_many([block.cid for block in blocks])
            self._asking.take(self._clock.now() - began, began)
        except Exception:
            _log.exception("cannot tell which blocks came twice")
            return
        twice = [block for block, has in zip(blocks, known, strict=True) if has]
        with self._lock:
            self._machine.count_duplicates(twice)
        if twice and self._metrics is not None:
            tell("metrics", self._metrics.duplicates_received, [len(block.data) for block in twice])

    # -- reading

    def stat(self) -> ClientStat:
        with self._lock:
            return self._machine.stat()

    def gauges(self) -> ClientGauges:
        """What is charted of this half at the moment."""
        with self._lock:
            return self._machine.gauges()

    def wantlist(self) -> list[CID]:
        """Every CID that is waited for."""
        with self._lock:
            return self._machine.wantlist()

    def outstanding(self, peer: Peer) -> int:
        """Wants that `peer` holds of this node."""
        with self._lock:
            return self._machine.outstanding(peer)

    def unwanted(self, peer: Peer) -> int:
        """Blocks from `peer` that nobody had asked for, since it connected; they were dropped."""
        with self._lock:
            return self._machine.unwanted(peer)

    def explain(self, cid: AnyCid) -> Explanation:
        """Where a block stays: who was asked, what they said, what it waits for, what happens next and when.

        Changes nothing, and asks nobody; costs about ten microseconds a connected peer. Raises InvalidCid.
        """
        return self._explain(to_cid(cid))

    # -- life

    def close(self) -> None:
        """End every request with Closed, join the threads; the network stays open. Idempotent."""
        self._end()
        self._join()

    def _end(self) -> None:
        """Close without waiting: dials under way end sooner if the network is closed before the joining."""
        with self._lock:
            first, self._closed = not self._closed, True
            if first:
                now = self._clock.now()
                self._machine.close_all(now)
                # Whoever is asked for something is told that it is not wanted any more.
                work = _Work(self._machine.outgoing(now), self._woken(), [])
                self._timer.notify_all()
        if first:
            self._do(work)
            self._providers.close()
            if self._unwatch is not None:
                tell("metrics", self._unwatch)

    def _join(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._providers.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what getters and sessions ask of it

    def _new_session(self, peers: Iterable[Peer] | None, broadcast: bool) -> Session:
        with self._lock:
            self._check_open()
            return self._machine.new_session(peers, broadcast=broadcast)

    def _getter(self, session: Session, timeout: float | None, *, alone: bool) -> Getter:
        with self._lock:
            self._check_open()
            if session.closed:
                raise Closed("the session was closed")
            return Getter(self, self._machine.subscribe(session), timeout, alone=alone)

    def _want(self, subscription: Subscription, cids: Sequence[CID], inline: Sequence[Block]) -> None:
        with self._lock:
            self._check_open(subscription)
            now = self._clock.now()
            subscription.ready.extend(inline)
            self._machine.want(subscription, cids, now)
            work = self._work(now)
        self._do(work)

    def _take(
        self,
        subscription: Subscription,
        getter: Getter,
        make_waiter: Callable[[], _W],
        until_room: bool = False,
    ) -> tuple[list[Block], _W | None]:
        """The blocks that have come, or a waiter that is released once something has, or there is room."""
        waiter = failure = None
        with self._lock:
            self._check_open(subscription)
            now = self._clock.now()
            blocks = self._machine.take(subscription, now)
            work = self._work(now)
            if not blocks:
                failure = self._given_up(subscription)
                looked = getter._interrupted or (until_room and subscription.room)
                if failure is None and subscription.outstanding and not looked:
                    waiter = make_waiter()
                    if waiter not in getter._waiters:
                        getter._waiters.append(waiter)
                getter._interrupted = False
        self._do(work)
        if failure is not None:
            raise failure
        return blocks, waiter

    def _interrupt(self, getter: Getter) -> None:
        with self._lock:
            getter._interrupted = True
            waiters, getter._waiters = getter._waiters, []
        for waiter in waiters:
            waiter.release()

    def _given_up(self, subscription: Subscription, *, at_end: bool = True) -> NotFound | None:
        """The error to raise once too much is missing or, with `at_end`, nothing is left to wait for."""
        missing = subscription.missing
        at_end = at_end and bool(missing) and not subscription.outstanding
        if not at_end and len(missing) < self.options.window_blocks:
            return None
        reasons, lost = subscription.reasons, subscription.lost
        subscription.missing, subscription.reasons, subscription.lost = [], {}, False
        text = f"could not be had: {describe(missing, reasons)}"
        if lost:
            causes = {peer: as_reason(reason).cause for peer, reason in reasons.items()}
            gone = next((peer for peer in causes if causes[peer] is Cause.CONNECTION_LOST), None)
            return PeersLost(text, missing=missing, reasons=reasons, peer=gone)
        return NotFound(text, missing=missing, reasons=reasons)

    def _timed_out(
        self, subscription: Subscription, limit: float, getter: Getter, waiter: Waiter | None
    ) -> Timeout:
        with self._lock:
            if waiter is not None and waiter in getter._waiters:
                getter._waiters.remove(waiter)
            missing = [*subscription.active, *subscription.waiting]
            reasons = self._machine.waited_for(subscription, self._clock.now())
            alone = not self._machine.peers()
            search = subscription.session.providers.reason
        told = describe(missing, reasons)
        if not reasons and search is None:
            told += ": no peer to ask" if alone else ": nobody was asked yet"
        elif search is not None and search.cause is not Cause.DIAL_FAILED:
            told += f"; {search}"
        text = f"nothing came in {limit:g} s: {told}"
        return Timeout(text, missing=missing, reasons=reasons, search=search)

    def _poll(self, subscription: Subscription, patient: bool) -> list[Block]:
        with self._lock:
            self._check_open(subscription)
            now = self._clock.now()
            blocks = self._machine.take(subscription, now)
            work = self._work(now)
            failure = None if blocks or patient else self._given_up(subscription, at_end=False)
        self._do(work)
        if failure is not None:
            raise failure
        return blocks

    def _cancel(self, subscription: Subscription, cids: Sequence[CID]) -> list[CID]:
        with self._lock:
            if self._closed:
                return []
            now = self._clock.now()
            dropped = self._machine.cancel(subscription, cids, now)
            work = self._work(now)
        self._do(work)
        return dropped

    def _close_getter(self, subscription: Subscription) -> None:
        self._tell(lambda now: self._machine.close(subscription, now))

    def _close_session(self, session: Session) -> None:
        self._tell(lambda now: self._machine.close_session(session, now))

    def _explain(self, cid: CID, session: Session | None = None) -> Explanation:
        with self._lock:
            told = self._machine.explain(cid, self._clock.now(), session)
            owners = [] if told.wanted else cast("list[Getter]", self._machine.owners(session))
        waits = [owner.before.queued(cid) for owner in owners if owner.before is not None]
        return told if told.wanted else Explanation.of(cid, tuple(wait for wait in waits if wait is not None))

    def _session_stat(self, session: Session) -> SessionStat:
        with self._lock:
            peers = {
                peer: PeerStat(member.blocks, member.bytes, member.duplicates)
                for peer, member in session.peers.statistics().items()
            }
            return SessionStat(session.blocks, session.bytes, session.duplicates, peers)

    def _check_open(self, subscription: Subscription | None = None) -> None:
        if self._closed:
            raise Closed("the client was closed")
        if subscription is not None and subscription.closed:
            raise Closed("the session or getter was closed")

    # -- driving the machine

    def _tell(self, told: Callable[[float], object]) -> None:
        """Tell the machine something, and do what it wants done then; nothing once it is closed."""
        with self._lock:
            if self._closed:
                return
            now = self._clock.now()
            told(now)
            work = self._work(now)
        self._do(work)

    def _work(self, now: float) -> _Work:
        """With the lock held: what the machine wants done now; the timer is set to when it must fire."""
        messages = self._machine.outgoing(now)
        when = self._machine.next_deadline()
        if when is not None and when < self._timer_at:
            self._timer_at = when
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="bitswap-client", daemon=True)
                self._thread.start()
            else:
                self._timer.notify()
        return _Work(messages, self._woken(), self._providers.machine.commands())

    def _woken(self) -> list[Waiter]:
        waiters: list[Waiter] = []
        for subscription in self._machine.woken():
            getter = cast("Getter", subscription.owner)
            waiters += getter._waiters
            getter._waiters.clear()
        return waiters

    def _do(self, work: _Work) -> None:
        """Without the lock: wake those who wait, then send."""
        for waiter in work.waiters:
            waiter.release()
        if self._telling is not None:
            self._telling.tell()
        for peer, message, queue in work.messages:
            if self._tracer is not None:
                tell("tracer", self._tracer.message_sent, peer, message)
            done = AnyThread(self._send_done, queue)
            try:
                self.network.send(peer, message, WANTS, done)
            except Exception as error:
                done(error)
        self._providers.run(work.commands)

    def _send_done(self, queue: MessageQueue, error: BaseException | None) -> None:
        supports_have = error is not None or self.network.supports_have(queue.peer)
        gone = error is not None and not self.network.is_connected(queue.peer)
        with self._lock:
            if self._closed:
                return
            now = self._clock.now()
            if not supports_have:
                queue.set_have_support(False)
            if error is None:
                self._machine.message_sent(queue, now)
            else:
                self._machine.message_failed(queue, error, now)
                if gone:
                    self._machine.peer_disconnected(queue.peer, error, now)
            work = self._work(now)
        self._do(work)

    def _run(self) -> None:
        """The thread: call the machine when it asked for it."""
        while True:
            with self._lock:
                while not self._closed:
                    now = self._clock.now()
                    when = self._machine.next_deadline()
                    self._timer_at = inf if when is None else when
                    if when is not None and when <= now:
                        break
                    self._timer.wait(None if when is None else when - now)
                if self._closed:
                    return
                self._machine.on_deadline(now)
                work = self._work(now)
            self._do(work)
            del work  # a thread that waits keeps nothing of what it did
