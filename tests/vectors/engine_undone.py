"""Our decision core with one or more of its deliberate differences from boxo undone.

That a difference comes from a decision is shown by undoing it: with boxo's rule in its place, the same script
gives exactly boxo's result.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum

from bitswap.cid import CID
from bitswap.decision.core import DecisionCore, Lookup
from bitswap.decision.envelope import Envelope
from bitswap.decision.paced_queue import PacedQueue
from bitswap.decision.peer_ledger import BLOCK, PeerLedger, Want
from bitswap.decision.task import QueuedTask
from bitswap.message import Entry
from bitswap.options import ServerOptions
from tests.vectors.engine_replay import SALT, SizeOf

_UNLIMITED = 1 << 62


class Decision(Enum):
    """Where the engine differs from boxo on purpose; in the order in which they are undone."""

    NO_ZERO_LIMIT = "a limit of 0 is refused"
    EMPTY_FULL_CLEARS = "an empty full list clears"
    FULL_REPLACES = "a full wantlist replaces everything"
    EMPTY_IS_NOT_MISSING = "missing and empty blocks are told apart"
    CANCELS_FIRST = "cancels of a message make room for its wants"
    OVERFLOW_BY_PRIORITY = "overflow keeps the highest priorities and tells losers"
    MERGED_THEN_CUT = "merging happens before truncation"
    FAILED_IS_OWED = "a failed send puts its wants back"


class UndoneCore(DecisionCore):
    """The core without the decisions `undone`; boxo's rules instead (server behaviour of boxo 0.43)."""

    def __init__(
        self,
        options: ServerOptions,
        size_of: SizeOf,
        envelopes: int,
        undone: Collection[Decision],
        *,
        deaf: bool = False,
        mute: bool = False,
    ) -> None:
        """`deaf`: takes in no wants, and `mute`: sends nothing, as boxo with a limit of 0."""
        super().__init__(options, SALT, envelopes)
        self._undone = frozenset(undone)
        self._size_of = size_of
        self._deaf, self._mute = deaf, mute
        self._ledger: _HidingLedger = _HidingLedger()
        limit = options.max_wantlist_entries if Decision.MERGED_THEN_CUT in undone else None
        self._queue: _GatheringQueue = _GatheringQueue(options, SALT, envelopes, limit)

    def message_received(self, peer: str, lookup: Lookup, sizes: Sequence[int | None], now: float) -> None:
        undone = self._undone
        wants, cancels = lookup.wants, lookup.cancels
        empty = not (wants or cancels or lookup.ignored)
        if self._deaf or (empty and (not lookup.full or Decision.EMPTY_FULL_CLEARS in undone)):
            return
        if lookup.full:
            if Decision.FULL_REPLACES in undone:
                self._ledger.hide(peer)
            else:
                self._ledger.clear(peer)
                self._queue.clear(peer)
        seen = [self._seen(size, entry.want_type) for entry, size in zip(wants, sizes, strict=True)]
        self._queue.gather()
        if Decision.CANCELS_FIRST in undone:
            self._want(peer, wants, seen)
            self._cancel(peer, cancels)
        else:
            self._cancel(peer, cancels)
            self._want(peer, wants, seen)
        self._queue.flush(peer)

    def notify_new_blocks(self, sizes: Mapping[CID, int], now: float) -> None:
        replaced = self._replaced
        if Decision.EMPTY_IS_NOT_MISSING in self._undone:
            # boxo: no more bytes than the option, which an empty block is at 0 too.
            self._replaced = self.options.want_have_replace_size
        super().notify_new_blocks(sizes, now)
        self._replaced = replaced

    def next_envelope(self, now: float) -> Envelope | None:
        return None if self._mute else super().next_envelope(now)

    def envelope_failed(self, envelope: Envelope, now: float) -> bool:
        if Decision.FAILED_IS_OWED not in self._undone:
            return super().envelope_failed(envelope, now)
        self._queue.done(envelope.batch, now)
        # As if the peer had gone: what was booked as sent stays so.
        return False

    def _seen(self, size: int | None, want_type: int) -> int | None:
        """boxo finds an empty block only where it asks for presence alone."""
        if size == 0 and Decision.EMPTY_IS_NOT_MISSING in self._undone:
            return size if want_type != BLOCK and not self.options.want_have_replace_size else None
        return size

    def _want(self, peer: str, entries: Sequence[Entry], sizes: Sequence[int | None]) -> None:
        if Decision.OVERFLOW_BY_PRIORITY not in self._undone:
            super()._want(peer, entries, sizes)
            return
        options = self.options
        allowed, limit = options.peer_block_request_filter, options.max_wantlist_entries
        tasks: list[QueuedTask] = []
        wants: list[Want] = []
        found = {entry.cid: size for entry, size in zip(entries, sizes, strict=True)}
        for cid, priority, want_type, _, asked in entries:
            size = found[cid]
            if allowed is not None and not allowed(peer, cid):
                if asked and options.send_dont_haves:
                    tasks.append(QueuedTask(cid, priority, None, want_type == BLOCK, True))
            elif len(wants) < limit:
                wants.append(Want(cid, priority, want_type, asked, size is not None))
        taken: list[Want] = []
        surplus: list[Want] = []
        for want in wants:
            if self._ledger.get(peer, want.cid) is None and self._ledger.count(peer) >= limit:
                surplus.append(want)
            else:
                self._ledger.add(peer, [want], _UNLIMITED)
                taken.append(want)
        if surplus:
            taken += self._replace(peer, surplus)
        for want in taken:
            size = found[want.cid]
            asks_block = want.want_type == BLOCK
            if size is not None and not asks_block and self._replaced < 0:
                tasks.append(QueuedTask.unsized(want.cid, want.priority, size, want.send_dont_have))
            elif size is not None:
                asks_block = asks_block or size <= self._replaced
                tasks.append(QueuedTask(want.cid, want.priority, size, asks_block, want.send_dont_have))
            elif want.send_dont_have and options.send_dont_haves:
                tasks.append(QueuedTask(want.cid, want.priority, None, asks_block, True))
        if tasks:
            self._answer(peer, tasks)

    def _replace(self, peer: str, surplus: list[Want]) -> list[Want]:
        """Make room as boxo does; returns the wants that found some.

        Wants whose blocks are missing go whatever their priority, then others while the newcomer's priority
        is not below theirs; each time from the highest priority down.
        """
        waiting = sorted(surplus, key=lambda want: -want.priority)
        kept = [want for cid in self._ledger.wantlist(peer) if (want := self._ledger.get(peer, cid))]
        kept.sort(key=lambda want: -want.priority)
        found = [self._seen(self._size_of(want.cid), BLOCK) is not None for want in kept]
        order = [(want, False) for want, here in zip(kept, found, strict=True) if not here]
        order += [(want, True) for want, here in zip(kept, found, strict=True) if here]
        taken: list[Want] = []
        for old, here in order:
            if len(taken) == len(waiting):
                break
            new = waiting[len(taken)]
            if here and new.priority < old.priority:
                break
            self._cancel(peer, [old.cid])
            self._ledger.add(peer, [new], _UNLIMITED)
            taken.append(new)
        return taken


