"""One stream of a yamux session: its windows, what waits to be sent on it, and how it ends."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from bitswap.errors import RemoteError

if TYPE_CHECKING:
    from bitswap.network.libp2p.yamux import Yamux

_FIN = 4


class StreamReset(RemoteError):
    """The peer reset the stream; the connection goes on."""


class StreamClosed(RemoteError):
    """The stream, or the session below it, is closed or takes nothing more."""


class StreamHandler(Protocol):
    """What a stream tells its owner. No call comes after `closed` or after the owner's own `reset`."""

    def data_received(self, data: memoryview) -> None:
        """Payload, valid only during the call; return its credit by `stream.consume` when it is used up."""

    def end_received(self) -> None:
        """The peer will send no more (FIN)."""

    def closed(self, error: BaseException | None) -> None:
        """The peer reset the stream, or the connection is gone."""

    def drained(self) -> None:
        """The bytes that wait fell to `stream.low_water` or below."""


class _Deaf:
    """Stands in until an owner is set."""

    def data_received(self, data: memoryview) -> None: ...
    def end_received(self) -> None: ...
    def closed(self, error: BaseException | None) -> None: ...
    def drained(self) -> None: ...


_DEAF = _Deaf()


class YamuxStream:
    """Made by `Yamux.open_stream` or handed to `stream_opened`."""

    __slots__ = (
        "__weakref__",
        "_credit_due",
        "_ending",
        "_local_ended",
        "_parts",
        "_session",
        "_used",
        "_window",
        "closed",
        "flags_due",
        "handler",
        "id",
        "low_water",
        "queued",
        "receive_window",
        "remote_ended",
        "send_window",
        "taken",
    )

    def __init__(self, session: Yamux, stream_id: int, window: int) -> None:
        self.id = stream_id
        self.handler: StreamHandler = _DEAF
        self.closed = False
        self.remote_ended = False
        self.queued = 0
        """Payload bytes that wait to be framed."""
        self.taken = 0
        """Payload bytes framed so far: a stream whose count stands still makes no progress."""
        self.low_water = 0
        self.send_window = window
        self.receive_window = window
        self.flags_due = 0
        self._session = session
        self._parts: deque[bytes | memoryview] = deque()
        self._ending = False
        self._local_ended = False
        self._window = window
        self._used = 0
        self._credit_due = 0

    # Receiving.

    def grow_window(self, size: int) -> None:
        """Announce a receive window of `size` bytes; it never shrinks."""
        delta = size - self._window
        if delta > 0 and not self.closed:
            self._window = size
            self._give_credit(delta)

    def consume(self, size: int) -> None:
        """`size` received bytes are used up; credit goes back to the peer once half the window is."""
        self._used += size
        if self._used * 2 >= self._window and not (self.closed or self.remote_ended):
            size, self._used = self._used, 0
            self._give_credit(size)

    def _give_credit(self, size: int) -> None:
        self.receive_window += size
        self._credit_due += size
        self._session.announce(self)

    def end_received(self) -> None:
        """FIN came."""
        if self.remote_ended:
            return
        self.remote_ended = True
        self.handler.end_received()
        if self._local_ended and not self.closed:
            self._finish()

    def lost(self, error: BaseException | None) -> None:
        """The peer reset the stream or the connection is gone."""
        if not self.closed:
            self._drop()
            self.handler.closed(error)

    # Sending.

    def write(self, data: bytes | memoryview) -> None:
        """Queue payload; it is not copied. Raises StreamClosed."""
        if self.closed or self._ending:
            raise StreamClosed(f"stream {self.id} is closed for writing")
        size = len(data)
        if not size:
            return
        was_sendable = self.sendable
        self._parts.append(data)
        self.queued += size
        self._session.queued += size
        if not was_sendable and self.send_window:
            self._session.stream_ready(self)

    def end(self) -> None:
        """Send FIN after what waits; the peer may go on to send."""
        if self.closed or self._ending:
            return
        self._ending = True
        if not self.queued:
            self.flags_due |= _FIN
            self._session.announce(self)

    def reset(self) -> None:
        """Close both ways at once; what waits is dropped."""
        if not self.closed:
            self._session.reset_stream(self)
            self._drop()

    @property
    def sendable(self) -> bool:
        """Whether a data frame could be made now."""
        return self.queued > 0 and self.send_window > 0

    # Used by the session.

    def grow_send_window(self, delta: int) -> None:
        """The peer returned credit."""
        was_sendable = self.sendable
        self.send_window += delta
        if not was_sendable and self.sendable:
            self._session.stream_ready(self)

    def take_announcement(self) -> tuple[int, int]:
        """Flags and window delta of the next window update."""
        flags, self.flags_due = self.flags_due, 0
        delta, self._credit_due = self._credit_due, 0
        if flags & _FIN:
            self.end_sent()
        return flags, delta

    def take(self, size: int, into: list[bytes | memoryview]) -> bool:
        """Move `size` queued bytes to `into`; True when FIN follows them."""
        self.queued -= size
        self.send_window -= size
        self.taken += size
        parts = self._parts
        while size:
            part = parts[0]
            if len(part) <= size:
                into.append(parts.popleft())
                size -= len(part)
            else:
                view = memoryview(part)
                into.append(view[:size])
                parts[0] = view[size:]
                size = 0
        return self._ending and not self.queued

    def end_sent(self) -> None:
        """FIN went out."""
        self._local_ended = True
        if self.remote_ended and not self.closed:
            self._finish()

    def _finish(self) -> None:
        self._session.stream_done(self)
        self._drop()

    def _drop(self) -> None:
        self.closed = True
        self._parts.clear()
        self.queued = 0
