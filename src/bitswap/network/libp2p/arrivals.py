"""Blocks of one peer that came in many messages are told in one go.

boxo's server sends blocks above 16 KiB in a message each, on a stream each. What a client does for a message,
it then does for all that one turn brought. Machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bitswap.message import Message
from bitswap.network.interface import Peer

_ENOUGH = 512 * 1024
"""Bytes that are told at once: beyond, what one message costs is little beside its blocks."""

Tell = Callable[[Peer, Sequence[Message]], None]


class Arrivals:
    """Keeps messages of nothing but blocks until the network thread's turn ends, or others have theirs.

    `defer` runs what it is given at the end of the turn. Without `tell` nothing is kept.
    """

    def __init__(self, tell: Tell | None, defer: Callable[[Callable[[], None]], None]) -> None:
        self._tell = tell
        self._defer = defer
        self._due = False
        self._peer: Peer = ""
        self._messages: list[Message] = []
        self._bytes = 0

    def add(self, peer: Peer, message: Message) -> bool:
        """Whether `message` is told from here; if not, all that came before it has been."""
        if self._tell is None:
            return False
        if peer != self._peer:
            self.tell()
            self._peer = peer
        if message.has_wants or message.haves() or message.dont_haves():
            self.tell()
            return False
        self._messages.append(message)
        self._bytes += message.body_size
        if self._bytes >= _ENOUGH:
            self.tell()
        elif not self._due:
            self._due = True
            self._defer(self._turn_over)
        return True

    def tell(self) -> None:
        """Tell what is kept; before anything else is told of its peer."""
        if self._messages and self._tell is not None:
            messages, self._messages, self._bytes = self._messages, [], 0
            self._tell(self._peer, messages)

    def _turn_over(self) -> None:
        self._due = False
        self.tell()
