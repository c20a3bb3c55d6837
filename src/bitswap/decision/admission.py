"""Which peer may have which block: the caller's filter, guarded and counted."""

from __future__ import annotations

import logging
from collections.abc import Callable

from bitswap.cid import CID

_log = logging.getLogger(__name__)


class Admission:
    """Asks `allowed` (peer, cid); whom it fails on is refused, as if the block were missing."""

    def __init__(self, allowed: Callable[[str, CID], bool]) -> None:
        self._allowed = allowed
        self._failures = 0
        self.refused = 0
        """Wants refused so far."""

    def __call__(self, peer: str, cid: CID) -> bool:
        try:
            may = bool(self._allowed(peer, cid))
        except Exception:
            may = False
            self._failures += 1
            # The 1st, 2nd, 4th, 8th… failure is told.
            if self._failures & (self._failures - 1) == 0:
                _log.exception("the filter failed on %s and %s (failure %d)", peer, cid, self._failures)
        self.refused += not may
        return may
