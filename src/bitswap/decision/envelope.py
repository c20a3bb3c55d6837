"""What is sent to one peer at a time (boxo `decision.Envelope`), from the answers taken to the message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.task import (
    BLOCK_OVERHEAD,
    MESSAGE_OVERHEAD,
    PRESENCE_OVERHEAD,
    QueuedTask,
    largest_block,
)
from bitswap.options import MAX_FRAME

if TYPE_CHECKING:
    from bitswap.decision.lanes import Batch
    from bitswap.decision.peer_ledger import Want
    from bitswap.message import Message

INT32_MAX = 2**31 - 1


class Envelope:
    """Answers taken for `peer`: read the blocks `cids`, `fill` it, send, say how it went."""

    __slots__ = ("answered", "batch", "block_bytes", "block_count", "cids", "filled", "peer")

    def __init__(self, batch: Batch) -> None:
        self.peer = batch.peer
        self.cids: list[CID] = [task.cid for task in batch.taken if task.is_block]
        """Blocks to read."""
        self.batch = batch
        self.filled = False
        self.answered: list[Want] = []
        """Wants taken out of the ledger when it was filled."""
        self.block_count = 0
        self.block_bytes = 0
        """Blocks in the message, and bytes of their data."""

    @property
    def pending_bytes(self) -> int:
        """Bytes still queued for the peer once this is sent (the message's pendingBytes)."""
        return min(self.batch.pending_work, INT32_MAX)

    @property
    def ended(self) -> bool:
        return self.batch.ended


class Contents:
    """The answers of an envelope put into a message, and what could not go into it."""

    __slots__ = ("blocks", "haves", "later", "message")

    def __init__(
        self, envelope: Envelope, found: Sequence[Block | None], message: Message, dont_haves: bool
    ) -> None:
        """`found` are the blocks `envelope.cids`, `message` is empty; `dont_haves` says whether a peer that
        asked for it is told of a block that has vanished."""
        self.message = message
        message.pending_bytes = envelope.pending_bytes
        self.blocks: list[Block] = []
        self.haves: list[CID] = []
        self.later: list[QueuedTask] = []
        """Not in it, and still owed: does not fit, or was asked for again after it was read in vain."""
        batch = envelope.batch
        room = MAX_FRAME - MESSAGE_OVERHEAD
        read = iter(found)
        for task in batch.taken:
            cid = task.cid
            if task.is_block:
                block = next(read)
                length = len(block.data) if block is not None else 0
                if block is not None and length <= largest_block(cid):
                    room -= len(cid) + length + BLOCK_OVERHEAD
                    if room < 0:
                        self.later.append(task)
                    else:
                        self.blocks.append(block if block.cid == cid else Block(cid, block.data))
                    continue
                if batch.lane.queue.is_repeated(cid):
                    self.later.append(task)
                    continue
                task.vanish()
                if not (task.send_dont_have and dont_haves):
                    continue
            room -= len(cid) + PRESENCE_OVERHEAD
            if room < 0:
                self.later.append(task)
            elif task.have and not task.want_block:
                self.haves.append(cid)
                message.add_have(cid)
            else:
                message.add_dont_have(cid)
        for block in self.blocks:
            message.add_block(block)