class _HidingLedger(PeerLedger):
    """Can forget who wants a CID, and still list it among the wants of the peer (boxo ClearPeerWantlist)."""

    def hide(self, peer: str) -> None:
        for cid in self.wantlist(peer):
            self._unlink(peer, cid)

    def _unlink(self, peer: str, cid: CID) -> None:
        if peer in self._cids.get(cid, ()):
            super()._unlink(peer, cid)


class _GatheringQueue(PacedQueue):
    """Queues the answers to one message together; with a `limit`, as boxo: what exceeds it is cut off before
    anything is merged."""

    def __init__(self, options: ServerOptions, salt: int, envelopes: int, limit: int | None) -> None:
        super().__init__(options, salt, envelopes)
        self._limit = limit
        self._gathered: list[tuple[list[QueuedTask], int]] | None = None

    def push(self, peer: str, tasks: Iterable[QueuedTask], limit: int) -> int:
        if self._gathered is not None:
            self._gathered.append((list(tasks), limit))
            return 0
        if self._limit is None:
            return super().push(peer, tasks, limit)
        queue = self.queue(peer)
        room = max(self._limit - (len(queue.pending) if queue is not None else 0), 0)
        return super().push(peer, list(tasks)[:room], _UNLIMITED)

    def gather(self) -> None:
        """Keep what is pushed until `flush`."""
        self._gathered = []

    def flush(self, peer: str) -> None:
        gathered, self._gathered = self._gathered or [], None
        if self._limit is not None:
            gathered = [([task for tasks, _ in gathered for task in tasks], _UNLIMITED)]
        for tasks, limit in gathered:
            if tasks:
                self.push(peer, tasks, limit)
