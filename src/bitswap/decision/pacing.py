"""How much one peer is given at a time: little at first, more while it takes what it is given quickly."""

from __future__ import annotations

FAST = 0.1
"""Seconds from taking the answers to the end of the send, within which a full message was fast."""
SLOW = 1.0
"""Seconds above which it was slow. What a peer is sent thus settles at what leaves in about FAST."""


ENDLESS = 2**32 - 1
"""Bytes that a message never has, nor all that are under way to a peer; larger bounds are as good as this."""


class Pace:
    """The message size and the bytes under way allowed to one peer; both double and halve together."""

    __slots__ = ("_least", "_most", "outstanding", "target")

    def __init__(self, target: int, outstanding: int, *, most: tuple[int, int] | None = None) -> None:
        """`most`: the largest target and outstanding bytes; None = fixed. 0 outstanding = no limit."""
        self.target = min(target, ENDLESS)
        self.outstanding = min(outstanding, ENDLESS)
        self._least = (self.target, self.outstanding)
        self._most = (min(most[0], ENDLESS), min(most[1], ENDLESS)) if most else self._least

    def sent(self, elapsed: float, full: bool) -> None:
        """A message left after `elapsed` seconds; `full` says that its size was what limited it."""
        if elapsed > SLOW:
            self.target = max(self.target // 2, self._least[0])
            self.outstanding = max(self.outstanding // 2, self._least[1])
        elif full and elapsed <= FAST:
            self.target = min(self.target * 2, self._most[0])
            self.outstanding = min(self.outstanding * 2, self._most[1])

    def failed(self) -> None:
        self.target, self.outstanding = self._least
