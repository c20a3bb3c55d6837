"""ping: 32 random bytes there and back (libp2p specification ping/ping.md)."""

from __future__ import annotations

from collections.abc import Callable

from bitswap.errors import RemoteError
from bitswap.network.libp2p.yamux_stream import YamuxStream

PING_ID = "/ipfs/ping/1.0.0"
PING_SIZE = 32
MAX_PING_STREAMS = 2
"""Ping streams that one peer may hold open to us (specification: at most two)."""

_MAX_UNREAD = 64 * PING_SIZE


class PingError(RemoteError):
    """The peer did not echo what it was sent."""


class PingResponder:
    """Owner of a peer's ping stream: echoes whole pings until the peer ends the stream."""

    def __init__(self, stream: YamuxStream, over: Callable[[], None]) -> None:
        self._stream = stream
        self._over = over
        self._data = bytearray()

    def data_received(self, data: memoryview) -> None:
        self._stream.consume(len(data))
        self._data += data
        whole = len(self._data) - len(self._data) % PING_SIZE
        if self._stream.queued > _MAX_UNREAD:
            # It asks and does not read the answers.
            self._stream.reset()
            self._over()
        elif whole:
            self._stream.write(bytes(self._data[:whole]))
            del self._data[:whole]

    def end_received(self) -> None:
        self._stream.end()
        self._over()

    def closed(self, error: BaseException | None) -> None:
        self._over()

    def drained(self) -> None: ...


class Pinger:
    """Owner of our ping stream for one ping."""

    def __init__(
        self, stream: YamuxStream, payload: bytes, done: Callable[[BaseException | None], None]
    ) -> None:
        self._stream = stream
        self._payload = payload
        self._done: Callable[[BaseException | None], None] | None = done
        self._data = b""
        stream.write(payload)

    def data_received(self, data: memoryview) -> None:
        self._stream.consume(len(data))
        self._data += bytes(data[: PING_SIZE + 1])
        if len(self._data) < PING_SIZE:
            return
        same = self._data == self._payload
        # One ping a stream: the peer has nothing more to say on it.
        self._stream.reset()
        self.finish(None if same else PingError("the peer echoed other bytes than it was sent"))

    def end_received(self) -> None:
        self._stream.end()
        self.finish(PingError("the peer ended the ping stream without an echo"))

    def closed(self, error: BaseException | None) -> None:
        self.finish(error or PingError("the connection was closed"))

    def drained(self) -> None: ...

    def finish(self, error: BaseException | None) -> None:
        """Tell the owner, once."""
        done, self._done = self._done, None
        if done is not None:
            done(error)
