"""The serving half: answers what peers want from a blockstore (boxo `bitswap/server`)."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bitswap.block import Block
from bitswap.blockstore.memory import waits_for_nothing
from bitswap.cid import CID
from bitswap.clock import Clock, SystemClock
from bitswap.decision.admission import Admission
from bitswap.decision.block_reader import BlockReader
from bitswap.decision.engine import Engine
from bitswap.decision.inbox import Inboxes, Work
from bitswap.decision.ratelimit import RateLimit
from bitswap.decision.score_ledger import Receipt
from bitswap.metrics.interface import ServerGauges
from bitswap.metrics.sends import answers_timed
from bitswap.network.interface import ANSWERS, Network, Peer, SendDone
from bitswap.options import ServerOptions
from bitswap.stat import ServerStat
from bitswap.tracer import Tracer, tell
from bitswap.workers import Workers

if TYPE_CHECKING:
    from bitswap.blockstore.interface import Blockstore
    from bitswap.decision.interface import Envelope
    from bitswap.message import Message
    from bitswap.metrics.interface import Metrics

_log = logging.getLogger(__name__)
_Then = Callable[[], None]
_SMALL = 4096  # bytes of a message that may be answered on the network's thread


class Server:
    """Drives a decision engine: takes wantlists in, reads the store, sends answers. Safe from any thread.

    It is a `network.interface.Receiver`: alone, it is given to `network.start`; beside a client, whoever
    receives for both forwards to it. Network and store belong to the caller. Neither lock is held during a
    read of a store that may wait, a send, or any call of the network, and never both at once.
    """

    def __init__(
        self,
        network: Network,
        store: Blockstore,
        options: ServerOptions | None = None,
        *,
        clock: Clock | None = None,
        tracer: Tracer | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.options = options = options or ServerOptions()
        self._admission: Admission | None = None
        if options.peer_block_request_filter is not None:
            self._admission = Admission(options.peer_block_request_filter)
            # A block that is known need not be looked up, and whoever is refused it could tell by the time.
            options = replace(options, peer_block_request_filter=self._admission, max_known_blocks=0)
        self._network = network
        self._reader = BlockReader(store)
        self._clock = clock or SystemClock()
        self._tracer = tracer
        self._metrics = metrics
        self._remembers = options.max_known_blocks > 0
        self._is_prompt = waits_for_nothing(store) and not (options.calls_back or options.is_limited)
        self._engine_lock = threading.Lock()
        self._engine = Engine(network.self_id, options, secrets.randbits(64))
        # By peer whose message is being looked up: sizes of blocks that came since, None for those removed.
        self._changes: dict[Peer, dict[CID, int | None]] = {}
        self._deadline: float | None = None
        self._told_too_large = False
        # What is behind `_wake` is touched by the network's thread, so it is locked for moments only.
        self._wake = threading.Condition(threading.Lock())
        requests = RateLimit(options.max_peer_requests, options.max_total_requests, options.rate_burst, 1.0)
        self._inboxes = Inboxes(options.max_inbound_messages, options.max_inbound_bytes, requests)
        self._finished: deque[tuple[Envelope, BaseException | None, float]] = deque()
        self._pull = False  # the engine may have an envelope
        self._closed = False
        self._workers = Workers("bitswap-server", options.task_workers, self._work)
        self._workers.start()
        self._unwatch = None if metrics is None else metrics.watch_server(self.gauges)

    # What the network tells

    def peer_connected(self, peer: Peer) -> None:
        with self._wake:
            if not self._closed:
                self._inboxes.connected(peer)
                self._wake.notify()

    def peer_disconnected(self, peer: Peer, reason: BaseException | None = None) -> None:
        """Everything about the peer is forgotten, also what waits to be handled."""
        with self._wake:
            if not self._closed:
                self._inboxes.disconnected(peer)
                self._wake.notify()

    def message_received(self, peer: Peer, message: Message) -> None:
        """Take a message over and return; a peer that has too many waiting is paused.

        Where nobody waits and nothing need be waited for, it is answered before that: a change of threads
        costs more than a few wants do.
        """
        if self._tracer is not None:
            tell("tracer", self._tracer.message_received, peer, message)
        if not message.has_wants:
            return
        if self._is_prompt and message.body_size <= _SMALL and self._at_once(peer, self._answer, message):
            return
        with self._wake:
            if self._closed:
                return
            pause = self._inboxes.message(peer, message, message.body_size)
            self._wake.notify()
        if pause:
            self._tell_network(self._network.pause, peer)
            with self._wake:
                paused = self._inboxes.is_paused(peer)
            # A worker may have caught up, and resumed, before the pause.
            if not paused:
                self._tell_network(self._network.resume, peer)

    def receive_error(self, peer: Peer, error: BaseException) -> None:
        _log.debug("stream from %s: %s", peer, error)

    # What the rest of the node tells

    def blocks_received(self, peer: Peer, blocks: Iterable[Block]) -> None:
        """`peer` sent blocks that we wanted: credit it. Nobody is served; see `notify_new_blocks`."""
        sizes = [len(block.data) for block in blocks]
        if sizes and not self._at_once(peer, self._engine.blocks_received, sum(sizes), len(sizes)):
            with self._wake:
                if not self._closed and self._inboxes.credit(peer, len(sizes), sum(sizes)):
                    self._wake.notify()

    def notify_new_blocks(self, blocks: Sequence[Block] | Sequence[CID]) -> None:
        """Blocks are in the store now: serve those who wait. Sizes of bare CIDs are looked up first."""
        if self._closed:
            return
        sizes = {block.cid: len(block.data) for block in blocks if isinstance(block, Block)}
        bare = [cid for cid in blocks if isinstance(cid, CID)]
        sizes.update(
            (cid, size) for cid, size in zip(bare, self._reader.sizes(bare), strict=True) if size is not None
        )
        with self._engine_lock:
            for changes in self._changes.values():
                changes.update(sizes)
            if self._remembers:
                self._engine.blocks_stored(sizes)
            self._engine.notify_new_blocks(sizes, self._clock.now())
            ready = self._engine.ready
        if ready:
            self._wake_puller()

    def blocks_removed(self, cids: Sequence[CID]) -> None:
        """Blocks were removed from the store; must be told after that where `max_known_blocks` is set."""
        if not self._remembers:
            return
        with self._engine_lock:
            for changes in self._changes.values():
                changes.update(dict.fromkeys(cids))
            self._engine.blocks_removed(cids)

    # Questions

    def ledger_for_peer(self, peer: Peer) -> Receipt:
        """Bytes exchanged with a connected peer; all zero for others."""
        with self._engine_lock:
            return self._engine.ledger_for_peer(peer)

    def wantlist_for_peer(self, peer: Peer) -> list[CID]:
        """What `peer` waits for."""
        with self._engine_lock:
            return self._engine.wantlist_for_peer(peer)

    def scores(self) -> dict[Peer, int]:
        """Usefulness of peers, 1 to 25, where there is any; renewed every 10 s (boxo tags peers with it)."""
        with self._engine_lock:
            return self._engine.scores()

    def stat(self) -> ServerStat:
        with self._engine_lock:
            stat = self._engine.stat
        denied = self._admission.refused if self._admission else 0
        return replace(stat, wants_denied=denied, requests_delayed=self._inboxes.delayed)

    def gauges(self) -> ServerGauges:
        """What is charted of this half at the moment."""
        with self._engine_lock:
            counts = self._engine.counts()
            delayed = self._engine.answers_delayed
        denied = self._admission.refused if self._admission else 0
        inboxes, reading = self._inboxes, self._reader.active
        tasks, active = counts.pending_tasks, counts.active_tasks
        return ServerGauges(tasks, active, inboxes.waiting, reading, denied, delayed, inboxes.delayed)

    # Life

    def close(self) -> None:
        """Stop serving and join the threads. Network and store stay open. A second call does nothing."""
        with self._wake:
            self._closed = True
            paused = self._inboxes.clear()
            self._wake.notify_all()
        for peer in paused:
            # The network may go on without us.
            self._tell_network(self._network.resume, peer)
        self._workers.join()
        self._settle()
        if self._unwatch is not None:
            tell("metrics", self._unwatch)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What takes no time, on the thread of whoever tells it

    def _at_once(self, peer: Peer, step: Callable[..., _Then | None], *args: object) -> bool:
        """Take one `step` with the engine's lock held, and what it returns without, if nobody is before it.

        False, and nothing is done, where it would have to wait: for the engine, or for what the peer said
        before.
        """
        with self._wake:
            if self._closed or not self._inboxes.begin(peer):
                return False
        then: _Then | None = None
        try:
            if not self._engine_lock.acquire(blocking=False):
                return False
            try:
                then = step(peer, *args)
            except Exception:
                _log.exception("a step of the server failed")
                # What is owed again is due sooner than the workers know.
                then = self._wake_puller
            finally:
                self._engine_lock.release()
        finally:
            self._handled(peer)
        if then is not None:
            then()
        return True

    def _answer(self, peer: Peer, wanted: Message) -> _Then | None:
        """Take in a message; it is answered too if nobody else has something to get."""
        engine = self._engine
        others = engine.ready
        lookup = engine.lookup(wanted)
        sizes = self._reader.sizes(lookup.cids)
        if self._remembers:
            self._remember(lookup.cids, sizes, {})
        engine.message_received(peer, lookup, sizes, self._clock.now())
        if others:
            return self._wake_puller
        envelope, ready, earlier = self._take()
        message = None
        if envelope is not None:
            try:
                message = engine.fill(envelope, self._reader.blocks(envelope.cids))
            except BaseException:
                engine.envelope_failed(envelope, self._clock.now())
                raise

        def then() -> None:
            self._warn()
            self._tell_workers(ready or (envelope is not None and message is None), earlier)
            if envelope is not None and message is not None:
                self._send(envelope, message)

        return then

    # The worker threads

    def _work(self) -> None:
        while True:
            with self._wake:
                if not self._await_work():
                    return
                work = self._inboxes.take(self._clock.now())
                pull = self._pull or bool(self._finished) or work is not None
                self._pull = False
            self._settle()
            if work is not None:
                self._guarded(self._handle, work)
            if pull:
                self._guarded(self._serve)
            del work  # a thread that waits keeps nothing of what it did

    def _guarded(self, step: Callable[..., None], *args: object) -> None:
        """A fault in a step costs what the step was about and no thread."""
        try:
            step(*args)
        except BaseException:
            _log.exception("a step of the server failed")

    def _await_work(self) -> bool:
        """Wait, with `_wake` held, until there is something to do; False when closed."""
        while not (self._closed or self._finished or self._inboxes or self._pull):
            deadline, held = self._deadline, self._inboxes.next_deadline()
            if deadline is None and held is None:
                self._wake.wait()
                continue
            now = self._clock.now()
            if deadline is not None and deadline <= now:
                self._deadline = None
                self._pull = True
            elif held is not None and held <= now:
                self._inboxes.release(now)
            else:
                self._wake.wait(min(when for when in (deadline, held) if when is not None) - now)
        return not self._closed

    def _settle(self) -> None:
        """Tell the engine of sends that ended."""
        with self._wake:
            finished = list(self._finished)
            self._finished.clear()
        if not finished:
            return
        with self._engine_lock:
            for envelope, error, when in finished:
                if error is None:
                    self._engine.envelope_sent(envelope, when)
                else:
                    self._engine.envelope_failed(envelope, when)
        for envelope, error, _ in finished:
            if error is not None:
                _log.debug("answers to %s were not sent: %s", envelope.peer, error)

    def _handle(self, work: Work) -> None:
        """Take in what came from one peer."""
        try:
            if work.left or work.came or work.blocks:
                with self._engine_lock:
                    if work.left:
                        self._engine.peer_disconnected(work.peer)
                    if work.came:
                        self._engine.peer_connected(work.peer)
                    if work.blocks:
                        self._engine.blocks_received(work.peer, work.block_bytes, work.blocks)
            if work.message is not None:
                self._take_in(work.peer, work.message)
        finally:
            self._handled(work.peer)

    def _handled(self, peer: Peer) -> None:
        """The next that came from the peer may be taken in."""
        with self._wake:
            resumed = self._inboxes.finished(peer)
            if self._inboxes:
                self._wake.notify()
        for other in resumed:
            self._tell_network(self._network.resume, other)

    def _take_in(self, peer: Peer, message: Message) -> None:
        with self._engine_lock:
            lookup = self._engine.lookup(message)
            cids = lookup.cids
            changes: dict[CID, int | None] = {}
            if cids:
                self._changes[peer] = changes
            else:
                self._engine.message_received(peer, lookup, (), self._clock.now())
        if cids:
            try:
                sizes = self._reader.sizes(cids)
            except BaseException:
                with self._engine_lock:
                    del self._changes[peer]
                raise
            with self._engine_lock:
                del self._changes[peer]
                if changes:
                    # Nobody will tell again of what came after it was looked for.
                    sizes = [
                        changes.get(cid) if size is None else size
                        for cid, size in zip(cids, sizes, strict=True)
                    ]
                if self._remembers:
                    self._remember(cids, sizes, changes)
                self._engine.message_received(peer, lookup, sizes, self._clock.now())
        self._warn()

    def _warn(self) -> None:
        """Of the first block that is too large."""
        if not self._told_too_large and (too_large := self._engine.too_large) is not None:
            self._told_too_large = True
            _log.warning(
                "block %s is too large for a message and is not served; others may be too", too_large
            )

    def _remember(
        self, cids: Sequence[CID], sizes: Sequence[int | None], changes: Mapping[CID, int | None]
    ) -> None:
        """Keep sizes that were found, except of blocks that may have been removed after they were."""
        self._engine.blocks_stored(
            {
                cid: size
                for cid, size in zip(cids, sizes, strict=True)
                if size is not None and changes.get(cid, size) is not None
            }
        )

    def _serve(self) -> None:
        """Send one envelope, if there is one."""
        with self._engine_lock:
            envelope, ready, earlier = self._take()
        self._tell_workers(ready, earlier)
        if envelope is None:
            return
        try:
            message = self._fill(envelope)
        except BaseException as error:
            self._ended(envelope, error)
            raise
        if message is None:
            self._wake_puller()
            return
        self._send(envelope, message)

    def _take(self) -> tuple[Envelope | None, bool, bool]:
        """With the engine's lock held: an envelope, whether there is more, whether the deadline is nearer."""
        envelope = self._engine.next_envelope(self._clock.now())
        return envelope, self._engine.ready, self._reckon()

    def _tell_workers(self, ready: bool, earlier: bool) -> None:
        if ready:
            self._wake_puller()
        elif earlier:
            with self._wake:
                self._wake.notify()

    def _fill(self, envelope: Envelope) -> Message | None:
        blocks = self._reader.blocks(envelope.cids)
        with self._engine_lock:
            message = self._engine.fill(envelope, blocks)
            earlier = self._reckon()
        # A rate may have been used up.
        self._tell_workers(False, earlier)
        return message

    def _reckon(self) -> bool:
        """With the engine's lock held: renew the deadline; whether somebody must wait for an earlier one."""
        before, self._deadline = self._deadline, self._engine.next_deadline()
        return self._deadline is not None and (before is None or self._deadline < before)

    def _send(self, envelope: Envelope, message: Message) -> None:
        peer = envelope.peer
        if self._tracer is not None:
            tell("tracer", self._tracer.message_sent, peer, message)
        done: SendDone = partial(self._ended, envelope)
        if self._metrics is not None:
            done = answers_timed(self._metrics, message, self._clock.now, done)
        try:
            self._network.send(peer, message, ANSWERS, done)
        except Exception as error:  # a network that is closed, or does not know the peer, may say so here
            done(error)

    def _ended(self, envelope: Envelope, error: BaseException | None) -> None:
        """The send of an envelope ended; called on the network's thread, which never waits for the engine."""
        now = self._clock.now()
        if error is None and self._engine_lock.acquire(blocking=False):
            # The usual case, and if nothing more is owed to anybody no worker needs to wake up.
            try:
                self._engine.envelope_sent(envelope, now)
                ready = self._engine.ready
            finally:
                self._engine_lock.release()
            if ready:
                self._wake_puller()
            return
        with self._wake:
            self._finished.append((envelope, error, now))
            self._wake.notify()
        if self._closed:
            # No worker is left to tell, and what was sent counts to the end.
            self._settle()

    def _wake_puller(self) -> None:
        with self._wake:
            self._pull = True
            self._wake.notify()

    def _tell_network(self, call: Callable[[Peer], None], peer: Peer) -> None:
        """Pause or resume; a network that is closing may refuse, which no longer matters."""
        with contextlib.suppress(Exception):
            call(peer)
