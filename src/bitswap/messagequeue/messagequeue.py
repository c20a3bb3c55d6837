"""The wants and cancels of one peer, merged while a message is under way (boxo MessageQueue).

A machine: whoever drives it sends what `next_message` returns and says how that went. Every CID is in at most
one of

- `_live_blocks`, `_live_haves`: sent and not answered, with the time of sending, oldest first;
- `_parked`: answered or given up, but the peer may still keep the want (a server keeps what it said DONT_HAVE
  to), with whether it is a want for the block;
- `_withdrawn`: not wanted any more; to be cancelled some time, because at most a HAVE can still come;
- `_cancels`: to be cancelled at once, because a block may still come;
- `_answered`: to be cancelled some time, because some servers keep what they have served until told.

`_pending` holds what is to be sent; such a CID may be parked as well. The first four together are what the
peer is taken to hold of us and never exceed `max_outstanding_wants`. Want-haves of a broadcast to a peer that
never had anything wait until the last ones are `broadcast_spacing` old, or for a message that goes anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from bitswap.cid import CID
from bitswap.message import Message, WantType
from bitswap.messagequeue.timeouts import AnswerTimes
from bitswap.network.interface import Peer
from bitswap.options import ClientOptions

Ask = tuple[CID, int]
"""A want: the CID and its priority, 1 to 2^31-1."""

_BLOCK = int(WantType.BLOCK)
_HAVE = int(WantType.HAVE)
_RESENT: tuple[int, int, bool] = (1, _BLOCK, True)
_RESENT_HAVE: tuple[int, int, bool] = (1, _HAVE, False)

_Entry = tuple[int, int, bool]  # priority, want type, send_dont_have


class MessageQueue:
    """What one connected peer is asked for. Not shared between threads; `now` is in seconds."""

    def __init__(self, peer: Peer, options: ClientOptions, *, supports_have: bool = True) -> None:
        self.peer = peer
        self.times = AnswerTimes(options)
        self._options = options
        self._supports_have = supports_have
        self.times.tells_lacks(supports_have)
        self._pending: dict[CID, _Entry] = {}
        self._live_blocks: dict[CID, float] = {}
        self._live_haves: dict[CID, float] = {}
        self._parked: dict[CID, bool] = {}
        self._denied: dict[CID, None] = {}
        self._withdrawn: dict[CID, bool] = {}
        self._cancels: dict[CID, None] = {}
        self._answered: dict[CID, None] = {}
        self._cancels_due = 0.0  # of those that can wait
        self._urgent = False  # whether something pending can not wait
        self._broadcast_due = 0.0  # when the rest of it is to go
        self._under_way: tuple[dict[CID, _Entry], list[CID]] | None = None
        self._broadcast = 0  # of what is under way
        self.last_block: float | None = None
        """When the last block came that was asked for."""
        self._last_answer = 0.0
        self._not_before = 0.0
        self._failures = 0

    # -- what is wanted

    def want_blocks(self, asks: Iterable[Ask]) -> None:
        """Ask for blocks, with DONT_HAVE if the peer lacks them; what is asked for already stays as it is."""
        pending, live, haves = self._pending, self._live_blocks, self._live_haves
        for cid, priority in asks:
            if cid in live:
                continue
            if cid in haves:
                # An upgrade: the peer holds the want already, so it takes no further place.
                del haves[cid]
                self._parked[cid] = False
            pending[cid] = (priority, _BLOCK, True)
            self._urgent = True
            if self._cancels or self._answered or self._withdrawn:
                self._keep(cid)

    def want_haves(self, asks: Iterable[Ask], *, dont_have: bool) -> bool:
        """Ask whether the peer has blocks; `dont_have`: a no is wanted too.

        A peer that knows no HAVE is asked for the block in a broadcast, where no answer is expected, and is
        left alone otherwise (boxo); then this returns False.
        """
        if not self._supports_have and dont_have:
            return False
        entry_type = _HAVE if self._supports_have else _BLOCK
        pending, live, haves = self._pending, self._live_blocks, self._live_haves
        for cid, priority in asks:
            if cid in live or cid in haves or cid in pending:
                continue
            pending[cid] = (priority, entry_type, dont_have)
            self._urgent = self._urgent or dont_have or self.last_block is not None
            if self._cancels or self._answered or self._withdrawn:
                self._keep(cid)
        return True

    def _keep(self, cid: CID) -> None:
        """A cancel that was not sent yet is taken back; the peer may still hold the want."""
        if self._cancels.pop(cid, self) is None:
            self._parked[cid] = True
        elif (asked_for_block := self._withdrawn.pop(cid, None)) is not None:
            self._parked[cid] = asked_for_block
        self._answered.pop(cid, None)

    def cancel(self, cids: Iterable[CID], now: float) -> None:
        """Nobody wants these any more: tells at once where a block may still come, some time elsewhere.

        A peer that said it lacks the block sends it after all as soon as it gets it.
        """
        options = self._options
        for cid in cids:
            self._pending.pop(cid, None)
            if self._live_blocks.pop(cid, None) is not None:
                self._cancels[cid] = None
                continue
            held = False if self._live_haves.pop(cid, None) is not None else self._parked.pop(cid, None)
            if held is not None:
                soon = held or (self.last_block or -1.0) + options.cancel_delay > now
                self._note_cancel(now + (options.withdraw_delay if soon else options.cancel_delay))
                self._withdrawn[cid] = held

    def _note_cancel(self, due: float) -> None:
        """More is about to be cancelled, which may wait until `due`."""
        self._cancels_due = min(self._cancels_due, due) if self._answered or self._withdrawn else due

    # -- what the peer says

    def received(
        self, blocks: Sequence[CID], haves: Sequence[CID], dont_haves: Sequence[CID], now: float
    ) -> None:
        """The peer answered; each answer makes room for another want at once."""
        self._note_cancel(now + self._options.cancel_delay)
        live, answered = self._live_blocks, self._answered
        oldest = now
        matched = False
        for cid in blocks:
            sent = live.pop(cid, None)
            if sent is None:
                sent = self._block_out_of_turn(cid, now)
                if sent is None:
                    continue
            answered[cid] = None
            matched = True
            self.last_block = now
            if sent < oldest:
                oldest = sent
        for cids, served in ((haves, False), (dont_haves, True)):
            for cid in cids:
                sent = self._live_haves.pop(cid, None)
                asked_for_block = sent is None and served
                if asked_for_block:
                    sent = live.pop(cid, None)
                if sent is not None:
                    self._parked[cid] = asked_for_block
                    if asked_for_block:
                        self._denied[cid] = None
                    oldest = min(oldest, sent)
                matched = matched or sent is not None or cid in self._parked
        for emptied in (live, self._live_haves, self._parked):
            if not emptied:
                emptied.clear()  # gives its memory back
        if matched:
            self._last_answer = now
            self.times.answered(now - oldest)

    def _block_out_of_turn(self, cid: CID, now: float) -> float | None:
        """When the want was sent that a block not waited for as such answers: a want-have, or one given up.

        None if it answers nothing.
        """
        self._pending.pop(cid, None)
        sent = self._live_haves.pop(cid, None)
        if sent is not None:
            return sent
        if self._parked.pop(cid, None) is not None or self._withdrawn.pop(cid, None) is not None:
            return now
        return now if self._cancels.pop(cid, self) is None else None

    def set_have_support(self, supports_have: bool) -> None:
        """What the negotiated protocol says; it never changes back to yes, even if the stream is lost."""
        if supports_have or not self._supports_have:
            return
        self._supports_have = False
        self.times.tells_lacks(False)
        # Such a peer has read the want-haves that were sent already as wants for blocks.
        live = [*self._live_blocks.items(), *self._live_haves.items()]
        self._live_blocks = dict(sorted(live, key=lambda item: item[1]))
        self._live_haves = {}
        pending, self._pending = self._pending, {}
        for cid, (priority, want_type, dont_have) in pending.items():
            if want_type == _BLOCK:
                self._pending[cid] = (priority, want_type, dont_have)
            elif not dont_have:
                self._pending[cid] = (priority, _BLOCK, False)

    # -- messages

    def has_message(self, now: float) -> bool:
        """Whether `next_message` would return one."""
        if self._under_way is not None or now < self._not_before:
            return False
        if self._cancels:
            return True
        waiting = len(self._answered) + len(self._withdrawn)
        if waiting and (now >= self._cancels_due or waiting >= self._options.max_delayed_cancels):
            return True
        if not self._pending or not (self._urgent or now >= self._broadcast_due):
            return False
        # What is parked takes no further place when it is wanted again, and gives its place up when it is
        # not.
        return not self._is_full() or bool(self._parked) or bool(self._withdrawn) or self._is_tired(now)

    def next_message(self, now: float) -> Message | None:
        """What the peer should be told now, or None; nothing more until it was sent or has failed."""
        if not self.has_message(now):
            return None
        message = Message()
        room = self._room()
        if self._is_full():
            # Evicted wants leave with this message and make room for the next: boxo reads wants before
            # cancels.
            self._evict(now)
        cancels = [*self._cancels, *self._answered, *self._withdrawn]
        self._cancels, self._answered, self._withdrawn = {}, {}, {}
        size = 0
        for cid in cancels:
            size += message.cancel(cid)
        wants = self._take(room)
        if size + len(wants) * 64 > self._options.max_message_bytes:
            wants = self._fit(wants, self._options.max_message_bytes - size)
        self._broadcast = self._add_wants(message, wants, now)
        if self._denied:
            self._soften(message)
        if self._broadcast:
            self._broadcast_due = now + self._options.broadcast_spacing
        self._urgent = bool(self._pending) and self._urgent
        self._under_way = (wants, cancels)
        return message

    def _take(self, room: int) -> dict[CID, _Entry]:
        """Up to `room` pending wants, first come first, and those that take no further place."""
        pending = self._pending
        if len(pending) <= room:
            self._pending = {}
            return pending
        wants = dict(islice(pending.items(), room))
        if self._parked:
            wants.update((cid, pending[cid]) for cid in self._parked if cid in pending)
        for cid in wants:
            del pending[cid]
        return wants

    def _fit(self, wants: dict[CID, _Entry], size: int) -> dict[CID, _Entry]:
        """The first of `wants` within `size` bytes, one at least; the others stay pending, in front."""
        fitting: dict[CID, _Entry] = {}
        for cid, entry in wants.items():
            # 20 bytes hold the fields and lengths of an entry beside its CID.
            size -= len(cid) + 20
            if size < 0 and fitting:
                break
            fitting[cid] = entry
        self._pending = {cid: entry for cid, entry in wants.items() if cid not in fitting} | self._pending
        return fitting

    def _add_wants(self, message: Message, wants: dict[CID, _Entry], now: float) -> int:
        """Returns how many of them are want-haves of a broadcast."""
        live, haves, parked = self._live_blocks, self._live_haves, self._parked
        broadcast = 0
        for cid, (priority, want_type, dont_have) in wants.items():
            message.add_entry(cid, priority, want_type, dont_have)
            if parked:
                parked.pop(cid, None)
            if want_type == _BLOCK:
                live[cid] = now
            else:
                haves[cid] = now
                if not dont_have:
                    broadcast += 1
        return broadcast

    def _soften(self, message: Message) -> None:
        """Of what the peer lacks it is to say when it has it, and not to send it: another one may by then.

        That is worth an entry, but no message of its own. It need not answer now.
        """
        denied, self._denied = self._denied, {}
        if self._supports_have:
            for cid in denied:
                if self._parked.get(cid) and cid not in self._pending:
                    self._parked[cid] = False
                    message.add_entry(cid, 1, _HAVE, False)

    def message_sent(self, now: float) -> int:
        """The message left; the next one may be built. Returns how many want-haves of a broadcast it had."""
        self._under_way = None
        self._failures = 0
        return self._broadcast

    def message_failed(self, now: float) -> bool:
        """The message was not sent: its wants and cancels go out again, after a pause.

        True each time that `send_attempts` have failed in a row.
        """
        if self._under_way is None:
            return False
        wants, cancels = self._under_way
        self._under_way = None
        again: dict[CID, _Entry] = {}
        for cid, entry in wants.items():
            if (
                self._live_blocks.pop(cid, None) is not None
                or self._live_haves.pop(cid, None) is not None
                or self._parked.pop(cid, None) is not None
            ):
                again[cid] = entry
        self._pending = again | self._pending
        self._urgent = True
        for cid in cancels:
            if cid not in self._pending:
                self._cancels[cid] = None
        self._failures += 1
        options = self._options
        # The exponent is bounded because 0.1 * 2 ** 1100 is no float any more.
        pause = options.send_backoff * 2.0 ** min(self._failures - 1, 64)
        self._not_before = now + min(pause, options.max_send_backoff)
        return self._failures % options.send_attempts == 0

    # -- places at the peer

    @property
    def outstanding(self) -> int:
        """Wants that the peer is taken to hold."""
        return len(self._live_blocks) + len(self._live_haves) + len(self._parked) + len(self._withdrawn)

    def _room(self) -> int:
        return self._options.max_outstanding_wants - self.outstanding

    def _is_full(self) -> bool:
        """Whether there is less room than is worth a message."""
        return self._room() < min(len(self._pending), self._options.refill_wants)

    def _is_tired(self, now: float) -> bool:
        """Whether a want-have was left unanswered for so long that it gives its place to another."""
        for sent in self._live_haves.values():
            return sent + self._options.have_patience <= now
        return False

    def _evict(self, now: float) -> None:
        """Take back wants whose answer is known, then tired want-haves, until the pending wants fit."""
        room = self._room() + len(self._withdrawn)
        wanted = max(min(len(self._pending), self._options.max_outstanding_wants) - room, 0)
        idle = list(islice((cid for cid in self._parked if cid not in self._pending), wanted))
        for cid in idle:
            del self._parked[cid]
            self._cancels[cid] = None
        tired = _sent_until(self._live_haves, self._options.have_patience, now)
        for cid in tired[: wanted - len(idle)]:
            del self._live_haves[cid]
            self._cancels[cid] = None
            # Behind the others, so that every want has its turn.
            self._pending[cid] = _RESENT_HAVE

    # -- time

    def next_deadline(self) -> float | None:
        """When `on_deadline` has something to do, or a message is due; None: not by itself."""
        options = self._options
        times: list[float] = []
        for sent in self._live_blocks.values():
            times.append(sent + options.resend_after)
            if options.simulate_dont_haves:
                times.append(max(sent, self._last_answer) + self.times.timeout)
            break
        for sent in self._live_haves.values():
            times.append(sent + options.resend_after)
            if self._under_way is None and self._is_full():
                times.append(max(sent + options.have_patience, self._not_before))
            break
        if self._under_way is None:
            if self._answered or self._withdrawn:
                times.append(max(self._cancels_due, self._not_before))
            if self._pending and not self._urgent and not self._is_full():
                times.append(max(self._broadcast_due, self._not_before))
            if self._not_before and (self._pending or self._cancels):
                times.append(self._not_before)
        return min(times, default=None)

    def on_deadline(self, now: float) -> list[CID]:
        """Put wants unanswered for too long back into the queue; returns those taken as DONT_HAVE.

        They stay with the peer, so that a late answer is still good.
        """
        if self._not_before <= now:
            self._not_before = 0.0
        for live, entry in ((self._live_blocks, _RESENT), (self._live_haves, _RESENT_HAVE)):
            for cid in _sent_until(live, self._options.resend_after, now):
                del live[cid]
                self._parked[cid] = entry is _RESENT
                self._pending.setdefault(cid, entry)
                self._urgent = True
        timeout = self.times.timeout
        if not self._options.simulate_dont_haves or self._last_answer + timeout > now:
            return []
        expired = _sent_until(self._live_blocks, timeout, now)
        for cid in expired:
            del self._live_blocks[cid]
            self._parked[cid] = True
        return expired

    # -- reading

    @property
    def blocks_asked(self) -> Mapping[CID, float]:
        """The blocks that the peer was asked for and has not sent, and when; not to be changed."""
        return self._live_blocks

    @property
    def supports_have(self) -> bool:
        """Whether the peer can be asked if it has a block."""
        return self._supports_have

    @property
    def questions(self) -> Mapping[CID, float]:
        """What the peer was asked if it has, and has not answered, and when; not to be changed."""
        return self._live_haves

    def cids(self) -> Iterable[CID]:
        """Everything that is asked or about to be asked of the peer."""
        return {**self._pending, **self._live_blocks, **self._live_haves, **self._parked}

    def state(self, cid: CID) -> str | None:
        """What became of asking for `cid`, in words; None if the peer was not asked."""
        if cid in self._live_blocks:
            return "asked for the block"
        if cid in self._live_haves:
            return "asked whether it has the block"
        if cid in self._pending:
            return "about to be asked"
        if cid in self._parked:
            return "asked before"
        return None


def _sent_until(live: dict[CID, float], age: float, now: float) -> list[CID]:
    """The wants that have at least this age; they stand in front."""
    found: list[CID] = []
    for cid, sent in live.items():
        if sent + age > now:
            break
        found.append(cid)
    return found
