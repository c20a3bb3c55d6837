"""The decision engine: from wants to messages (boxo `decision/engine.go`).

A machine: no thread, clock or I/O. Whoever drives it looks up sizes and reads blocks in between:

    sizes = look up engine.lookups(message)
    engine.message_received(peer, message, sizes, now)
    while (envelope := engine.next_envelope(now)) is not None:
        message = engine.fill(envelope, blocks named by envelope.cids)
        if message is not None: send it, then engine.envelope_sent or engine.envelope_failed
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from bitswap.decision.envelope import Contents, Envelope
from bitswap.decision.peer_ledger import BLOCK, PeerLedger, Want
from bitswap.decision.request_queue import RequestQueue
from bitswap.decision.score_ledger import DefaultScoreLedger, Receipt, ScoreLedger
from bitswap.decision.task import SURELY_FITS, Task, largest_block
from bitswap.multihash import IDENTITY
from bitswap.options import ServerOptions
from bitswap.stat import ServerStat

if TYPE_CHECKING:
    from bitswap.block import Block
    from bitswap.cid import CID
    from bitswap.message import Entry, Message


class Engine:
    """Keeps who wants what, and decides who is sent what next.

    A peer is known from its first event until `peer_disconnected`, which forgets all about it. `salt` breaks
    ties between peers. `envelopes_per_peer` envelopes of one peer can be out at once; above 1 their order is
    not kept.
    """

    def __init__(
        self,
        self_id: str,
        options: ServerOptions | None = None,
        salt: int = 0,
        *,
        envelopes_per_peer: int = 1,
    ) -> None:
        self.self_id = self_id
        self.options = options = options or ServerOptions()
        self._longest = options.max_cid_size or 1 << 62
        # A HAVE request for a block of at most this size gets the block, which no size is if the option is 0.
        self._replaced = options.want_have_replace_size or -1
        self._ledger = PeerLedger()
        self._queue = RequestQueue(options, salt, envelopes_per_peer)
        self._accounts: ScoreLedger = (options.score_ledger or DefaultScoreLedger)()
        self._known: set[str] = set()
        self._scores: dict[str, int] = {}
        self._next_sample: float | None = None
        self._blocks_sent = self._data_sent = self._messages_sent = self._sends_failed = 0
        self._wants_refused = self._entries_ignored = self._blocks_too_large = 0
        self.too_large: CID | None = None
        """The first block that could not be served because no message can carry it."""

    # Events

    def peer_connected(self, peer: str) -> None:
        self._meet(peer)

    def peer_disconnected(self, peer: str) -> None:
        """Forget the peer: wants, queue, account. What is under way to it is not put back."""
        self._queue.forget(peer)
        self._ledger.clear(peer)
        self._accounts.peer_disconnected(peer)
        self._known.discard(peer)
        self._scores.pop(peer, None)

    def lookups(self, message: Message) -> list[CID]:
        """CIDs whose sizes `message_received` needs to know."""
        served = self._served
        return [cid for cid, _, _, cancel, _ in message.wantlist() if not cancel and served(cid)]

    def message_received(
        self, peer: str, message: Message, sizes: Mapping[CID, int | None], now: float
    ) -> None:
        """Take in a wantlist: a full one replaces all wants, else what is cancelled goes; the others are
        added.

        `sizes` holds the bytes of the blocks that we have; None or nothing for those that we have not.
        """
        entries = message.wantlist()
        if not entries and not message.full:
            return
        self._meet(peer)
        served = [entry for entry in entries if entry.cid in sizes or self._served(entry.cid)]
        self._entries_ignored += len(entries) - len(served)
        if message.full:
            self._ledger.clear(peer)
            self._queue.clear(peer, now)
        else:
            self._cancel(peer, [entry.cid for entry in served if entry.cancel], now)
        self._want(peer, [entry for entry in served if not entry.cancel], sizes, now)

    def notify_new_blocks(self, sizes: Mapping[CID, int], now: float) -> None:
        """Blocks have come, with these sizes in bytes: answer everybody who waits for exactly these CIDs."""
        tasks: dict[str, list[Task]] = {}
        for cid, size in sizes.items():
            if size > SURELY_FITS and not self._fits(cid, size):
                continue
            for peer, want in self._ledger.wanters(cid):
                self._ledger.found(peer, want)
                with_block = want.want_type == BLOCK or size <= self._replaced
                tasks.setdefault(peer, []).append(Task(cid, want.priority, size, with_block, False))
        for peer, answers in tasks.items():
            self._answer(peer, answers, now)

    def blocks_received(self, peer: str, byte_count: int, blocks: int = 1) -> None:
        """`peer` sent us blocks that we wanted: credit it."""
        self._meet(peer)
        self._accounts.add_received(peer, byte_count, blocks)

    # Envelopes

    def next_envelope(self, now: float) -> Envelope | None:
        """Take the next answers, of the peer whose turn it is; None while nobody can be given anything."""
        self._sample(now)
        batch = self._queue.pop(now)
        return Envelope(batch) if batch is not None else None

    @property
    def ready(self) -> bool:
        """Whether `next_envelope` has something now, going by what was known at the last call of anything."""
        return self._queue.ready

    def next_deadline(self) -> float | None:
        """When `next_envelope` should be called although nothing has happened; None = no need."""
        times = [self._queue.next_deadline(), self._next_sample if self._known else None]
        return min((time for time in times if time is not None), default=None)

    def fill(self, envelope: Envelope, blocks: Mapping[CID, Block | None]) -> Message | None:
        """The message to send. Its wants now count as answered, its blocks as sent.

        `blocks` answers `envelope.cids`; of a block that has vanished the peer is told DONT_HAVE if it asked
        for that. Returns None, and the envelope is done with, when nothing is left to be sent or the peer has
        gone.
        """
        if not self._queue.is_current(envelope.batch):
            self._queue.done(envelope.batch, envelope.batch.taken_at)
            return None
        peer = envelope.peer
        contents = Contents(envelope, blocks, self.options.send_dont_haves)
        if contents.later:
            self._queue.postpone(envelope.batch, contents.later)
        message = contents.message
        if message.empty():
            self._queue.done(envelope.batch, envelope.batch.taken_at)
            return None
        answered = [self._ledger.answered(peer, block.cid, True) for block in contents.blocks]
        answered += [self._ledger.answered(peer, cid, False) for cid in contents.haves]
        envelope.answered = [want for want in answered if want is not None]
        envelope.block_count = len(contents.blocks)
        envelope.block_bytes = sum(len(block.data) for block in contents.blocks)
        if envelope.block_count:
            self._accounts.add_sent(peer, envelope.block_bytes, envelope.block_count)
        return message

    def envelope_sent(self, envelope: Envelope, now: float) -> None:
        """The message of a filled envelope was taken by the network. A second call does nothing."""
        if envelope.batch.ended:
            return
        self._queue.done(envelope.batch, now)
        self._messages_sent += 1
        self._blocks_sent += envelope.block_count
        self._data_sent += envelope.block_bytes

    def envelope_failed(self, envelope: Envelope, now: float) -> None:
        """The message was not sent: unless the peer has gone, what it has not withdrawn is owed again."""
        if envelope.batch.ended:
            return
        self._sends_failed += 1
        if not self._queue.failed(envelope.batch, now):
            return
        peer = envelope.peer
        if envelope.block_count:
            self._accounts.add_sent(peer, -envelope.block_bytes, -envelope.block_count)
        owed = [task for task in envelope.batch.tasks if not task.cancelled and self._is_told(task)]
        cids = {task.cid for task in owed}
        self._ledger.restore(peer, [want for want in envelope.answered if want.cid in cids])
        self._queue.put_back(peer, owed, now)

    # Questions

    def wantlist_for_peer(self, peer: str) -> list[CID]:
        """What `peer` waits for."""
        return self._ledger.wantlist(peer)

    def ledger_for_peer(self, peer: str) -> Receipt:
        """The account with `peer`; all zero if it is not connected."""
        return self._accounts.receipt(peer)

    def peers(self) -> list[str]:
        """Everybody who waits for something."""
        return self._ledger.peers()

    def scores(self) -> dict[str, int]:
        """Usefulness of peers above 0: how steadily and how much they give and take (boxo tag "useful")."""
        return dict(self._scores)

    @property
    def stat(self) -> ServerStat:
        queues = list(self._queue.queues())
        return ServerStat(
            peers=tuple(sorted(self._ledger.peers())),
            blocks_sent=self._blocks_sent,
            data_sent=self._data_sent,
            messages_sent=self._messages_sent,
            sends_failed=self._sends_failed,
            wants=self._ledger.size,
            pending_tasks=sum(len(queue.pending) for queue in queues),
            active_tasks=sum(len(queue.active) for queue in queues),
            wants_refused=self._wants_refused,
            blocks_too_large=self._blocks_too_large,
            entries_ignored=self._entries_ignored,
        )

    # How a wantlist is taken in

    def _want(self, peer: str, entries: Iterable[Entry], sizes: Mapping[CID, int | None], now: float) -> None:
        """Record wants and queue the answers that can be given now."""
        options = self.options
        allowed = options.peer_block_request_filter
        tells = options.send_dont_haves
        replaced = self._replaced
        wants: list[Want] = []
        tasks: list[Task] = []
        refusals: list[Task] = []
        for cid, priority, want_type, _, asked in entries:
            if allowed is not None and not allowed(peer, cid):
                if asked and tells:
                    refusals.append(Task(cid, priority, None, want_type == BLOCK, True))
                continue
            size = sizes.get(cid)
            if size is not None and size > SURELY_FITS and not self._fits(cid, size):
                size = None
            wants.append(Want(cid, priority, want_type, asked, size is not None))
            if size is not None:
                if replaced < 0 and want_type != BLOCK:
                    tasks.append(Task.unsized(cid, priority, size, asked))
                else:
                    tasks.append(Task(cid, priority, size, want_type == BLOCK or size <= replaced, asked))
            elif asked and tells:
                tasks.append(Task(cid, priority, None, want_type == BLOCK, True))
        refused, evicted = self._ledger.add(peer, wants, self._share())
        if refused or evicted:
            self._wants_refused += len(refused) + len(evicted)
            gone = {want.cid: want for want in refused}
            # One that is missing was told so already, or is about to be.
            gone.update((want.cid, want) for want in evicted if want.available)
            self._queue.remove(peer, gone, now)
            tasks = [task for task in tasks if task.cid not in gone]
            if tells:
                refusals += [
                    Task(want.cid, want.priority, None, want.want_type == BLOCK, True)
                    for want in gone.values()
                    if want.send_dont_have
                ]
        if refusals:
            self._queue.push(peer, refusals, 2 * self._share(), now)
        if tasks:
            self._answer(peer, tasks, now)

    def _answer(self, peer: str, tasks: Iterable[Task], now: float) -> None:
        """Queue answers to recorded wants; each has room, beside refusals of wants that are not recorded."""
        self._queue.push(peer, tasks, self._ledger.count(peer) + 2 * self._share(), now)

    def _cancel(self, peer: str, cids: list[CID], now: float) -> None:
        if cids:
            self._queue.withdraw(peer, cids)
            self._queue.remove(peer, self._ledger.cancel(peer, cids), now)

    def _served(self, cid: CID) -> bool:
        """Identity CIDs hold their own data, and overlong ones are nonsense: both are ignored quietly."""
        if len(cid) > self._longest:
            return False
        if cid[0] == 0x12:  # CIDv0
            return True
        # A one-byte codec puts the hash code at 2, and a varint that begins with 0 is 0.
        return cid[2] != IDENTITY if cid[1] < 0x80 else cid.hash_code != IDENTITY

    def _is_told(self, task: Task) -> bool:
        """Whether the peer hears of it: a vanished block is passed over in silence unless it asked."""
        return task.have or (task.send_dont_have and self.options.send_dont_haves)

    def _fits(self, cid: CID, size: int) -> bool:
        """Whether a message can carry the block; one that cannot be sent is as good as missing."""
        if size <= largest_block(cid):
            return True
        self._blocks_too_large += 1
        self.too_large = self.too_large or cid
        return False

    def _share(self) -> int:
        """Wants that one peer may have."""
        options = self.options
        if self._ledger.size < options.max_total_wantlist_entries:
            return options.max_wantlist_entries
        return min(options.min_wantlist_entries, options.max_wantlist_entries)

    def _meet(self, peer: str) -> None:
        if peer not in self._known:
            self._known.add(peer)
            self._accounts.peer_connected(peer)

    def _sample(self, now: float) -> None:
        if self._next_sample is None:
            self._next_sample = now + self._accounts.interval
        elif now >= self._next_sample:
            self._next_sample = now + self._accounts.interval
            for peer, score in self._accounts.sample().items():
                if score:
                    self._scores[peer] = score
                else:
                    self._scores.pop(peer, None)
