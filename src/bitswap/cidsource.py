"""The CIDs of one request, from any iterable: no more than there is room for, each once."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import TypeAlias, cast

from bitswap.cid import CID
from bitswap.errors import InvalidCid, UsageError

AnyCid: TypeAlias = "CID | str | bytes"
"""What a CID may be given as."""

_ALL_CIDS = frozenset((CID,))
_MOMENT = 0.01  # seconds of reading after which what was read is worth asking for
_CHUNK = 64  # CIDs between two looks at the clock


def to_cid(value: AnyCid) -> CID:
    """The CID of a CID, a text or bytes; raises InvalidCid, or UsageError for anything else."""
    if type(value) is CID:
        if not value:
            raise InvalidCid("the CID is empty")
        return value
    if isinstance(value, (str, bytes)):
        return CID(value)
    raise UsageError(f"a CID is given as CID, str or bytes, not as {type(value).__name__}")


def to_cids(values: Iterable[AnyCid]) -> list[CID]:
    """`to_cid` of each."""
    given = list(values)
    if _ALL_CIDS.issuperset(map(type, given)) and all(given):
        return cast("list[CID]", given)
    return list(map(to_cid, given))


class Repetitions:
    """Tells CIDs that come again from new ones, among the last `most`, at least half as many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._new: set[CID] = set()
        self._old: set[CID] = set()

    def is_new(self, cid: CID) -> bool:
        """Whether it was not there before; now it was."""
        if cid in self._new or cid in self._old:
            return False
        self._new.add(cid)
        if len(self._new) * 2 >= self._most:
            self._old, self._new = self._new, set()
        return True


class CidSource:
    """An iterable of CIDs, read a part at a time.

    A collection is looked at as a whole. Of anything else, which may be endless, `remembered` CIDs are kept
    in mind for repetitions. Raises UsageError for a single CID; bad CIDs raise InvalidCid when they are read,
    those of a collection at once.
    """

    def __init__(self, cids: Iterable[AnyCid], remembered: int) -> None:
        if isinstance(cids, (str, bytes)):
            raise UsageError("get_blocks takes several CIDs; for one there is get_block")
        self._cids: Iterator[CID]
        if isinstance(cids, Collection):
            self._cids = iter(dict.fromkeys(to_cids(cids)))
        else:
            self._cids = filter(Repetitions(remembered).is_new, map(to_cid, cids))
        self.more = True
        """Whether there may be more."""

    def read(self, room: int) -> list[CID]:
        """The next CIDs, `room` at most, and fewer of a slow source; raises what the source raises."""
        part: list[CID] = []
        size = 1
        end = time.monotonic() + _MOMENT
        while self.more and len(part) < room:
            wanted = min(size, room - len(part))
            chunk = list(islice(self._cids, wanted))
            self.more = len(chunk) == wanted
            part += chunk
            if time.monotonic() >= end:
                break
            size = min(size * 2, _CHUNK)
        return part
