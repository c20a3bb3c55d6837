"""The wantlist in Python: a dict, which keeps the order of age."""

from __future__ import annotations

from operator import attrgetter
from typing import Protocol

from bitswap._core.elements import as_cid
from bitswap._core.interface import WantType, int32
from bitswap._core.wantlist import WantlistEntry
from bitswap.cid import CID

__all__ = ["Wantlist"]

_BLOCK = int(WantType.BLOCK)
_HAVE = int(WantType.HAVE)


class _Entries(Protocol):
    def entries(self) -> tuple[WantlistEntry, ...]: ...


class Wantlist:
    """Wants, one for each CID; see `WantlistType`."""

    __slots__ = ("_sorted", "_wants")

    def __init__(self) -> None:
        self._wants: dict[CID, WantlistEntry] = {}
        self._sorted: tuple[WantlistEntry, ...] | None = ()

    def add(self, cid: CID, priority: int, want_type: int = _BLOCK) -> bool:
        new = WantlistEntry(as_cid(cid), int32(priority, "priority"), int32(want_type, "want type"))
        old = self._wants.get(new.cid)
        if old is not None and (old.want_type == _BLOCK or new.want_type == _HAVE):
            return False
        self._wants[new.cid] = new
        self._sorted = None
        return True

    def remove(self, cid: CID) -> bool:
        if self._wants.pop(as_cid(cid), None) is None:
            return False
        self._sorted = None
        return True

    def remove_type(self, cid: CID, want_type: int) -> bool:
        kept = int32(want_type, "want type") == _HAVE
        old = self.get(cid)
        if old is None or (kept and old.want_type == _BLOCK):
            return False
        return self.remove(old.cid)

    def get(self, cid: CID) -> WantlistEntry | None:
        return self._wants.get(as_cid(cid))

    def has(self, cid: CID) -> bool:
        return as_cid(cid) in self._wants

    __contains__ = has

    def __len__(self) -> int:
        return len(self._wants)

    def entries(self) -> tuple[WantlistEntry, ...]:
        if self._sorted is None:
            self._sorted = tuple(sorted(self._wants.values(), key=attrgetter("priority"), reverse=True))
        return self._sorted

    def absorb(self, other: _Entries) -> None:
        for cid, priority, want_type in other.entries():
            self.add(cid, priority, want_type)

    def copy(self) -> Wantlist:
        twin = Wantlist()
        twin._wants = self._wants.copy()
        twin._sorted = self._sorted
        return twin

    def __repr__(self) -> str:
        return f"<Wantlist of {len(self._wants)}>"
