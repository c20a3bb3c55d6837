"""What both implementations of the wantlist must do: `wantlist_py` and its compiled twin `wantlist_c`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from bitswap.cid import CID


class WantlistEntry(NamedTuple):
    """One want; `priority` and `want_type` (a `WantType`, as a plain int) are signed 32-bit integers."""

    cid: CID
    priority: int
    want_type: int


class WantlistType(Protocol):
    """Wants, one for each CID (boxo `client/wantlist`). A wantlist belongs to one thread at a time."""

    def __init__(self) -> None: ...

    def add(self, cid: CID, priority: int, want_type: int = 0) -> bool:
        """Want `cid`; False if nothing changed.

        What is wanted already stays as it is, with its priority, unless a want-have is to become a
        want-block.
        """

    def remove(self, cid: CID) -> bool:
        """Returns whether it was wanted."""

    def remove_type(self, cid: CID, want_type: int) -> bool:
        """As `remove`, but a want-block stays when `want_type` is HAVE."""

    def get(self, cid: CID) -> WantlistEntry | None: ...

    def has(self, cid: CID) -> bool:
        """The same as `cid in wantlist`."""

    def __contains__(self, cid: CID) -> bool: ...

    def __len__(self) -> int: ...

    def entries(self) -> Sequence[WantlistEntry]:
        """By descending priority, the oldest first where it is the same; kept until something changes."""

    def absorb(self, other: WantlistType) -> None:
        """Add all `entries` of another wantlist."""

    def copy(self) -> WantlistType: ...
