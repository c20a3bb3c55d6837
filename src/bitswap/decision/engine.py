"""The decision engine: who wants what, who is sent what next, and what was exchanged with whom.

A machine: no thread, clock or I/O. It adds accounts, scores and statistics to a decision core, which is
compiled or in Python; see `interface.DecisionCore` for what the calls that both have do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bitswap.decision import implementations
from bitswap.decision.implementations import chosen, names
from bitswap.decision.ratelimit import RateLimit
from bitswap.decision.score_ledger import DefaultScoreLedger, Receipt, ScoreLedger
from bitswap.errors import UsageError
from bitswap.options import KIB, ServerOptions
from bitswap.stat import ServerStat

if TYPE_CHECKING:
    from bitswap.block import Block
    from bitswap.cid import CID
    from bitswap.decision.interface import CoreCounts, DecisionCore, Envelope, Lookup
    from bitswap.message import Message

_NEVER = float("-inf")
_LEAST_BURST = 16.0 * KIB
"""Bytes that a rate lets go at once at least: boxo's size of a message."""


class Engine:
    """A decision core and the accounts of its peers.

    A peer is known from its first event until `peer_disconnected`, which forgets all about it. `salt` breaks
    ties between peers. `envelopes_per_peer` envelopes of one peer can be out at once; above 1 their order is
    not kept. `implementation`: "py", "c", or None for that of the process; an engine with a `task_order`
    always runs in Python, because that is called all the time. UsageError for a name that is not there.
    """

    def __init__(
        self,
        self_id: str,
        options: ServerOptions | None = None,
        salt: int = 0,
        *,
        envelopes_per_peer: int = 1,
        implementation: str | None = None,
    ) -> None:
        self.self_id = self_id
        self.options = options = options or ServerOptions()
        name = implementation or chosen()
        if name not in names():
            raise UsageError(f"there is no implementation {name!r} here, only {', '.join(names())}")
        self.implementation = name if options.task_order is None else "py"
        """ "c" or "py"."""
        classes = implementations.implementation(self.implementation)
        self._limit = RateLimit(
            options.max_peer_rate, options.max_total_rate, options.rate_burst, _LEAST_BURST
        )
        self._limited = bool(self._limit)
        self._held_until: float | None = None
        """All have had their share until then."""
        self._answers_delayed = 0
        self._now = 0.0
        core_options = _within(options, self._limit.smallest_burst)
        self._core: DecisionCore = classes.DecisionCore(core_options, salt, envelopes_per_peer)
        accounts: Any = (options.score_ledger or classes.DefaultScoreLedger)()
        self._accounts: ScoreLedger = accounts
        # Whose accounts there are: the default ones say that themselves, of others a set is kept.
        self._names: set[str] | None = None if type(accounts) is classes.DefaultScoreLedger else set()
        self._known: set[str] | DefaultScoreLedger = accounts if self._names is None else self._names
        self._scores: dict[str, int] = {}
        self._sample_at = _NEVER
        self._blocks_sent = self._data_sent = self._messages_sent = self._sends_failed = 0

    # Events

    def peer_connected(self, peer: str) -> None:
        if peer not in self._known:
            if self._names is not None:
                self._names.add(peer)
            self._accounts.peer_connected(peer)

    def peer_disconnected(self, peer: str) -> None:
        """Forget the peer: wants, queue, account. What is under way to it is not put back."""
        self._core.peer_disconnected(peer)
        if self._limited:
            self._limit.forget(peer, self._now)
        self._accounts.peer_disconnected(peer)
        if self._names is not None:
            self._names.discard(peer)
        if self._scores:
            self._scores.pop(peer, None)

    def lookup(self, message: Message) -> Lookup:
        return self._core.lookup(message)

    def message_received(self, peer: str, lookup: Lookup, sizes: Sequence[int | None], now: float) -> None:
        self._core.message_received(peer, lookup, sizes, now)
        self._heard(peer, now)

    def receive(
        self, peer: str, body: bytes, sizes: Callable[[list[CID]], Sequence[int | None]], now: float
    ) -> None:
        self._core.receive(peer, body, sizes, now)
        self._heard(peer, now)

    def _heard(self, peer: str, now: float) -> None:
        if peer not in self._known:
            self.peer_connected(peer)
        # What a peer owes from before it left is not forgotten when it comes back.
        if self._limited and (ready_at := self._limit.peer_ready_at(peer, now)) > now:
            self._core.hold(peer, ready_at)

    def notify_new_blocks(self, sizes: Mapping[CID, int], now: float) -> None:
        self._core.notify_new_blocks(sizes, now)

    def blocks_stored(self, sizes: Mapping[CID, int]) -> None:
        self._core.blocks_stored(sizes)

    def blocks_removed(self, cids: Sequence[CID]) -> None:
        self._core.blocks_removed(cids)

    def blocks_received(self, peer: str, byte_count: int, blocks: int = 1) -> None:
        """`peer` sent us blocks that we wanted: credit it."""
        self.peer_connected(peer)
        self._accounts.add_received(peer, byte_count, blocks)

    # Envelopes

    def next_envelope(self, now: float) -> Envelope | None:
        if now >= self._sample_at:
            self._sample(now)
        self._now = now
        if self._held_until is not None:
            if now < self._held_until:
                return None
            self._held_until = None
        return self._core.next_envelope(now)

    @property
    def ready(self) -> bool:
        return self._core.ready and self._held_until is None

    def next_deadline(self) -> float | None:
        """When `next_envelope` should be called although nothing has happened; None = no need."""
        retry = self._core.next_deadline()
        if self._held_until is not None and (retry is None or retry > self._held_until):
            retry = self._held_until
        if not self._known or self._sample_at == _NEVER:
            return retry
        return self._sample_at if retry is None else min(retry, self._sample_at)

    def fill(self, envelope: Envelope, blocks: Sequence[Block | None]) -> Message | None:
        message = self._core.fill(envelope, blocks)
        if message is not None and (count := envelope.block_count):
            self._accounts.add_sent(envelope.peer, envelope.block_bytes, count)
        if self._limited and message is not None:
            self._charge(envelope.peer, message.size())
        return message

    def _charge(self, peer: str, size: int) -> None:
        """A message of `size` bytes is about to go: whoever has had its share with it waits."""
        now = self._now
        self._limit.took(peer, size, now)
        ready_at = self._limit.peer_ready_at(peer, now)
        if ready_at > now:
            self._answers_delayed += 1
            self._core.hold(peer, ready_at)
        ready_at = self._limit.total_ready_at(now)
        if ready_at > now:
            self._answers_delayed += 1
            self._held_until = ready_at

    def envelope_sent(self, envelope: Envelope, now: float) -> bool:
        if not self._core.envelope_sent(envelope, now):
            return False
        self._messages_sent += 1
        self._blocks_sent += envelope.block_count
        self._data_sent += envelope.block_bytes
        return True

    def envelope_failed(self, envelope: Envelope, now: float) -> bool:
        self._sends_failed += not envelope.ended
        if not self._core.envelope_failed(envelope, now):
            return False
        if count := envelope.block_count:
            self._accounts.add_sent(envelope.peer, -envelope.block_bytes, -count)
        return True

    # Questions

    def wantlist_for_peer(self, peer: str) -> list[CID]:
        return self._core.wantlist_for_peer(peer)

    def ledger_for_peer(self, peer: str) -> Receipt:
        """The account with `peer`; all zero if it is not connected."""
        return self._accounts.receipt(peer)

    def peers(self) -> list[str]:
        return self._core.peers()

    def queued_peers(self) -> list[str]:
        return self._core.queued_peers()

    @property
    def too_large(self) -> CID | None:
        return self._core.too_large

    def scores(self) -> dict[str, int]:
        """Usefulness of peers above 0: how steadily and how much they give and take (boxo tag "useful")."""
        return dict(self._scores)

    @property
    def answers_delayed(self) -> int:
        """Messages after which a peer, or all of them, had to wait for a rate."""
        return self._answers_delayed

    def counts(self) -> CoreCounts:
        """The numbers of the core, which cost nothing to read."""
        return self._core.counts()

    @property
    def stat(self) -> ServerStat:
        return ServerStat(
            peers=tuple(sorted(self._core.peers())),
            blocks_sent=self._blocks_sent,
            data_sent=self._data_sent,
            messages_sent=self._messages_sent,
            sends_failed=self._sends_failed,
            answers_delayed=self._answers_delayed,
            **self._core.counts()._asdict(),
        )

    def _sample(self, now: float) -> None:
        """Renew the scores; the first call only starts the clock."""
        started = self._sample_at != _NEVER
        self._sample_at = now + self._accounts.interval
        if not started:
            return
        for peer, score in self._accounts.sample().items():
            if score:
                self._scores[peer] = score
            else:
                self._scores.pop(peer, None)


def _within(options: ServerOptions, burst: float | None) -> ServerOptions:
    """The options with messages that are not larger than what may go at once."""
    if burst is None:
        return options
    target = max(1, min(options.target_message_size, int(burst)))
    most = max(target, min(options.max_target_message_size, int(burst)))
    return replace(options, target_message_size=target, max_target_message_size=most)
