"""The decision core in Python: from wants to messages (boxo `decision/engine.go`).

Whoever drives it looks up sizes and reads blocks in between:

    lookup = core.lookup(message)
    core.message_received(peer, lookup, sizes of the blocks lookup.cids, now)
    while (envelope := core.next_envelope(now)) is not None:
        message = core.fill(envelope, the blocks envelope.cids)
        if message is not None: send it, then core.envelope_sent or core.envelope_failed
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bitswap.decision.envelope import Contents, Envelope
from bitswap.decision.interface import MAX_ENVELOPES_PER_PEER, CoreCounts
from bitswap.decision.known_blocks import KnownBlocks
from bitswap.decision.paced_queue import PacedQueue
from bitswap.decision.peer_ledger import BLOCK, PeerLedger, Want
from bitswap.decision.task import SURELY_FITS, QueuedTask, largest_block
from bitswap.errors import UsageError
from bitswap.message import Message
from bitswap.multihash import IDENTITY

if TYPE_CHECKING:
    from bitswap.block import Block
    from bitswap.cid import CID
    from bitswap.message import Entry
    from bitswap.options import ServerOptions

FREE_SHARE = 8
"""Which part of the wants that there is room for in all one peer may have (as switches share their buffers):
alone it may have an eighth, and however many peers come, there is room left for the next."""


class Lookup:
    """A message taken apart: what is wanted and withdrawn, and which sizes are still to be found."""

    __slots__ = ("cancels", "cids", "full", "ignored", "known", "wants")

    def __init__(self, full: bool) -> None:
        self.full = full
        self.wants: list[Entry] = []
        self.cancels: list[CID] = []
        self.ignored = 0
        """Entries that say nothing to us."""
        self.known: dict[CID, int] = {}
        """Wanted blocks that the core knew, and their sizes."""
        self.cids: list[CID] = []
        """Wanted blocks that it did not know."""

    def sizes(self, found: Sequence[int | None]) -> Sequence[int | None]:
        """Bytes of all wanted blocks, when `found` are those of `cids`.

        ValueError if the lengths differ, or for what can be no size.
        """
        if len(found) != len(self.cids):
            raise ValueError(f"{len(found)} sizes for {len(self.cids)} blocks")
        check_sizes(found)
        if not self.known:
            return found
        known, rest = self.known, iter(found)
        return [known[want.cid] if want.cid in known else next(rest) for want in self.wants]


def check_sizes(sizes: Iterable[int | None]) -> None:
    """ValueError for a negative one."""
    given = list(filter(None, sizes))
    if given and min(given) < 0:
        raise ValueError(f"a block cannot have {next(size for size in given if size < 0)} bytes")


class DecisionCore:
    """See `interface.DecisionCore`."""

    message_type: type[Message] = Message
    """What `receive` reads and `fill` makes."""

    def __init__(self, options: ServerOptions, salt: int = 0, envelopes_per_peer: int = 1) -> None:
        if not 1 <= envelopes_per_peer <= MAX_ENVELOPES_PER_PEER:
            raise UsageError(
                f"envelopes_per_peer must be between 1 and {MAX_ENVELOPES_PER_PEER}, not {envelopes_per_peer}"
            )
        self.options = options
        self._longest = options.max_cid_size or 1 << 62
        # A HAVE request for a block of at most this size gets the block, which no size is if the option is 0.
        self._replaced = options.want_have_replace_size or -1
        # Wants that a peer may always have, and DONT_HAVEs about others that may wait for it.
        self._least = min(options.min_wantlist_entries, options.max_wantlist_entries)
        self._ledger = PeerLedger()
        self._queue = PacedQueue(options, salt, envelopes_per_peer)
        self._known = KnownBlocks(options.max_known_blocks)
        self._wants_refused = self._blocks_too_large = self._entries_ignored = 0
        self._too_large: CID | None = None

    # Wants

    def lookup(self, message: Message) -> Lookup:
        lookup = Lookup(message.full)
        wants, cids, cancels = lookup.wants, lookup.cids, lookup.cancels
        served, size_of = self._served, self._known.size_of
        for entry in message.wantlist():
            cid = entry.cid
            if not served(cid):
                lookup.ignored += 1
            elif entry.cancel:
                cancels.append(cid)
            else:
                wants.append(entry)
                size = size_of(cid)
                if size is None:
                    cids.append(cid)
                else:
                    lookup.known[cid] = size
        return lookup

    def message_received(self, peer: str, lookup: Lookup, sizes: Sequence[int | None], now: float) -> None:
        sizes = lookup.sizes(sizes)
        self._entries_ignored += lookup.ignored
        if lookup.full:
            self._ledger.clear(peer)
            self._queue.clear(peer)
        elif lookup.cancels:
            self._cancel(peer, lookup.cancels)
        if lookup.wants:
            self._want(peer, lookup.wants, sizes)

    def receive(
        self, peer: str, body: bytes, sizes: Callable[[list[CID]], Sequence[int | None]], now: float
    ) -> None:
        lookup = self.lookup(self.message_type.from_body(body))
        self.message_received(peer, lookup, sizes(lookup.cids) if lookup.cids else (), now)

    def notify_new_blocks(self, sizes: Mapping[CID, int], now: float) -> None:
        check_sizes(sizes.values())
        tasks: dict[str, list[QueuedTask]] = {}
        for cid, size in sizes.items():
            if size > SURELY_FITS and not self._fits(cid, size):
                continue
            for peer, want in self._ledger.wanters(cid):
                self._ledger.found(peer, want)
                with_block = want.want_type == BLOCK or size <= self._replaced
                tasks.setdefault(peer, []).append(QueuedTask(cid, want.priority, size, with_block, False))
        for peer, answers in tasks.items():
            self._answer(peer, answers)

    def blocks_stored(self, sizes: Mapping[CID, int]) -> None:
        check_sizes(sizes.values())
        self._known.add(sizes)

    def blocks_removed(self, cids: Sequence[CID]) -> None:
        self._known.discard(cids)

    def peer_disconnected(self, peer: str) -> None:
        self._queue.forget(peer)
        self._ledger.clear(peer)

    def hold(self, peer: str, until: float) -> None:
        self._queue.hold(peer, until)

    # Envelopes

    def next_envelope(self, now: float) -> Envelope | None:
        batch = self._queue.pop(now)
        return Envelope(batch) if batch is not None else None

    @property
    def ready(self) -> bool:
        return self._queue.ready

    def next_deadline(self) -> float | None:
        return self._queue.next_deadline()

    def fill(self, envelope: Envelope, blocks: Sequence[Block | None]) -> Message | None:
        self._check_owner(envelope)
        if len(blocks) != len(envelope.cids):
            raise ValueError(f"{len(blocks)} blocks for {len(envelope.cids)} CIDs")
        batch, peer = envelope.batch, envelope.peer
        if not self._queue.is_current(batch):
            self._queue.done(batch, batch.taken_at)
            return None
        if envelope.filled:
            raise ValueError("the envelope was filled before")
        envelope.filled = True
        if len(self._known):
            read = zip(envelope.cids, blocks, strict=True)
            self._known.discard(cid for cid, block in read if block is None)
        contents = Contents(envelope, blocks, self.message_type(), self.options.send_dont_haves)
        if contents.later:
            self._queue.postpone(batch, contents.later)
        message = contents.message
        if message.empty():
            self._queue.done(batch, batch.taken_at)
            return None
        answered = [self._ledger.answered(peer, block.cid, True) for block in contents.blocks]
        answered += [self._ledger.answered(peer, cid, False) for cid in contents.haves]
        envelope.answered = [want for want in answered if want is not None]
        envelope.block_count = len(contents.blocks)
        envelope.block_bytes = sum(len(block.data) for block in contents.blocks)
        return message

    def envelope_sent(self, envelope: Envelope, now: float) -> bool:
        self._check_owner(envelope)
        if envelope.ended:
            return False
        self._queue.done(envelope.batch, now)
        return True

    def envelope_failed(self, envelope: Envelope, now: float) -> bool:
        self._check_owner(envelope)
        batch, peer = envelope.batch, envelope.peer
        withdrawn = batch.lane.queue.is_withdrawn
        owed = [task for task in batch.taken if not withdrawn(task.cid) and self._is_told(task)]
        if not self._queue.failed(batch, owed, now):
            return False
        cids = {task.cid for task in owed}
        self._ledger.restore(peer, [want for want in envelope.answered if want.cid in cids])
        return True

    def _check_owner(self, envelope: Envelope) -> None:
        if not self._queue.has_made(envelope.batch):
            raise ValueError("this is another core's envelope")

    # Questions

    def wantlist_for_peer(self, peer: str) -> list[CID]:
        return self._ledger.wantlist(peer)

    def peers(self) -> list[str]:
        return self._ledger.peers()

    def queued_peers(self) -> list[str]:
        return [queue.peer for queue in self._queue.queues() if queue.pending or queue.active]

    @property
    def too_large(self) -> CID | None:
        return self._too_large

    def counts(self) -> CoreCounts:
        queues = list(self._queue.queues())
        return CoreCounts(
            wants=self._ledger.size,
            pending_tasks=sum(len(queue.pending) for queue in queues),
            active_tasks=sum(len(queue.active) for queue in queues),
            wants_refused=self._wants_refused,
            blocks_too_large=self._blocks_too_large,
            entries_ignored=self._entries_ignored,
        )

    # How a wantlist is taken in

    def _want(self, peer: str, entries: Sequence[Entry], sizes: Sequence[int | None]) -> None:
        """Record wants and queue the answers that can be given now."""
        options = self.options
        allowed = options.peer_block_request_filter
        tells = options.send_dont_haves
        replaced = self._replaced
        wants: list[Want] = []
        tasks: list[QueuedTask] = []
        refusals: list[QueuedTask] = []
        for (cid, priority, want_type, _, asked), size in zip(entries, sizes, strict=True):
            if allowed is not None and not allowed(peer, cid):
                if asked and tells:
                    refusals.append(QueuedTask(cid, priority, None, want_type == BLOCK, True))
                continue
            if size is not None and size > SURELY_FITS and not self._fits(cid, size):
                size = None
            wants.append(Want(cid, priority, want_type, asked, size is not None))
            if size is not None:
                if replaced < 0 and want_type != BLOCK:
                    tasks.append(QueuedTask.unsized(cid, priority, size, asked))
                else:
                    with_block = want_type == BLOCK or size <= replaced
                    tasks.append(QueuedTask(cid, priority, size, with_block, asked))
            elif asked and tells:
                tasks.append(QueuedTask(cid, priority, None, want_type == BLOCK, True))
        refused, evicted = self._ledger.add(peer, wants, self._share())
        if refused or evicted:
            gone = self._give_up(peer, refused, evicted)
            tasks = [task for task in tasks if task.cid not in gone]
            if tells:
                refusals += [
                    QueuedTask(want.cid, want.priority, None, want.want_type == BLOCK, True)
                    for want in gone.values()
                    if want.send_dont_have
                ]
        if refusals:
            self._queue.push(peer, refusals, self._ledger.count(peer) + self._least)
        if tasks:
            self._answer(peer, tasks)

    def _give_up(self, peer: str, refused: Sequence[Want], evicted: Sequence[Want]) -> dict[CID, Want]:
        """Forget the answers to wants that had to go; returns those of whom the peer does not know it."""
        self._wants_refused += len(refused) + len(evicted)
        gone = {want.cid: want for want in refused}
        # One that is missing was told so already, or is about to be.
        gone.update((want.cid, want) for want in evicted if want.available)
        self._queue.remove(peer, gone)
        return gone

    def _answer(self, peer: str, tasks: Iterable[QueuedTask]) -> None:
        """Queue answers to recorded wants; each has room, beside refusals of wants that are not recorded."""
        self._queue.push(peer, tasks, self._ledger.count(peer) + 2 * self._least)

    def _cancel(self, peer: str, cids: list[CID]) -> None:
        self._queue.withdraw(peer, cids)
        self._queue.remove(peer, self._ledger.cancel(peer, cids))

    def _served(self, cid: CID) -> bool:
        """Identity CIDs hold their own data, and overlong ones are nonsense: both are ignored quietly."""
        if len(cid) > self._longest:
            return False
        if cid[0] == 0x12:  # CIDv0
            return True
        # A one-byte codec puts the hash code at 2, and a varint that begins with 0 is 0.
        return cid[2] != IDENTITY if cid[1] < 0x80 else cid.hash_code != IDENTITY

    def _is_told(self, task: QueuedTask) -> bool:
        """Whether the peer hears of it: a vanished block is passed over in silence unless it asked."""
        return task.have or (task.send_dont_have and self.options.send_dont_haves)

    def _fits(self, cid: CID, size: int) -> bool:
        """Whether a message can carry the block; one that cannot be sent is as good as missing."""
        if size <= largest_block(cid):
            return True
        self._blocks_too_large += 1
        self._too_large = self._too_large or cid
        return False

    def _share(self) -> int:
        """Wants that one peer may have."""
        options = self.options
        free = options.max_total_wantlist_entries - self._ledger.size
        return min(max(free // FREE_SHARE, self._least), options.max_wantlist_entries)
