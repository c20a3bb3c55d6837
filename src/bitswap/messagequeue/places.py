"""How many wants one peer may hold of us: as many as everybody, or what it can answer in one message.

Some servers put all that they have for a peer into one message (beetswap), also where that becomes larger
than any peer has to read. No block of such a message comes, so the peer is asked for less at a time. Machine.
"""

from __future__ import annotations

from bitswap.options import MAX_FRAME, ClientOptions

_FILLED = MAX_FRAME * 7 // 8
"""Bytes of blocks that are asked for at once; blocks differ in size."""
_KEPT = 0.9
"""What remains after a message of how large a block was taken to be, where smaller ones come."""


class Places:
    """`count` wants at most, of which `refill` free places are worth a message."""

    __slots__ = ("_block", "_most", "_refill", "count", "refill")

    def __init__(self, options: ClientOptions) -> None:
        self._most = self.count = options.max_outstanding_wants
        self._refill = self.refill = options.refill_wants
        self._block = 0.0

    @property
    def lowered(self) -> bool:
        """Whether this peer may hold fewer than everybody."""
        return self.count < self._most

    def overfull(self, wants: int, size: int) -> bool:
        """A message of `size` bytes came for at most `wants` wants, and was not read.

        False if there cannot be fewer.
        """
        if wants < 2:
            return False
        self._block = max(self._block, size / wants)
        self._set(min(wants, self.count) - 1)
        return True

    def filled(self, blocks: int, size: int) -> None:
        """A message brought so many blocks of together `size` bytes."""
        if self.lowered:
            self._block = max(self._block * _KEPT, size / blocks)
            self._set(self._most)

    def _set(self, most: int) -> None:
        self.count = max(1, min(most, int(_FILLED / max(self._block, 1.0))))
        self.refill = min(self._refill, max(1, self.count // 2))
