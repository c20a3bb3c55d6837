"""What both implementations of the decision core must do (boxo `decision/engine.go`, go-peertaskqueue).

`decision.core` is the reference in Python, `_core.decision_c` its compiled twin: same answers in the same
order, same counts, same exceptions with the same text. Every test runs over both.

A core holds who wants what (the peer ledger), what each peer is owed (the request queue), who comes next (the
scheduler) and what is under way (envelopes). It knows nothing of accounts and scores, which `Engine` adds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from bitswap.block import Block
    from bitswap.cid import CID
    from bitswap.message import Message
    from bitswap.options import ServerOptions

MAX_ENVELOPES_PER_PEER = 15
"""Envelopes of one peer that can be out at once, at most; a node uses 1, so that their order is kept."""


class Lookup(Protocol):
    """A message about to be taken in, and the blocks whose sizes must be known for it."""

    @property
    def cids(self) -> list[CID]:
        """CIDs to look up, in the order in which their sizes are to be given; duplicates cannot occur."""


class Envelope(Protocol):
    """Answers taken for one peer: read the blocks `cids`, `fill`, send, say how it went."""

    @property
    def peer(self) -> str: ...

    @property
    def cids(self) -> list[CID]:
        """Blocks to read, in the order in which they are to be given to `fill`."""

    @property
    def pending_bytes(self) -> int:
        """Bytes still queued for the peer once this is sent, at most 2**31 - 1 (pendingBytes)."""

    @property
    def block_count(self) -> int:
        """Blocks in the message; 0 until it is filled."""

    @property
    def block_bytes(self) -> int:
        """Bytes of their data."""

    @property
    def ended(self) -> bool:
        """Whether it was sent, has failed, or had nothing to send; further calls with it do nothing."""


class CoreCounts(NamedTuple):
    """Numbers of a core, see `ServerStat`."""

    wants: int
    pending_tasks: int
    active_tasks: int
    wants_refused: int
    blocks_too_large: int
    entries_ignored: int


class DecisionCore(Protocol):
    """Wants in, envelopes out; a machine: no thread, lock, clock or I/O.

    Peers exist from their first message until `peer_disconnected`. Within a peer answers leave by priority,
    then by age. An envelope that was taken before its peer disconnected is stale: `fill` gives None, nothing
    is put back, but until it ends it counts against `envelopes_per_peer` of a peer that comes back by that
    name.
    """

    def __init__(self, options: ServerOptions, salt: int = 0, envelopes_per_peer: int = 1) -> None:
        """`salt` (64 bits) breaks ties between peers. UsageError unless 1 <= envelopes_per_peer <= 15."""

    # Wants

    def lookup(self, message: Message) -> Lookup:
        """Prepare to take in `message`; its owner must not change it until `message_received`."""

    def message_received(self, peer: str, lookup: Lookup, sizes: Sequence[int | None], now: float) -> None:
        """Take in a wantlist: a full one replaces all wants, else what is cancelled goes; the rest is added.

        `sizes` holds the bytes of the blocks `lookup.cids`, None where we have none. A message without
        entries that is not full does nothing. ValueError, and nothing is changed, if the lengths differ.
        """

    def receive(
        self, peer: str, body: bytes, sizes: Callable[[list[CID]], Sequence[int | None]], now: float
    ) -> None:
        """From the bytes of a message to queued answers in one call.

        `sizes` is a store's `sizes`, called if there is anything to look up.
        WireError for a bad body, or whatever `sizes` raises; then nothing is changed.
        """

    def notify_new_blocks(self, sizes: Mapping[CID, int], now: float) -> None:
        """Blocks have come, with these sizes in bytes: answer everybody who waits for exactly these CIDs."""

    def blocks_stored(self, sizes: Mapping[CID, int]) -> None:
        """Remember blocks that the store has, so that `lookup` need not ask for them.

        At most `options.max_known_blocks` are remembered; beyond it the one remembered longest goes.
        """

    def blocks_removed(self, cids: Sequence[CID]) -> None:
        """Forget blocks of `blocks_stored`; a block that `fill` does not get is forgotten as well."""

    def peer_disconnected(self, peer: str) -> None:
        """Forget wants and queue of the peer."""

    def hold(self, peer: str, until: float) -> None:
        """Give `peer` nothing before `until`, unless it leaves; a shorter wait changes nothing."""

    # Envelopes

    def next_envelope(self, now: float) -> Envelope | None:
        """Take the next answers, of the peer whose turn it is; None while nobody can be given anything."""

    @property
    def ready(self) -> bool:
        """Whether `next_envelope` has something now, going by what was known at the last call of anything."""

    def next_deadline(self) -> float | None:
        """When `next_envelope` may have something that it has not now, without any other call."""

    def fill(self, envelope: Envelope, blocks: Sequence[Block | None]) -> Message | None:
        """The message to send, from the blocks `envelope.cids`; its wants now count as answered.

        Of a block that has vanished the peer is told DONT_HAVE if it asked for that. Returns None, and the
        envelope has ended, when nothing is left to be sent or the peer has gone. ValueError if the lengths
        differ.
        """

    def envelope_sent(self, envelope: Envelope, now: float) -> bool:
        """The message was taken by the network. False if the envelope had ended already."""

    def envelope_failed(self, envelope: Envelope, now: float) -> bool:
        """The message was not sent: what the peer has not withdrawn is owed again, after a pause.

        False if the envelope had ended already, or its peer has gone since it was taken.
        """

    # Questions

    def wantlist_for_peer(self, peer: str) -> list[CID]:
        """What `peer` waits for, oldest want first."""

    def peers(self) -> list[str]:
        """Everybody who waits for something; in no certain order."""

    def queued_peers(self) -> list[str]:
        """Everybody who has answers queued or under way (boxo tags them "queued"); in no certain order."""

    @property
    def too_large(self) -> CID | None:
        """The first block that could not be served because no message can carry it."""

    def counts(self) -> CoreCounts: ...


class Task(NamedTuple):
    """An answer to be queued in a `RequestQueue`: block, HAVE or DONT_HAVE (go-peertaskqueue `Task`)."""

    cid: CID
    priority: int
    size: int | None
    """Bytes of the block, None if we have none."""
    want_block: bool
    """Answered with the block if it is there, not with a HAVE."""
    send_dont_have: bool = False


class TaskInfo(NamedTuple):
    """One answer as it is queued or was taken; what a `task_order` is given (boxo `TaskInfo`)."""

    peer: str
    cid: CID
    priority: int
    want_block: bool
    """Answered with the block if it is there, not with a HAVE."""
    send_dont_have: bool
    have: bool
    size: int
    """Bytes of the block; 0 when it is not there."""


class Batch(Protocol):
    """Answers popped for one peer; under way until `RequestQueue.done` or `failed`."""

    @property
    def peer(self) -> str: ...

    @property
    def tasks(self) -> list[TaskInfo]:
        """In the order in which they were taken."""

    @property
    def pending_work(self) -> int:
        """Bytes still queued for the peer after these were taken."""


class QueueStat(NamedTuple):
    peers: int
    """Peers with anything queued or under way."""
    pending: int
    """Answers queued."""
    active: int
    """CIDs under way, counted for each peer."""


class RequestQueue(Protocol):
    """A queue of answers for many peers, for use without the rest (go-peertaskqueue `PeerTaskQueue`).

    A peer exists from its first push until it has nothing queued nor under way, or until `clear`. Who is
    next: starved before others, then fewer CIDs under way, then more queued (counted up to 16), then served
    longest ago, then a salted hash. A peer that is frozen, or at `max_active` bytes, is passed over.
    """

    def __init__(
        self,
        *,
        salt: int = 0,
        starvation_timeout: float = 10.0,
        max_active: int = 0,
        merging: str = "bitswap",
        freezing: bool = False,
        batches_per_peer: int = MAX_ENVELOPES_PER_PEER,
        peer_added: Callable[[str], None] | None = None,
        peer_removed: Callable[[str], None] | None = None,
    ) -> None:
        """`max_active`: bytes under way to a peer at which it gets no more, 0 = no limit.

        `merging` says what becomes of an answer for a CID that is queued or under way already: "bitswap"
        (boxo's task merger), "first" (the first one stays; go-peertaskqueue's default), "replace" (the newer
        one takes its place, and is queued although another is under way). `freezing`: a peer that something
        is removed from is frozen until it thaws. Hooks are called after the queue has changed;
        `peer_removed` not after `clear`. UsageError for a `merging` that does not exist.
        """

    def push(self, peer: str, tasks: Sequence[Task], now: float, limit: int | None = None) -> int:
        """Queue or merge; returns how many were dropped because `limit` CIDs were queued already."""

    def pop(self, target: int, now: float) -> Batch | None:
        """Take answers of the peer whose turn it is until they weigh `target` bytes; at least one, unless
        `target` < 1. None while nobody can be given anything."""

    def done(self, batch: Batch, now: float) -> None:
        """The batch was dealt with; a second call does nothing."""

    def failed(self, batch: Batch, now: float) -> None:
        """The batch was not sent: queue it again, in its old place, with its newer versions merged in."""

    def remove(self, peer: str, cids: Sequence[CID], now: float) -> int:
        """Forget queued answers; those under way are not put back if they fail. Returns how many went."""

    def clear(self, peer: str) -> None:
        """Forget the peer and all it was owed."""

    def thaw_round(self, now: float) -> None:
        """Halve how frozen each peer is, rounding down; at 0 it is served again."""

    def thaw(self, now: float) -> None:
        """Nobody is frozen any more."""

    def topics(self, peer: str) -> tuple[list[CID], list[CID]]:
        """CIDs queued, in the order in which they will be taken, and CIDs under way, in no certain order."""

    @property
    def stat(self) -> QueueStat: ...
