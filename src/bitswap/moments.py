"""What sessions do by themselves, for whoever traces a client: noted by machines, told by their driver.

A machine may not call anything that others wrote, and the driver holds a lock while it calls the machine. So
a moment is noted first, and told of as a span once no lock is held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import NamedTuple


class Moment(NamedTuple):
    """Something begins or ends. `key` tells what lasts from others; without one it is over at once."""

    name: str
    attributes: dict[str, object]
    key: Hashable | None = None
    over: bool = False


class Moments:
    """Those that were not told yet, in order; whoever makes one is to take them out after each call."""

    def __init__(self) -> None:
        self._noted: deque[Moment] = deque()

    def note(self, name: str, **attributes: object) -> None:
        """This happens now."""
        self._noted.append(Moment(name, attributes))

    def begin(self, key: Hashable, name: str, **attributes: object) -> None:
        """This begins, and lasts until `end` is called with the same key."""
        self._noted.append(Moment(name, attributes, key))

    def end(self, key: Hashable) -> None:
        self._noted.append(Moment("", {}, key, over=True))

    def __bool__(self) -> bool:
        return bool(self._noted)

    def pop(self) -> Moment:
        """The first of them. Raises IndexError if there is none."""
        return self._noted.popleft()
