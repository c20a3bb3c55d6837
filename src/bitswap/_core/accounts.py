"""What `decision.score_ledger` and its compiled twin `accounts_c` share."""

from __future__ import annotations

from typing import NamedTuple

SHORT_WEIGHT = 0.5
"""Weight of the newest sample in the short-term average."""
LONG_WEIGHT = 0.05
"""The same in the long-term average."""
LONG_EVERY = 10
"""Every how many samples the long-term average takes one."""
SAMPLE = 10.0
"""What a sample counts when blocks were exchanged since the last one; otherwise 0."""


class Receipt(NamedTuple):
    """The account with one peer; all zero for an unknown one. Bytes are of block data."""

    peer: str
    value: float
    """Debt ratio: sent / (received + 1)."""
    sent: int
    recv: int
    exchanged: int
    """Blocks, both ways."""
