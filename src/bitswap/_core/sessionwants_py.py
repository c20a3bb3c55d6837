"""What a session notes of a want, and the steps that it takes for many at once, in Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from bitswap.cid import CID
    from bitswap.session.want import Group
    from bitswap.sessionpeermanager import SessionPeer

__all__ = ["WantRecord", "begin", "came", "hand_over", "take_first"]

HIGHEST_PRIORITY = (1 << 31) - 1


class WantRecord:
    """One block that a session is after; `session.want.Want` says what can be done with it."""

    __slots__ = (
        "absent",
        "asked",
        "blind",
        "cid",
        "doubted",
        "group",
        "priority",
        "probing",
        "rounds",
        "tried",
        "wave",
    )

    def __init__(self, cid: CID, priority: int) -> None:
        self.cid = cid
        self.priority = priority
        self.asked: SessionPeer | None = None
        """Who has the want-block; one peer at a time."""
        self.blind = False
        """Whether it was asked without anything known of who has the block."""
        self.probing: dict[str, float] | None = None
        """Who was asked whether it has the block and has not said, and how long its answer is waited for."""
        self.tried: dict[str, str] | None = None
        """Who is passed over until the next round, and why; DONT_HAVEs are in the presences instead."""
        self.rounds = 0
        """How often everybody was asked for it in vain."""
        self.absent = False
        """Whether everybody was asked in vain: until it turns up no place for its bytes is kept."""
        self.doubted = False
        """Whether members were only asked if they have it, in this round: silence means no."""
        self.wave = 0
        """How far it was looked for outside the session in this round; see `search`."""
        self.group: Group | None = None
        """With which others it is looked for just now."""


_W = TypeVar("_W", bound=WantRecord)


def begin(kind: type[_W], wants: dict[CID, _W], fresh: dict[CID, _W], cids: Iterable[CID], made: int) -> int:
    """Enter new wants into both; earlier ones have higher priority. Returns how many were made so far."""
    for cid in cids:
        wants[cid] = fresh[cid] = kind(cid, max(HIGHEST_PRIORITY - made, 1))
        made += 1
    return made


def take_first(fresh: dict[CID, _W], count: int) -> list[_W]:
    """Take the first `count` out."""
    taken = list(islice(fresh.values(), count))
    for want in taken:
        del fresh[want.cid]
    if not fresh:
        fresh.clear()  # gives its memory back
    return taken


def hand_over(wants: Sequence[WantRecord], member: SessionPeer) -> list[tuple[CID, int]]:
    """Note that `member` is asked for these blindly; returns their CIDs and priorities."""
    asks = []
    for want in wants:
        want.asked = member
        want.blind = True
        asks.append((want.cid, want.priority))
    return asks


def came(wants: dict[CID, _W], cids: Iterable[CID]) -> tuple[int, list[_W], list[CID]]:
    """The blocks of these came: they are wanted no more, and not outstanding at whoever was asked.

    Returns how many were asked for with something known; the wants that are in some place besides, since
    nobody was asked or they are looked for; and the CIDs that were not wanted.
    """
    known = 0
    left: list[_W] = []
    strange: list[CID] = []
    for cid in cids:
        want = wants.pop(cid, None)
        if want is None:
            strange.append(cid)
            continue
        if want.asked is not None:
            want.asked.outstanding -= 1
            known += not want.blind
        if want.asked is None or want.wave or want.group is not None:
            left.append(want)
    return known, left, strange
