"""What one peer may hold of our wants, and what of it the peer is still to be told to forget.

A machine. Every CID is in at most one of

- `asked`, `questions`: wants for the block and for a HAVE, sent and not answered, oldest first;
- `parked`: answered or given up, but the peer may still keep the want (a server keeps what it said DONT_HAVE
  to);
- `cancels`: not wanted any more, and to be cancelled at once, because a block may still come;
- `withdrawn`: to be cancelled some time, because at most a HAVE can still come;
- `served`: to be cancelled some time, because some servers keep what they have served until told.

All but the last are what the peer is taken to hold of us. What is owed here leaves only with a message that
was sent, or with the block: a want that is sent takes the place of a cancel, and one that is only about to be
sent does not, since it may be taken back, or be lost with its message.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import repeat

from bitswap.cid import CID

Held = tuple[bool, float | None]
"""Whether the block was asked for, and when, if there was no answer."""

_Box = dict[CID, Held]
_Lifted = list[tuple[_Box, _Box]]  # where it was, and what

_SERVED: Held = (True, None)
_SAID_HAVE: Held = (False, None)
_SAID_NO: Held = (True, None)

NEVER = float("inf")


class Account:
    """What is sent, answered and owed at one peer. Times are those of the machine, in seconds."""

    def __init__(self) -> None:
        self.asked: dict[CID, float] = {}
        self.questions: dict[CID, float] = {}
        self.parked: _Box = {}
        self.cancels: _Box = {}
        self.withdrawn: _Box = {}
        self.served: _Box = {}
        self.denied: dict[CID, None] = {}
        """For what a DONT_HAVE came since the last message."""
        self._owed = (self.cancels, self.served, self.withdrawn)
        self._boxes = (self.parked, *self._owed)
        self._replaced: _Lifted = []  # by the wants of the message under way
        self._cancelled: _Lifted = []  # by its cancels
        self._softened: list[CID] = []

    @property
    def outstanding(self) -> int:
        """Wants that the peer is taken to hold."""
        return (
            len(self.asked) + len(self.questions) + len(self.parked) + len(self.withdrawn) + len(self.cancels)
        )

    @property
    def waiting(self) -> int:
        """Cancels that are owed, but not at once."""
        return len(self.served) + len(self.withdrawn)

    # -- what is wanted no more

    def cancel(self, cid: CID) -> bool | None:
        """Now a cancel is owed. Returns, if it may wait, whether the block was asked for; None elsewhere."""
        sent = self.asked.pop(cid, None)
        if sent is not None:
            self.cancels[cid] = (True, sent)
            return None
        sent = self.questions.pop(cid, None)
        held = self.parked.pop(cid, None) if sent is None else (False, sent)
        if held is None:
            return None
        self.withdrawn[cid] = held
        return held[0]

    def evict(self, cids: Iterable[CID]) -> None:
        """Makes room for other wants: a cancel is owed at once."""
        for cid in cids:
            held = self.parked.pop(cid, None)
            self.cancels[cid] = (False, self.questions.pop(cid)) if held is None else held

    def take_back(self) -> tuple[list[CID], list[CID]]:
        """Everything that was sent and not answered is to be cancelled at once, to be asked for anew.

        Returns the wants for blocks and for HAVEs; what was given up is cancelled as well.
        """
        asked, questions = list(self.asked), list(self.questions)
        self.cancels.update((cid, (True, sent)) for cid, sent in self.asked.items())
        self.cancels.update((cid, (False, sent)) for cid, sent in self.questions.items())
        given_up = [cid for cid, held in self.parked.items() if held[1] is not None]
        self.cancels.update((cid, self.parked.pop(cid)) for cid in given_up)
        self.asked.clear()
        self.questions.clear()
        return asked, questions

    # -- what the peer says

    def received(
        self, blocks: Iterable[CID], haves: Iterable[CID], dont_haves: Iterable[CID], after: float
    ) -> tuple[bool, bool, float]:
        """Whether this answers anything, also again or late; whether with a block; when the oldest was sent.

        Of the wants that were not answered before and were sent after `after`; `NEVER` if there is none.
        """
        by_block = False
        oldest = NEVER
        asked, served = self.asked, self.served
        blocks = list(blocks)
        times = list(map(asked.pop, blocks, repeat(None)))
        if times and None not in times:
            # As nearly always: they were asked for, and not answered before.
            served.update(dict.fromkeys(blocks, _SERVED))
            by_block = True
            oldest = min((sent for sent in set(times) if sent is not None and sent > after), default=NEVER)
            blocks = []
        for cid, sent in zip(blocks, times, strict=False):
            if sent is None:
                held = self._block_out_of_turn(cid)
                if held is None:
                    continue
                sent = held[1]
            served[cid] = _SERVED
            by_block = True
            if sent is not None and after < sent < oldest:
                oldest = sent
        matched = by_block
        for cids, no in ((haves, False), (dont_haves, True)):
            for cid in cids:
                known, sent = self._said(cid, no)
                matched = matched or known
                if sent is not None and after < sent < oldest:
                    oldest = sent
        for emptied in (asked, self.questions, self.parked):
            if not emptied:
                emptied.clear()  # gives its memory back
        return matched, by_block, oldest

    def _block_out_of_turn(self, cid: CID) -> Held | None:
        """A block not waited for as such: the answer to a question, to a want given up or taken back."""
        sent = self.questions.pop(cid, None)
        if sent is not None:
            return (False, sent)
        for box in (self.parked, self.withdrawn, self.cancels):
            held = box.pop(cid, None)
            if held is not None:
                return held
        return None

    def _said(self, cid: CID, no: bool) -> tuple[bool, float | None]:
        """HAVE or DONT_HAVE: whether it answers anything, and when that was sent if for the first time."""
        sent = self.questions.pop(cid, None)
        if sent is not None:
            self.parked[cid] = _SAID_HAVE
            return True, sent
        sent = self.asked.pop(cid, None) if no else None
        if sent is not None:
            self.parked[cid] = _SAID_NO
            self.denied[cid] = None
            return True, sent
        held = self.parked.get(cid)
        if held is None:
            return False, None
        if held[0] and not no:
            return True, None  # is no answer to a want for the block
        self.parked[cid] = (held[0], None)
        return True, held[1]

    def give_up(self, live: dict[CID, float], age: float, now: float) -> list[CID]:
        """Parks those of `asked` or `questions` that have this age; a late answer is still good."""
        found = sent_until(live, age, now)
        for cid in found:
            self.parked[cid] = (live is self.asked, live.pop(cid))
        return found

    def read_as_wants_for_blocks(self) -> None:
        """The peer knows no HAVE: it has read the questions as such."""
        live = [*self.asked.items(), *self.questions.items()]
        self.asked = dict(sorted(live, key=lambda item: item[1]))
        self.questions = {}

    # -- messages

    def owed(self, wants: Collection[CID]) -> dict[CID, None]:
        """What a message with these wants is to cancel."""
        owed: dict[CID, None] = {}
        for box in self._owed:
            if box:
                apart = box.keys().isdisjoint(wants)
                owed.update(dict.fromkeys(box if apart else [cid for cid in box if cid not in wants]))
        return owed

    def tell(self, wants: Collection[CID], cancels: Collection[CID]) -> None:
        """A message is under way; the caller enters its wants into `asked` and `questions`."""
        self._replaced = _lift(self._boxes, wants)
        self._cancelled = _lift(self._owed, cancels)

    def soften(self, cid: CID) -> bool:
        """Whether the peer keeps a want for the block that it lacks; the message makes a want-have of it."""
        if self.parked.get(cid) != _SAID_NO:
            return False
        self.parked[cid] = _SAID_HAVE
        self._softened.append(cid)
        return True

    def told(self) -> None:
        """The message was sent."""
        self._replaced = []
        self._cancelled = []
        self._softened = []

    def untold(self, wants: Iterable[CID]) -> list[CID]:
        """The message was not sent: all is as before. Returns which of its wants still wait for an answer."""
        before = {cid: (box, held) for box, lifted in self._replaced for cid, held in lifted.items()}
        again: list[CID] = []
        for cid in wants:
            owed = self._box_of_cancel(cid)
            if owed is not None:
                del owed[cid]
            elif self._take_live(cid):
                again.append(cid)
            else:
                continue  # answered meanwhile
            if cid in before:
                box, held = before[cid]
                # What was taken back meanwhile is owed to the peer although it was not before.
                target = owed if owed is not None and box is self.parked else box
                target[cid] = held
        for box, lifted in self._cancelled:
            box.update(lifted)
        for cid in self._softened:
            if cid in self.parked:
                self.parked[cid] = _SAID_NO
                self.denied[cid] = None
        self.told()
        return again

    def _box_of_cancel(self, cid: CID) -> _Box | None:
        """Where it is if it was taken back since the message was built."""
        return self.cancels if cid in self.cancels else self.withdrawn if cid in self.withdrawn else None

    def _take_live(self, cid: CID) -> bool:
        """Whether the want was sent and not answered; it is no more."""
        if self.asked.pop(cid, None) is not None or self.questions.pop(cid, None) is not None:
            return True
        if self.parked.get(cid, _SAID_NO)[1] is None:
            return False
        del self.parked[cid]
        return True


def _lift(boxes: Iterable[_Box], cids: Collection[CID]) -> _Lifted:
    lifted: _Lifted = []
    for box in boxes:
        if not box or not cids:
            continue
        if len(box) <= len(cids):
            found = {cid: held for cid, held in box.items() if cid in cids}
        else:
            found = {cid: box[cid] for cid in cids if cid in box}
        if len(found) == len(box):
            box.clear()
        else:
            for cid in found:
                del box[cid]
        if found:
            lifted.append((box, found))
    return lifted


def sent_until(live: dict[CID, float], age: float, now: float) -> list[CID]:
    """The wants that have at least this age; they stand in front."""
    found: list[CID] = []
    for cid, sent in live.items():
        if sent + age > now:
            break
        found.append(cid)
    return found
