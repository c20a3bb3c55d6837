"""Bounds and defaults of the serving half."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bitswap.options.limits import KIB, MIB, require

if TYPE_CHECKING:
    from bitswap.cid import CID
    from bitswap.decision.interface import TaskInfo
    from bitswap.decision.score_ledger import ScoreLedger


@dataclass(frozen=True)
class ServerOptions:
    """The serving half: decision engine and its driver (boxo `bitswap/server` options)."""

    enabled: bool = True
    """False: requests are neither kept nor answered (boxo WithServerEnabled)."""
    task_workers: int = 2
    """Threads that look up, read and send; more help only while a store is slow (boxo TaskWorkerCount: 8)."""
    target_message_size: int = 16 * KIB
    """Bytes of blocks and presences per message to a peer, at first (boxo WithTargetMessageSize: 16 KiB)."""
    max_target_message_size: int = 2 * MIB
    """The same for a peer that takes its messages fast; one block above it may be added."""
    max_message_answers: int = 256
    """Blocks and presences of a message that is larger than `target_message_size`: many small blocks that are
    sent at once keep the receiver's processor waiting, and then the sender's."""
    max_outstanding_bytes: int = 1 * MIB
    """Bytes under way to a peer, at first; 0 = no limit (boxo MaxOutstandingBytesPerPeer: 1 MiB)."""
    max_outstanding_bytes_fast: int = 16 * MIB
    """The same for a peer that takes its messages fast."""
    max_total_outstanding_bytes: int = 256 * MIB
    """Bytes under way to all peers; above it nobody is given more until something has left. Above half of it
    messages are small again, so that peers that stop reading large ones leave room for all others."""
    max_round_bytes: int = 8 * MIB
    """Bytes of one message each to all peers that were served within `starvation_timeout` and want more: the
    more these are the smaller the messages, down to `target_message_size` (with 512 peers), so that nobody is
    far ahead of the others."""
    adaptive: bool = True
    """Whether message size and outstanding bytes grow with the peer's speed."""
    max_wantlist_entries: int = 1 << 17
    """Wants kept of one peer, and never more than an eighth of those that there is still room for in all; the
    lowest priorities go (boxo MaxQueuedWantlistEntriesPerPeer: 1,024)."""
    min_wantlist_entries: int = 1024
    """Wants that one peer may have however little room is left."""
    max_total_wantlist_entries: int = 1 << 20
    """Wants of all peers that there is room for (about 100 B each compiled, 700 B pure)."""
    max_cid_size: int = 168
    """Bytes of a CID; longer ones are ignored, 0 = no limit (boxo MaxCidSize: 4 varints and 128 bytes)."""
    want_have_replace_size: int = 1024
    """A HAVE request for a block of at most this many bytes is answered with the block; 0 = never (boxo)."""
    send_dont_haves: bool = True
    """False: never say DONT_HAVE, as old peers do (boxo SetSendDontHaves)."""
    peer_block_request_filter: Callable[[str, CID], bool] | None = None
    """(peer, cid) -> whether that peer may have the block (boxo WithPeerBlockRequestFilter); quick. Who may
    not have it is answered as if it were missing, after the same look-up: so `max_known_blocks` counts as 0
    beside a filter. One that raises refuses. See `bitswap.denylist`."""
    task_order: Callable[[TaskInfo], Any] | None = None
    """Sort key of a queued answer, smallest first: orders a peer's answers, and peers by their first one, in
    place of priority and fairness (boxo WithTaskComparator)."""
    score_ledger: Callable[[], ScoreLedger] | None = None
    """Makes what keeps account of bytes exchanged (boxo WithScoreLedger); None = the usual one."""
    starvation_timeout: float = 10.0
    """Seconds without being served after which a peer goes first (boxo peerStarvationTimeout)."""
    retry_delay: float = 0.1
    """Seconds before a failed send is tried again; doubles with each failure up to `max_retry_delay`."""
    max_retry_delay: float = 10.0
    max_inbound_messages: int = 16
    """Messages of one peer that wait to be handled; then its streams are paused."""
    max_inbound_bytes: int = 64 * MIB
    """Bytes of waiting messages of all peers; above it whoever sends more is paused."""
    max_peer_rate: float | None = None
    """Bytes a second of answers (blocks and presences) to one peer; more waits, nothing is forgotten. None =
    no limit."""
    max_total_rate: float | None = None
    """The same to all peers together; they take turns."""
    max_peer_requests: float | None = None
    """Wants a second that are taken in from one peer, a message counting as one at least; what exceeds it
    waits, and the peer is paused. None = no limit."""
    max_total_requests: float | None = None
    """The same from all peers together."""
    rate_burst: float = 0.25
    """Seconds' worth of each rate that may go at once after a pause; of bytes 16 KiB at least. No message is
    planned to be larger than that, so that a limited peer gets its share steadily."""
    max_known_blocks: int = 0
    """Blocks whose sizes are kept in memory, so that wants for them do not ask the store (about 60 B each
    compiled). Blocks removed from the store must then be told to `blocks_removed`. 0 = always ask."""

    @property
    def calls_back(self) -> bool:
        """Whether code of the caller is run in between."""
        return any((self.peer_block_request_filter, self.task_order, self.score_ledger))

    @property
    def is_limited(self) -> bool:
        """Whether there is a rate."""
        return any((self.max_peer_rate, self.max_total_rate, self.max_peer_requests, self.max_total_requests))

    def __post_init__(self) -> None:
        for name in (
            "task_workers",
            "target_message_size",
            "max_total_outstanding_bytes",
            "max_round_bytes",
            "max_message_answers",
            "min_wantlist_entries",
            "max_total_wantlist_entries",
            "max_inbound_messages",
            "max_inbound_bytes",
        ):
            require(getattr(self, name) >= 1, f"{name} must be at least 1")
        for name in ("max_outstanding_bytes", "max_cid_size", "want_have_replace_size", "max_known_blocks"):
            require(getattr(self, name) >= 0, f"{name} must not be negative")
        for name in ("max_peer_rate", "max_total_rate", "max_peer_requests", "max_total_requests"):
            rate = getattr(self, name)
            require(rate is None or rate > 0, f"{name} must be positive, or None for no limit")
        for name in ("starvation_timeout", "retry_delay", "rate_burst"):
            require(getattr(self, name) > 0, f"{name} must be positive")
        require(
            self.max_target_message_size >= self.target_message_size or not self.adaptive,
            "max_target_message_size is below target_message_size",
        )
        require(
            self.max_outstanding_bytes_fast >= self.max_outstanding_bytes or not self.adaptive,
            "max_outstanding_bytes_fast is below max_outstanding_bytes",
        )
        require(
            self.max_wantlist_entries >= 1, "max_wantlist_entries must be at least 1 (0 is not unlimited)"
        )
        require(self.max_retry_delay >= self.retry_delay, "max_retry_delay is below retry_delay")
