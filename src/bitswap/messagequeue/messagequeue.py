"""The wants and cancels of one peer, merged while a message is under way (boxo MessageQueue).

A machine: whoever drives it sends what `next_message` returns and says how that went. `_pending` holds what
is to be sent, and the account what the peer may hold of us, at most `places.count`. A CID may be in
both and then takes no further place. What a message cancels makes room for the next one only, because boxo
reads the wants of a message before its cancels. Want-haves of a broadcast to a peer that never had anything
wait until the last ones are `broadcast_spacing` old, or for a message that goes anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from bitswap.cid import CID
from bitswap.message import Message, WantType
from bitswap.messagequeue.account import NEVER, Account, sent_until
from bitswap.messagequeue.places import Places
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
        self.places = Places(options)
        self._options = options
        self._supports_have = supports_have
        self.times.tells_lacks(supports_have)
        self._pending: dict[CID, _Entry] = {}
        self._again: dict[CID, _Entry] = {}  # once the peer was told to forget them
        self._account = Account()
        self._cancels_due = 0.0  # of those that can wait
        self._urgent = False  # whether something pending can not wait
        self._broadcast_due = 0.0  # when the rest of it is to go
        self._under_way: dict[CID, _Entry] | None = None
        self._broadcast = 0  # of what is under way
        self.last_block: float | None = None
        """When the last block came that was asked for."""
        self._last_answer = 0.0
        self._not_before = 0.0
        self._failures = 0

    # -- what is wanted

    def want_blocks(self, asks: Iterable[Ask]) -> None:
        """Ask for blocks, with DONT_HAVE if the peer lacks them; what is asked for already stays as it is."""
        pending, account, again = self._pending, self._account, self._again
        asked, questions = account.asked, account.questions
        for cid, priority in asks:
            if cid in asked:
                continue
            if cid in again:
                again[cid] = (priority, _BLOCK, True)
                continue
            if cid in questions:
                # An upgrade: the peer holds the want already, so it takes no further place.
                account.parked[cid] = (False, questions.pop(cid))
            pending[cid] = (priority, _BLOCK, True)
            self._urgent = True

    def want_haves(self, asks: Iterable[Ask], *, dont_have: bool) -> bool:
        """Ask whether the peer has blocks; `dont_have`: a no is wanted too.

        A peer that knows no HAVE is asked for the block in a broadcast, where no answer is expected, and is
        left alone otherwise (boxo); then this returns False.
        """
        if not self._supports_have and dont_have:
            return False
        entry_type = _HAVE if self._supports_have else _BLOCK
        pending, asked, questions = self._pending, self._account.asked, self._account.questions
        for cid, priority in asks:
            if cid in asked or cid in questions or cid in pending or cid in self._again:
                continue
            pending[cid] = (priority, entry_type, dont_have)
            self._urgent = self._urgent or dont_have or self.last_block is not None
        return True

    def cancel(self, cids: Iterable[CID], now: float) -> None:
        """Nobody wants these any more: tells at once where a block may still come, some time elsewhere.

        A peer that said it lacks the block sends it after all as soon as it gets it.
        """
        options = self._options
        account = self._account
        for cid in cids:
            self._pending.pop(cid, None)
            self._again.pop(cid, None)
            waiting = account.waiting
            asked_for_block = account.cancel(cid)
            if asked_for_block is not None:
                soon = asked_for_block or (self.last_block or -1.0) + options.cancel_delay > now
                due = now + (options.withdraw_delay if soon else options.cancel_delay)
                self._cancels_due = min(self._cancels_due, due) if waiting else due

    # -- what the peer says

    def received(
        self, blocks: Sequence[CID], haves: Sequence[CID], dont_haves: Sequence[CID], now: float
    ) -> None:
        """The peer answered; each answer makes room for another want at once."""
        options = self._options
        account = self._account
        due = now + options.cancel_delay
        self._cancels_due = min(self._cancels_due, due) if account.waiting else due
        if self._pending or self._again:
            for cid in blocks:
                self._pending.pop(cid, None)
                self._again.pop(cid, None)
        # What is older is no measure of the way to the peer (boxo maxValidLatency).
        after = now - options.resend_after
        matched, by_block, oldest = account.received(blocks, haves, dont_haves, after)
        if by_block:
            self.last_block = now
        if matched:
            self._last_answer = now
        if oldest != NEVER:
            self.times.answered(now - oldest)

    def answer_too_large(self, size: int) -> None:
        """A message of `size` bytes came from the peer, more than may be, and was not read.

        What it answered is not known: all that was not answered is cancelled, since there are servers that
        keep a want which they have served, and then asked for anew, less at a time.
        """
        if self.places.overfull(len(self._account.asked) + len(self._account.questions), size):
            asked, questions = self._account.take_back()
            self._again.update((cid, _RESENT) for cid in asked)
            self._again.update((cid, _RESENT_HAVE) for cid in questions)

    def _ask_again(self) -> None:
        """What the peer was told to forget, or what did not get there, is wanted anew."""
        ready = {cid: entry for cid, entry in self._again.items() if cid not in self._account.cancels}
        for cid in ready:
            del self._again[cid]
        self._pending = ready | self._pending
        self._urgent = True

    def set_have_support(self, supports_have: bool) -> None:
        """What the negotiated protocol says; it never changes back to yes, even if the stream is lost."""
        if supports_have or not self._supports_have:
            return
        self._supports_have = False
        self.times.tells_lacks(False)
        self._account.read_as_wants_for_blocks()
        pending, self._pending = self._pending, {}
        for cid, (priority, want_type, dont_have) in pending.items():
            if want_type == _BLOCK:
                self._pending[cid] = (priority, want_type, dont_have)
            elif not dont_have:
                self._pending[cid] = (priority, _BLOCK, False)
        self._again = dict.fromkeys(self._again, _RESENT)

    # -- messages

    def has_message(self, now: float) -> bool:
        """Whether `next_message` would return one."""
        if self._under_way is not None or now < self._not_before:
            return False
        if self._account.cancels:
            return True
        waiting = self._account.waiting
        if waiting and (now >= self._cancels_due or waiting >= self._options.max_delayed_cancels):
            return True
        if not self._pending or not (self._urgent or now >= self._broadcast_due):
            return False
        return self._can_take() or self._is_tired(now)

    def next_message(self, now: float) -> Message | None:
        """What the peer should be told now, or None; nothing more until it was sent or has failed."""
        if not self.has_message(now):
            return None
        message = Message()
        full = self._is_full()
        wants = self._take(self._room())
        if full:
            self._evict(wants, now)
        cancels = self._account.owed(wants)
        size = 0
        for cid in cancels:
            size += message.cancel(cid)
        if size + len(wants) * 64 > self._options.max_message_bytes:
            wants = self._fit(wants, self._options.max_message_bytes - size)
        self._account.tell(wants, cancels)
        self._broadcast = self._add_wants(message, wants, now)
        if self._account.denied:
            self._soften(message)
        if self._broadcast:
            self._broadcast_due = now + self._options.broadcast_spacing
        self._urgent = bool(self._pending) and self._urgent
        self._under_way = wants
        return message

    def _take(self, room: int) -> dict[CID, _Entry]:
        """Up to `room` pending wants, first come first, and those that take no further place."""
        pending, account = self._pending, self._account
        if len(pending) <= room:
            self._pending = {}
            return pending
        wants = dict(islice(pending.items(), room))
        for box in (account.parked, account.withdrawn, account.cancels):
            wants.update((cid, pending[cid]) for cid in box if cid in pending)
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
        asked, questions = self._account.asked, self._account.questions
        broadcast = 0
        for cid, (priority, want_type, dont_have) in wants.items():
            message.add_entry(cid, priority, want_type, dont_have)
            if want_type == _BLOCK:
                asked[cid] = now
            else:
                questions[cid] = now
                if not dont_have:
                    broadcast += 1
        return broadcast

    def _soften(self, message: Message) -> None:
        """Of what the peer lacks it is to say when it has it, and not to send it: another one may by then.

        That is worth an entry, but no message of its own. It need not answer now.
        """
        account = self._account
        denied, account.denied = account.denied, {}
        if self._supports_have:
            for cid in denied:
                if cid not in self._pending and account.soften(cid):
                    message.add_entry(cid, 1, _HAVE, False)

    def message_sent(self, now: float) -> int:
        """The message left; the next one may be built. Returns how many want-haves of a broadcast it had."""
        self._under_way = None
        self._account.told()
        self._failures = 0
        if self._again:
            self._ask_again()
        return self._broadcast

    def message_failed(self, now: float) -> bool:
        """The message was not sent: its wants and cancels go out again, after a pause.

        True each time that `send_attempts` have failed in a row.
        """
        if self._under_way is None:
            return False
        wants, self._under_way = self._under_way, None
        again = {cid: wants[cid] for cid in self._account.untold(wants)}
        self._pending = again | self._pending
        if self._again:
            self._ask_again()
        self._urgent = True
        self._cancels_due = now
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
        return self._account.outstanding

    def _room(self) -> int:
        return max(self.places.count - self._account.outstanding, 0)

    def _is_full(self) -> bool:
        """Whether there is less room than is worth a message."""
        return self._room() < min(len(self._pending), self.places.refill)

    def _can_take(self) -> bool:
        """Whether pending wants can be sent, or room be made for them.

        What is parked takes no further place when it is wanted again, and gives its place up when it is not.
        """
        return not self._is_full() or bool(self._account.parked) or bool(self._account.withdrawn)

    def _is_tired(self, now: float) -> bool:
        """Whether a want-have was left unanswered for so long that it gives its place to another."""
        for sent in self._account.questions.values():
            return sent + self._options.have_patience <= now
        return False

    def _evict(self, wants: Mapping[CID, _Entry], now: float) -> None:
        """Take back wants whose answer is known, then tired want-haves, until what is pending fits.

        `wants` go with this message, and what was cancelled before leaves with it.
        """
        account = self._account
        freed = sum(cid not in wants for box in (account.cancels, account.withdrawn) for cid in box)
        wanted = max(min(len(self._pending), self.places.count) - freed, 0)
        idle = list(islice((cid for cid in account.parked if cid not in wants), wanted))
        tired = sent_until(account.questions, self._options.have_patience, now)[: wanted - len(idle)]
        account.evict([*idle, *tired])
        for cid in tired:
            # Behind the others, so that every want has its turn.
            self._pending[cid] = _RESENT_HAVE

    # -- time

    def next_deadline(self) -> float | None:
        """When `on_deadline` has something to do, or a message is due; None: not by itself."""
        options, account = self._options, self._account
        times: list[float] = []
        for sent in account.asked.values():
            times.append(sent + options.resend_after)
            if options.simulate_dont_haves:
                times.append(max(sent, self._last_answer) + self.times.timeout)
            break
        for sent in account.questions.values():
            times.append(sent + options.resend_after)
            break
        if self._under_way is None:
            if account.waiting:
                times.append(max(self._cancels_due, self._not_before))
            if self._pending:
                times.append(max(self._wants_due(), self._not_before))
            if self._not_before and (self._pending or account.cancels):
                times.append(self._not_before)
        return min(times, default=None)

    def _wants_due(self) -> float:
        """When what is pending can go, by itself."""
        due = 0.0 if self._urgent else self._broadcast_due
        if self._can_take():
            return due
        for sent in self._account.questions.values():
            return max(due, sent + self._options.have_patience)
        return NEVER

    def on_deadline(self, now: float) -> list[CID]:
        """Put wants unanswered for too long back into the queue; returns those taken as DONT_HAVE.

        They stay with the peer, so that a late answer is still good.
        """
        if self._not_before <= now:
            self._not_before = 0.0
        account = self._account
        for live, entry in ((account.asked, _RESENT), (account.questions, _RESENT_HAVE)):
            for cid in account.give_up(live, self._options.resend_after, now):
                self._pending.setdefault(cid, entry)
                self._urgent = True
        timeout = self.times.timeout
        if not self._options.simulate_dont_haves or self._last_answer + timeout > now:
            return []
        return account.give_up(account.asked, timeout, now)

    # -- reading

    @property
    def blocks_asked(self) -> Mapping[CID, float]:
        """The blocks that the peer was asked for and has not sent, and when; not to be changed."""
        return self._account.asked

    @property
    def supports_have(self) -> bool:
        """Whether the peer can be asked if it has a block."""
        return self._supports_have

    @property
    def questions(self) -> Mapping[CID, float]:
        """What the peer was asked if it has, and has not answered, and when; not to be changed."""
        return self._account.questions

    def cids(self) -> Iterable[CID]:
        """Everything that is asked or about to be asked of the peer."""
        account = self._account
        return {**self._pending, **self._again, **account.asked, **account.questions, **account.parked}

    def state(self, cid: CID) -> str | None:
        """What became of asking for `cid`, in words; None if the peer was not asked."""
        if cid in self._account.asked:
            return "asked for the block"
        if cid in self._account.questions:
            return "asked whether it has the block"
        if cid in self._pending or cid in self._again:
            return "about to be asked"
        if cid in self._account.parked:
            return "asked before"
        return None
