"""The wants of a session by what has become of them (boxo sessionWants and wantInfo)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from bitswap.cid import CID
from bitswap.messagequeue import Ask
from bitswap.network.interface import Peer
from bitswap.sessionpeermanager import SessionPeer

_HIGHEST_PRIORITY = (1 << 31) - 1


class Want:
    """One block that a session is after."""

    __slots__ = ("asked", "cid", "priority", "probed", "tried")

    def __init__(self, cid: CID, priority: int) -> None:
        self.cid = cid
        self.priority = priority
        self.asked: SessionPeer | None = None
        """Who has the want-block; one peer at a time."""
        self.tried: dict[Peer, str] | None = None
        """Who is passed over until the next round, and why; DONT_HAVEs are in the presences instead."""
        self.probed = False
        """Whether the other session peers were asked if they have it."""

    def pass_over(self, peer: Peer, reason: str) -> None:
        if self.tried is None:
            self.tried = {}
        self.tried[peer] = reason


class Wants:
    """Every want is asked of somebody or in exactly one of three places."""

    def __init__(self) -> None:
        self.all: dict[CID, Want] = {}
        self.fresh: OrderedDict[CID, Want] = OrderedDict()
        """Nobody was asked for the block, and nothing is known about it; first come first."""
        self.again: dict[CID, Want] = {}
        """To be asked of somebody particular, by what is known about it."""
        self.stuck: dict[CID, Want] = {}
        """Everybody known was asked in vain; waits for a newcomer or for the next round."""
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

    def remove(self, cid: CID) -> Want | None:
        want = self.all.pop(cid, None)
        if want is not None and want.asked is None:
            self.unplace(want)
        return want

    def unplace(self, want: Want) -> None:
        """Take a want that nobody is asked for out of its place."""
        cid = want.cid
        if self.fresh.pop(cid, None) is None and self.again.pop(cid, None) is None:
            self.stuck.pop(cid, None)

    def reconsider(self, wants: Iterable[Want]) -> None:
        """These are to be asked again, by what is known about them now."""
        for want in list(wants):
            if want.asked is None:
                self.unplace(want)
                self.again[want.cid] = want

    def idle(self) -> Iterator[Want]:
        """Those that nobody is asked for although there is nothing to wait for but peers."""
        yield from self.stuck.values()
        yield from self.fresh.values()

    def __bool__(self) -> bool:
        return bool(self.all)


def asks(wants: Iterable[Want]) -> list[Ask]:
    return [(want.cid, want.priority) for want in wants]
