"""One answer that a peer is owed: what it will be, what it weighs, and how two of them become one.

Kinds: a block (`have` and `want_block`), a HAVE (`have` only), a DONT_HAVE (not `have`). Source: boxo
`decision/engine.go` and `task_merger.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from bitswap.cid import CID
from bitswap.decision.interface import TaskInfo
from bitswap.options import MAX_FRAME

BLOCK_OVERHEAD = 64
"""Bytes of a frame that a block takes besides its data and CID, at most."""
PRESENCE_OVERHEAD = 16
"""Bytes of a frame that a presence takes besides its CID, at most."""
MESSAGE_OVERHEAD = 64
"""Bytes of a frame besides blocks and presences, at most."""


SURELY_FITS = MAX_FRAME - 4096
"""Bytes of a block that one message can carry under any CID of sane length."""


def largest_block(cid: CID) -> int:
    """Bytes of the largest block under `cid` that one message can carry."""
    return MAX_FRAME - MESSAGE_OVERHEAD - BLOCK_OVERHEAD - len(cid)


def presence_size(cid: CID) -> int:
    """Bytes of a HAVE or DONT_HAVE as boxo counts them: the encoded body of a HAVE."""
    length = len(cid)
    return length + 2 if length < 128 else length + 3


class QueuedTask:
    """One answer; owned by the queue of one peer, which alone changes it."""

    __slots__ = (
        "cid",
        "have",
        "order",
        "priority",
        "send_dont_have",
        "seq",
        "size",
        "sized",
        "want_block",
        "work",
    )

    def __init__(
        self, cid: CID, priority: int, size: int | None, want_block: bool, send_dont_have: bool
    ) -> None:
        self.cid = cid
        self.priority = priority
        self.have = size is not None
        self.size = size or 0
        self.sized = True  # False: as a block it weighs nothing, see `unsized`
        self.want_block = want_block
        self.send_dont_have = send_dont_have
        self.work = self.size if want_block and size is not None else presence_size(cid)
        self.order: Any = -priority
        self.seq = 0

    @classmethod
    def unsized(cls, cid: CID, priority: int, size: int, send_dont_have: bool) -> QueuedTask:
        """A HAVE found by asking for presence alone; if it becomes a block its bytes are not counted.

        So boxo does with no WantHaveReplaceSize, and thus fills its messages and counts pendingBytes. `size`
        still keeps what is taken at once below the largest frame.
        """
        task = cls(cid, priority, size, False, send_dont_have)
        task.sized = False
        return task

    @property
    def is_block(self) -> bool:
        return self.have and self.want_block

    @property
    def wire(self) -> int:
        """Bytes of a frame that it takes, at most."""
        length = len(self.cid)
        return length + (self.size + BLOCK_OVERHEAD if self.have and self.want_block else PRESENCE_OVERHEAD)

    def info(self, peer: str) -> TaskInfo:
        return TaskInfo(
            peer, self.cid, self.priority, self.want_block, self.send_dont_have, self.have, self.size
        )

    def merge(self, new: QueuedTask) -> None:
        """Take from `new`, for the same CID, what it knows or asks for beyond this; nothing is taken back.

        Whether DONT_HAVE was asked for stays as it first was, as in boxo.
        """
        if new.have and not self.have:
            self.have = True
            self.size = new.size
            self.sized = new.sized
        self.want_block = self.want_block or new.want_block
        self.raise_priority(new)
        self.weigh()

    def replace(self, new: QueuedTask) -> None:
        """Become `new`, for the same CID, but with the higher priority of both."""
        self.have, self.size, self.sized = new.have, new.size, new.sized
        self.want_block, self.send_dont_have = new.want_block, new.send_dont_have
        self.raise_priority(new)
        self.weigh()

    def raise_priority(self, other: QueuedTask) -> None:
        self.priority = max(self.priority, other.priority)

    def weigh(self) -> None:
        """Set `work`: bytes of the block or presence. Not while it is under way, where it is booked."""
        if self.have and self.want_block:
            self.work = self.size if self.sized else 0
        else:
            self.work = presence_size(self.cid)

    def vanish(self) -> None:
        """The block turned out not to be there. If it comes while this is under way, that is news."""
        self.have = False
        self.size = 0

    def __repr__(self) -> str:
        kind = "block" if self.is_block else "HAVE" if self.have else "DONT_HAVE"
        return f"<QueuedTask {kind} {self.cid} priority {self.priority}>"


def has_new_info(task: QueuedTask, active: Iterable[QueuedTask]) -> bool:
    """Whether `task` says more than those under way: the block is first asked for, or first there."""
    block = have = False
    for other in active:
        block = block or other.want_block
        have = have or other.have
    return (task.want_block and not block) or (task.have and not have)


class Merger(NamedTuple):
    """What becomes of an answer for a CID that is queued or under way (go-peertaskqueue `TaskMerger`)."""

    is_news: Callable[[QueuedTask, Iterable[QueuedTask]], bool]
    """(new, those under way) -> whether it is queued although they are under way."""
    merge: Callable[[QueuedTask, QueuedTask], None]
    """(queued, new): the queued one takes the new one in."""
    take_back: Callable[[QueuedTask, QueuedTask], None]
    """(queued, old): the queued one takes in an older one that was not sent."""


BITSWAP = Merger(has_new_info, QueuedTask.merge, QueuedTask.merge)

MERGERS = {
    "bitswap": BITSWAP,
    "first": Merger(lambda new, active: False, QueuedTask.raise_priority, QueuedTask.raise_priority),
    "replace": Merger(lambda new, active: True, QueuedTask.replace, QueuedTask.raise_priority),
}
