"""Who waits for which blocks, and what has come for them (boxo `notifications`).

A subscription is what one request keeps in the machine: blocks that it wants, blocks that it has not taken
yet, and how many it may have of both. A block reaches every subscription that wants it, at most once each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.errors import Cause, as_reason
from bitswap.explanation import PeerView, State, Step, Wait
from bitswap.network.interface import Peer
from bitswap.options import ClientOptions

if TYPE_CHECKING:
    from bitswap.session import Failure, Session

_NEW_SIZE_WEIGHT = 0.25
_GONE = (Cause.NOT_CONNECTED, Cause.DIAL_FAILED, Cause.CONNECTION_LOST)


class Subscription:
    """The state of one request. `owner` is whatever the driver wants to find with it."""

    __slots__ = (
        "_average",
        "_options",
        "absent",
        "active",
        "alone",
        "closed",
        "lost",
        "missing",
        "owner",
        "ready",
        "reasons",
        "session",
        "waiting",
    )

    def __init__(self, session: Session, options: ClientOptions, owner: object = None) -> None:
        self.session = session
        self.owner = owner
        self.active: set[CID] = set()
        """Wanted by the session."""
        self.absent: set[CID] = set()
        """Of these, what everybody was asked for in vain: its bytes are not expected."""
        self.waiting: dict[CID, None] = {}
        """Not wanted yet, because the window is full."""
        self.ready: list[Block] = []
        """Came, and is not taken yet."""
        self.missing: list[CID] = []
        """Given up, and nobody was told yet; `reasons` says why, by peer."""
        self.reasons: dict[Peer, str] = {}
        self.lost = False
        """Whether a lost connection is among the reasons."""
        self.closed = False
        self.alone = (self,)
        """What is kept for a CID that nobody else waits for: one tuple for all of them."""
        self._options = options
        self._average = float(options.expected_block_bytes)

    @property
    def outstanding(self) -> int:
        """Blocks that have neither come nor been given up."""
        return len(self.active) + len(self.waiting)

    @property
    def limit(self) -> int:
        """Blocks that may be wanted or untaken at once, by count and by the average size of blocks so far."""
        return max(min(self._options.window_blocks, int(self._options.window_bytes / self._average)), 1)

    @property
    def places(self) -> int:
        """Blocks more that may be expected."""
        return max(self.limit + len(self.absent) - len(self.active) - len(self.ready), 0)

    @property
    def free(self) -> int:
        """Places left in the window."""
        if not self.absent:
            return self.places
        most = self._options.window_blocks + self._options.max_shelved_wants
        return max(min(self.places, most - len(self.active) - len(self.ready)), 0)

    @property
    def room(self) -> int:
        """Places left in the window once they are worth a message (an eighth of it), else 0."""
        free = self.free
        return free if free * 8 >= self.limit and not self.waiting else 0

    def add(self, cids: Iterable[CID]) -> list[CID]:
        """Want these as well; returns those that the session is to be asked for now."""
        active, waiting = self.active, self.waiting
        places = 0 if waiting else self.free
        new = dict.fromkeys(cids)
        if len(new) <= places and active.isdisjoint(new):
            active.update(new)
            return list(new)
        now: list[CID] = []
        for cid in new:
            if cid in active or cid in waiting:
                continue
            if places > 0:
                places -= 1
                active.add(cid)
                now.append(cid)
            else:
                waiting[cid] = None
        return now

    def flow(self) -> list[CID]:
        """Move waiting wants into free places; returns those that the session is to be asked for now."""
        if not self.waiting:
            return []
        free = self.free
        if free < len(self.waiting) and free * 8 < self.limit:
            return []
        now = [cid for cid, _ in zip(self.waiting, range(free), strict=False)]
        for cid in now:
            del self.waiting[cid]
        self.active.update(now)
        return now

    def remove(self, cids: Iterable[CID]) -> tuple[list[CID], list[CID]]:
        """Stop wanting these; returns those that the session was asked for, and those it was not yet."""
        asked: list[CID] = []
        unasked: list[CID] = []
        cids = list(cids)
        for cid in cids:
            if cid in self.active:
                self.active.discard(cid)
                self.absent.discard(cid)
                asked.append(cid)
            elif self.waiting.pop(cid, self) is None:
                unasked.append(cid)
        if self.missing:
            self._forgive(cids)
        return asked, unasked

    def _forgive(self, cids: Iterable[CID]) -> None:
        """These were given up, which need not be told any more."""
        dropped = set(cids)
        self.missing = [cid for cid in self.missing if cid not in dropped]
        if not self.missing:
            self.reasons, self.lost = {}, False

    def deliver(self, blocks: Sequence[Block], cids: Sequence[CID], size: int) -> None:
        """Blocks of together `size` bytes came; they are in `active`."""
        self.active.difference_update(cids)
        if self.absent:
            self.absent.difference_update(cids)
        self.ready.extend(blocks)
        mean = size / len(blocks)
        # Bigger blocks count at once, because what is under way cannot be taken back.
        self._average = max(mean, self._average + _NEW_SIZE_WEIGHT * (mean - self._average), 1.0)

    def fail(self, failure: Failure) -> None:
        """A wanted block was given up."""
        self.active.discard(failure.cid)
        self.absent.discard(failure.cid)
        self.missing.append(failure.cid)
        self.reasons.update(failure.reasons)
        self.lost = self.lost or failure.lost

    def take(self) -> list[Block]:
        blocks, self.ready = self.ready, []
        return blocks

    def explain(self, cid: CID, session: int) -> Wait | None:
        """How a block stands that the session is not asked for; None if it has nothing to do with this."""
        if cid in self.waiting:
            ahead = list(self.waiting).index(cid)
            asked = len(self.active) - len(self.absent)
            words = (
                f"{asked} blocks are asked for and {len(self.ready)} wait to be taken, "
                f"of {self.limit} together; {ahead} come before it"
            )
            step = Step("it is asked for when blocks have come and were taken")
            return Wait(session, State.QUEUED, words, ahead, next=(step,))
        if any(block.cid == cid for block in self.ready):
            return Wait(session, State.READY)
        if cid in self.missing:
            reasons = {peer: as_reason(reason) for peer, reason in self.reasons.items()}
            peers = [PeerView(peer, reason, reason.cause not in _GONE) for peer, reason in reasons.items()]
            return Wait(session, State.GIVEN_UP, peers=tuple(peers))
        return None


class Notifications:
    """CID -> the subscriptions that wait for it."""

    def __init__(self) -> None:
        self._waiting: dict[CID, tuple[Subscription, ...]] = {}

    def __contains__(self, cid: object) -> bool:
        return cid in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[CID]:
        return iter(self._waiting)

    def of(self, cid: CID) -> tuple[Subscription, ...]:
        return self._waiting.get(cid, ())

    def subscribe(self, subscription: Subscription, cids: Iterable[CID]) -> None:
        waiting, alone = self._waiting, subscription.alone
        new = dict.fromkeys(cids, alone)
        if waiting.keys().isdisjoint(new.keys()):
            waiting.update(new)
            return
        for cid in new:
            others = waiting.get(cid)
            waiting[cid] = alone if others is None else (*others, subscription)

    def unsubscribe(self, subscription: Subscription, cids: Iterable[CID]) -> None:
        for cid in cids:
            left = tuple(other for other in self._waiting.get(cid, ()) if other is not subscription)
            if left:
                self._waiting[cid] = left
            else:
                self._waiting.pop(cid, None)

    def publish(
        self, blocks: Sequence[Block], cids: Sequence[CID]
    ) -> tuple[dict[Subscription, list[Block]], list[Block]]:
        """Blocks by who waited for them, and those nobody waited for; nobody waits for them any more.

        `cids` are theirs.
        """
        waiting = self._waiting
        waited = list(map(waiting.pop, cids, repeat(())))
        if not waiting:
            # An emptied dictionary keeps its size otherwise, which counts where there are thousands of nodes.
            waiting.clear()
        first = waited[0] if waited else ()
        if len(first) == 1 and waited.count(first) == len(waited):
            return {first[0]: list(blocks)}, []
        found: dict[Subscription, list[Block]] = {}
        unwanted: list[Block] = []
        last: tuple[Subscription, ...] = ()
        bucket: list[Block] = []
        for block, subscriptions in zip(blocks, waited, strict=True):
            if not subscriptions:
                unwanted.append(block)
            elif subscriptions is last:
                bucket.append(block)
            else:
                for subscription in subscriptions:
                    bucket = found.setdefault(subscription, [])
                    bucket.append(block)
                last = subscriptions if len(subscriptions) == 1 else ()
        return found, unwanted
