"""How one want stands at one peer: when it was sent, what holds it back, what happens if nothing comes."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from bitswap.cid import CID
from bitswap.messagequeue.messagequeue import MessageQueue


class Hold(Enum):
    """Why a want has not been sent yet, as what follows "the peer is told"."""

    NOTHING = "with the next message"
    UNDER_WAY = "once the message before it has left"
    FAILED = "in another attempt, because sending failed"
    FULL = "once it has answered others: it has as many wants as it may"
    SPACED = "together with others"


class Standing(NamedTuple):
    """One want at one peer. Times are those of the machine, in seconds."""

    for_block: bool
    """Whether the peer is asked for the block, not only whether it has it."""
    sent: float | None
    """When it was sent, if it still waits for its answer."""
    hold: Hold | None
    """What keeps it back; None if it was sent."""
    free: float | None
    """When it is kept back no longer, where that is known."""
    silent: float | None
    """When silence counts as a DONT_HAVE."""
    resent: float | None
    """When it is sent once more."""


def standing(queue: MessageQueue, cid: CID, now: float) -> Standing | None:
    """None where the peer was not asked, or where nothing more is done about it: answered, or given up."""
    options = queue._options
    pending = queue._pending.get(cid) or queue._again.get(cid)
    if pending is not None:
        hold, free = _hold(queue, pending[2], now)
        return Standing(pending[1] == 0, None, hold, free, None, None)
    sent = queue.blocks_asked.get(cid)
    if sent is not None:
        silent = None
        if options.simulate_dont_haves:
            silent = max(sent, queue._last_answer) + queue.times.timeout
        return Standing(True, sent, None, None, silent, sent + options.resend_after)
    sent = queue.questions.get(cid)
    if sent is not None:
        return Standing(False, sent, None, None, None, sent + options.resend_after)
    return None


def _hold(queue: MessageQueue, answered: bool, now: float) -> tuple[Hold, float | None]:
    """`answered`: the peer is to say DONT_HAVE, so that the want does not wait for company."""
    if queue._under_way is not None:
        return Hold.UNDER_WAY, None
    if now < queue._not_before:
        return Hold.FAILED, queue._not_before
    if queue._is_full():
        return Hold.FULL, None
    if not answered and not queue._urgent and now < queue._broadcast_due:
        return Hold.SPACED, queue._broadcast_due
    return Hold.NOTHING, None
