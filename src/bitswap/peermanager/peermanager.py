"""Connected peers and their message queues, and which of them were asked for a CID.

Stands between sessions, which say what they want of whom, and the driver, which pulls one message a peer. A
want that two sessions have in common is on the wire once, and is cancelled when the last of them has lost
interest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import itemgetter
from typing import NamedTuple

from bitswap.cid import CID
from bitswap.deadlines import Deadlines
from bitswap.message import Message
from bitswap.messagequeue import Ask, MessageQueue
from bitswap.network.interface import Peer
from bitswap.options import ClientOptions

_CID = itemgetter(0)


class Outgoing(NamedTuple):
    """A message to send, and the queue to tell how that went."""

    peer: Peer
    message: Message
    queue: MessageQueue


class PeerManager:
    """One MessageQueue a connected peer (boxo PeerManager and peerWantManager)."""

    def __init__(self, options: ClientOptions, deadlines: Deadlines[object]) -> None:
        self._options = options
        self._deadlines = deadlines
        self._queues: dict[Peer, MessageQueue] = {}
        # A tuple is shared by all CIDs that only one peer was asked for, which is nearly all of them.
        self._asked: dict[CID, tuple[MessageQueue, ...]] = {}
        self._alone: dict[Peer, tuple[MessageQueue, ...]] = {}
        self._touched: dict[Peer, MessageQueue] = {}
        self.wanthaves_broadcast = 0
        """Want-haves of broadcasts in messages that were sent."""
        self.broadcast_skips = 0
        """Peers that broadcasts left out."""

    # -- connections

    def connected(self, peer: Peer, *, supports_have: bool = True) -> bool:
        """Make a queue for `peer`; False if it has one."""
        if peer in self._queues:
            self._queues[peer].set_have_support(supports_have)
            return False
        queue = MessageQueue(peer, self._options, supports_have=supports_have)
        self._queues[peer] = queue
        self._alone[peer] = (queue,)
        return True

    def disconnected(self, peer: Peer) -> MessageQueue | None:
        """Forget the queue of `peer` with all that it holds, and return it; None if there is none."""
        queue = self._queues.pop(peer, None)
        if queue is None:
            return None
        del self._alone[peer]
        self._touched.pop(peer, None)
        self._deadlines.remove(queue)
        for cid in queue.cids():
            left = tuple(other for other in self._asked.get(cid, ()) if other is not queue)
            if left:
                self._asked[cid] = left
            else:
                self._asked.pop(cid, None)
        return queue

    def peers(self) -> Sequence[Peer]:
        return list(self._queues)

    def peers_by_use(self) -> tuple[list[Peer], list[Peer]]:
        """Those that have sent wanted blocks, whoever did last first; and the others."""
        useful = [queue for queue in self._queues.values() if queue.last_block is not None]
        useful.sort(key=lambda queue: queue.last_block or 0.0, reverse=True)
        others = [peer for peer, queue in self._queues.items() if queue.last_block is None]
        return [queue.peer for queue in useful], others

    def latency(self, peer: Peer) -> float | None:
        """Seconds to an answer of `peer` on average; None before the first one."""
        queue = self._queues.get(peer)
        return None if queue is None else queue.times.latency

    def patience(self, peer: Peer) -> float:
        """Seconds in which `peer` is expected to say whether it has a block."""
        queue = self._queues.get(peer)
        return self._options.probe_patience if queue is None else queue.times.probe_patience

    def __contains__(self, peer: object) -> bool:
        return peer in self._queues

    def __len__(self) -> int:
        return len(self._queues)

    def queue(self, peer: Peer) -> MessageQueue | None:
        return self._queues.get(peer)

    # -- wants

    def want_blocks(self, peer: Peer, asks: Sequence[Ask]) -> bool:
        """Ask `peer` for blocks; False if it is not connected."""
        queue = self._queues.get(peer)
        if queue is None:
            return False
        queue.want_blocks(asks)
        self._note(queue, asks)
        return True

    def want_haves(self, peer: Peer, asks: Sequence[Ask], *, dont_have: bool) -> bool:
        """Ask `peer` what it has, with `dont_have` for a no as well; False if it is not asked.

        It is not if it is gone, or would have to understand HAVE and does not.
        """
        queue = self._queues.get(peer)
        if queue is None or not queue.want_haves(asks, dont_have=dont_have):
            return False
        self._note(queue, asks)
        return True

    def knows_have(self, peer: Peer) -> bool:
        """Whether `peer` can be asked if it has a block."""
        queue = self._queues.get(peer)
        return queue is not None and queue.supports_have

    def is_asked(self, peer: Peer, cid: CID) -> bool:
        """Whether `peer` was asked for the block, and has not answered."""
        queue = self._queues.get(peer)
        return queue is not None and cid in queue.blocks_asked

    def has_question(self, peer: Peer, cid: CID) -> bool:
        """Whether `peer` was asked if it has the block, and will say so when it has: it has not answered."""
        queue = self._queues.get(peer)
        return queue is not None and cid in queue.questions

    def _note(self, queue: MessageQueue, asks: Sequence[Ask]) -> None:
        self._touched[queue.peer] = queue
        asked, alone = self._asked, self._alone[queue.peer]
        new = dict.fromkeys(map(_CID, asks), alone)
        if asked.keys().isdisjoint(new.keys()):
            asked.update(new)
            return
        for cid in new:
            others = asked.get(cid)
            if others is None:
                asked[cid] = alone
            elif queue not in others:
                asked[cid] = (*others, queue)

    def withdraw(self, peer: Peer, cids: Sequence[CID], now: float) -> None:
        """`peer` is not to be asked for these any more, because others are."""
        queue = self._queues.get(peer)
        if queue is None:
            return
        for cid in cids:
            left = tuple(other for other in self._asked.get(cid, ()) if other is not queue)
            if left:
                self._asked[cid] = left
            else:
                self._asked.pop(cid, None)
        queue.cancel(cids, now)
        self.touch(queue)

    def cancel(self, cids: Iterable[CID], now: float) -> None:
        """Nobody wants these any more; everybody who was asked is told."""
        lists: dict[MessageQueue, list[CID]] = {}
        for cid in cids:
            for queue in self._asked.pop(cid, ()):
                lists.setdefault(queue, []).append(cid)
        self._cancel_at(lists, now)

    def settled(self, cids: Iterable[CID], peer: Peer | None, now: float) -> list[CID]:
        """The blocks came, from `peer` unless it is None; returns those that others may still send as well.

        `peer` needs no cancel at once, because it has answered; everybody else who was asked gets one.
        """
        asked = self._asked
        own = self._alone.get(peer) if peer is not None else None
        shared: list[CID] = []
        lists: dict[MessageQueue, list[CID]] = {}
        cids = list(cids)
        found = list(map(asked.pop, cids, repeat(())))
        others = own is None or found.count(own) < len(found)
        for cid, queues in zip(cids, found, strict=True) if others else ():
            if not queues or queues is own:
                continue
            for queue in queues:
                if queue.peer != peer:
                    lists.setdefault(queue, []).append(cid)
            shared.append(cid)
        if not asked:
            asked.clear()  # gives its memory back
        self._cancel_at(lists, now)
        return shared

    def _cancel_at(self, lists: dict[MessageQueue, list[CID]], now: float) -> None:
        for queue, cids in lists.items():
            queue.cancel(cids, now)
            self.touch(queue)

    def received(
        self, peer: Peer, blocks: Sequence[CID], haves: Sequence[CID], dont_haves: Sequence[CID], now: float
    ) -> None:
        """`peer` answered; its next wants may flow."""
        queue = self._queues.get(peer)
        if queue is not None:
            queue.received(blocks, haves, dont_haves, now)
            self._touched[peer] = queue

    def answer_too_large(self, peer: Peer, size: int) -> None:
        """A message of `peer` was too long to be read: it is asked anew, for less at a time."""
        queue = self._queues.get(peer)
        if queue is not None:
            queue.answer_too_large(size)
            self.touch(queue)

    def wantlist(self) -> list[CID]:
        """Every CID that somebody was asked for."""
        return list(self._asked)

    def blocks_asked(self) -> int:
        """How many CIDs there are whose block somebody was asked for and has not sent."""
        return len(set().union(*[queue.blocks_asked for queue in self._queues.values()]))

    def asked(self, cid: CID) -> Sequence[MessageQueue]:
        """The queues of everybody who was asked for `cid`, or is about to be."""
        return self._asked.get(cid, ())

    def asked_of(self, cid: CID) -> dict[Peer, str]:
        """Who was asked for `cid`, and what became of that, in words."""
        found = {queue.peer: queue.state(cid) for queue in self._asked.get(cid, ())}
        return {peer: state for peer, state in found.items() if state is not None}

    # -- messages

    def touch(self, queue: MessageQueue) -> None:
        """Something changed by which `queue` may have a message."""
        if self._queues.get(queue.peer) is queue:
            self._touched[queue.peer] = queue

    def outgoing(self, now: float) -> list[Outgoing]:
        """One message for everybody who is to be told something and has none under way."""
        if not self._touched:
            return []
        touched, self._touched = self._touched, {}
        messages: list[Outgoing] = []
        for queue in touched.values():
            message = queue.next_message(now)
            if message is not None:
                messages.append(Outgoing(queue.peer, message, queue))
            self._deadlines.at(queue, queue.next_deadline())
        return messages

    def message_sent(self, queue: MessageQueue, now: float) -> None:
        self.wanthaves_broadcast += queue.message_sent(now)
        self.touch(queue)

    def message_failed(self, queue: MessageQueue, now: float) -> bool:
        """The message was not sent; True if that was once too often and the peer is still there."""
        failed = queue.message_failed(now)
        self.touch(queue)
        return failed and self._queues.get(queue.peer) is queue
