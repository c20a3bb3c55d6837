"""A consumer on a node of a virtual network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.network.interface import Peer
from bitswap.session import Session

if TYPE_CHECKING:
    from bitswap.testnet.node import VirtualNode

Finished = Callable[["Fetch"], None]


class Fetch:
    """A consumer: feeds CIDs as its window allows and takes what comes. `pause`: it rests so long a block.

    `keep`: what comes is stored and served; without it nothing but `blocks` remembers it. `came` is told how
    many blocks came each time that some have, `finished` is called once nothing is outstanding any more.
    """

    __slots__ = (
        "_came",
        "_finished",
        "_keep",
        "_more",
        "_node",
        "_pause",
        "_resting",
        "_source",
        "_subscription",
        "blocks",
        "done",
        "finished_at",
        "most_held",
        "session",
    )

    def __init__(
        self,
        node: VirtualNode,
        session: Session,
        cids: Iterable[CID],
        *,
        pause: float = 0.0,
        keep: bool = False,
        finished: Finished | None = None,
        came: Callable[[int], None] | None = None,
    ) -> None:
        self.session = session
        self.blocks: list[Block] = []
        """What was taken, in order of arrival."""
        self.done = False
        """Whether nothing is outstanding any more."""
        self.finished_at: float | None = None
        self.most_held = 0
        """The most blocks that were wanted or not taken at once."""
        self._node = node
        self._source: Iterator[CID] = iter(cids)
        self._more = True
        self._pause = pause
        self._keep = keep
        self._finished = finished
        self._came = came
        self._resting = False
        self._subscription = node.wants.subscribe(session, self)

    @property
    def missing(self) -> list[CID]:
        """What was given up."""
        return self._subscription.missing

    @property
    def reasons(self) -> dict[Peer, str]:
        return self._subscription.reasons

    @property
    def lost(self) -> bool:
        return self._subscription.lost

    def advance(self) -> None:
        """Take what has come, unless it is time for a pause, and want more."""
        node, subscription = self._node, self._subscription
        while not (self.done or self._resting):
            taken = node.wants.take(subscription, node.now)
            if taken:
                self.blocks += taken
                node.blocks_taken(taken, keep=self._keep)
                if self._came is not None:
                    self._came(len(taken))
            self._feed()
            self.most_held = max(self.most_held, len(subscription.active) + len(subscription.ready))
            if taken and self._pause:
                self._resting = True
                node.later(self._pause * len(taken), self._rested)
            elif not subscription.ready:
                if not self._more and not subscription.outstanding:
                    self._finish()
                return

    def _rested(self) -> None:
        self._resting = False
        self.advance()
        self._node.pump()

    def _feed(self) -> None:
        subscription = self._subscription
        while self._more and (room := subscription.room):
            part = list(islice(self._source, room))
            self._more = len(part) == room
            self._node.wants.want(subscription, part, self._node.now)

    def cancel(self, cids: Iterable[CID]) -> None:
        self._node.wants.cancel(self._subscription, cids, self._node.now)
        self._node.pump()

    def close(self) -> None:
        """Stop, and cancel the rest."""
        self._node.wants.close(self._subscription, self._node.now)
        self.done = True
        self._node.pump()

    def _finish(self) -> None:
        self.done = True
        self.finished_at = self._node.now
        # A request that is over keeps nothing in the machine.
        self._node.wants.close(self._subscription, self._node.now)
        if self._finished is not None:
            self._finished(self)
