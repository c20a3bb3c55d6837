"""The wants of a session by what has become of them (boxo sessionWants and wantInfo)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bitswap._core import IMPLEMENTATION
from bitswap.cid import CID
from bitswap.messagequeue import Ask
from bitswap.network.interface import Peer

if TYPE_CHECKING or IMPLEMENTATION == "pure":
    from bitswap._core.sessionwants_py import WantRecord, begin, came, hand_over, take_first
else:
    from bitswap._core.sessionwants_c import WantRecord, begin, came, hand_over, take_first

__all__ = ["Group", "Want", "Wants", "asks", "came", "hand_over", "take_first"]

_HIGHEST_PRIORITY = (1 << 31) - 1


class Want(WantRecord):
    """One block that a session is after."""

    __slots__ = ()

    def pass_over(self, peer: Peer, reason: str) -> None:
        if self.tried is None:
            self.tried = {}
        self.tried[peer] = reason

    def probe(self, peer: Peer, until: float) -> None:
        """`peer` was asked whether it has the block; an answer is waited for until then."""
        if self.probing is None:
            self.probing = {}
        self.probing[peer] = until

    def probed(self, peer: Peer) -> None:
        """`peer` has said what it has, or will not any more."""
        if self.probing and self.probing.pop(peer, None) is not None and not self.probing:
            self.probing = None

    def awaited(self, now: float) -> float | None:
        """Until when an answer is waited for; None if none is. Those that took too long are forgotten."""
        if self.probing is None:
            return None
        late = [peer for peer, until in self.probing.items() if until <= now]
        for peer in late:
            del self.probing[peer]
        if not self.probing:
            self.probing = None
            return None
        return max(self.probing.values())


class Group:
    """Wants that are looked for together: until when, and which of them somebody has still to answer."""

    __slots__ = ("due", "size", "stays", "waiting", "wants")

    def __init__(self, wants: Iterable[Want], due: float) -> None:
        self.wants = {want.cid: want for want in wants}
        self.size = len(self.wants)
        self.waiting: dict[CID, Want] = {}
        self.due = due
        self.stays = False
        """Whether it stays until it is due because nobody need answer."""


class Wants:
    """Every want is asked of somebody or in exactly one of six places."""

    def __init__(self) -> None:
        self.all: dict[CID, Want] = {}
        self.fresh: dict[CID, Want] = {}
        """Nobody was asked for the block, and nothing is known about it; first come first."""
        self.again: dict[CID, Want] = {}
        """To be asked of somebody particular, by what is known about it."""
        self.held: dict[CID, Want] = {}
        """Denied by whoever was asked; goes to `again` a moment later, together with others."""
        self.lost: dict[CID, Want] = {}
        """Nobody in the session can be asked; to be looked for outside."""
        self.idle: dict[CID, Want] = {}
        """Waits for answers of peers that may have it, for a newcomer, or for the next round."""
        self.barred: dict[CID, Want] = {}
        """Has turned up, and is asked for when the window of its requests has a place for it."""
        self._made = 0

    def __len__(self) -> int:
        return len(self.all)

    def add(self, cid: CID, *, known: bool) -> Want:
        """A new want; earlier ones have higher priority, so that sessions at one peer take turns."""
        want = Want(cid, max(_HIGHEST_PRIORITY - self._made, 1))
        self._made += 1
        self.all[cid] = want
        if known:
            self.again[cid] = want
        else:
            self.fresh[cid] = want
        return want

    def add_all(self, cids: Iterable[CID]) -> None:
        """New wants that nothing is known about."""
        self._made = begin(Want, self.all, self.fresh, cids, self._made)

    def remove(self, cid: CID) -> Want | None:
        want = self.all.pop(cid, None)
        if want is not None and want.asked is None:
            self.unplace(want)
        return want

    def unplace(self, want: Want) -> None:
        """Take a want that nobody is asked for out of its place."""
        cid = want.cid
        for place in (self.fresh, self.again, self.held, self.idle, self.lost, self.barred):
            if place.pop(cid, None) is not None:
                return

    def reconsider(self, wants: Iterable[Want]) -> None:
        """These are to be asked again, by what is known about them now."""
        for want in list(wants):
            if want.asked is None:
                self.unplace(want)
                self.again[want.cid] = want

    def hold(self, want: Want) -> None:
        """Whoever was asked lacks it."""
        self.unplace(want)
        self.held[want.cid] = want

    def lose(self, want: Want) -> None:
        """Nobody in the session can be asked for it."""
        self.unplace(want)
        self.lost[want.cid] = want

    def rest(self, want: Want) -> None:
        """There is nothing to do for it now but to wait."""
        self.unplace(want)
        self.idle[want.cid] = want

    def bar(self, want: Want) -> None:
        """It could be asked for, and there is no place for it."""
        self.unplace(want)
        self.barred[want.cid] = want

    def __bool__(self) -> bool:
        return bool(self.all)


def asks(wants: Iterable[Want]) -> list[Ask]:
    return [(want.cid, want.priority) for want in wants]
