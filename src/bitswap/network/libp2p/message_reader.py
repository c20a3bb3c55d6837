"""Messages from one yamux stream: put together, decoded, and delivered or held while the peer is paused."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from bitswap.errors import RemoteError, WireError
from bitswap.message import FrameReader, Message
from bitswap.network.libp2p.link import Link
from bitswap.network.libp2p.remote import RemotePeer
from bitswap.network.libp2p.yamux_stream import YamuxStream

if TYPE_CHECKING:
    from bitswap._core.ahead_c import HashAhead


class TooMuchPartial(RemoteError):
    """The peer has begun more messages at once than are kept."""


class Deliverer(Protocol):
    """Where messages go."""

    buffered: int
    """Bytes that all readers hold together."""
    partial: set[MessageReader]
    """Readers that hold a message which is not complete."""
    ahead: HashAhead | None
    """Works on large blocks while their messages come."""

    def deliver(self, remote: RemotePeer, link: Link, message: Message) -> None:
        """One message of `remote`."""

    def stream_broke(self, remote: RemotePeer, error: BaseException) -> None:
        """A stream of `remote` was reset because of `error`."""


class MessageReader:
    """Owner of a Bitswap stream's receiving side; reads many messages until the peer ends it."""

    inbound = True
    """Whether the peer opened the stream."""

    def __init__(self, deliverer: Deliverer, remote: RemotePeer, link: Link, stream: YamuxStream) -> None:
        self._deliverer = deliverer
        self._remote = remote
        self._link = link
        self._stream = stream
        self._frames = FrameReader(ahead=deliverer.ahead)
        self._partial = 0
        self._bodies: deque[bytes] = deque()
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._ended = False
        remote.readers.add(self)

    def data_received(self, data: memoryview) -> None:
        """Called by yamux."""
        if self._remote.paused or self._held or self._bodies:
            self._hold(bytes(data))
        else:
            self._feed(data)

    def end_received(self) -> None:
        """Called by yamux: after what is held, the stream is over."""
        self._ended = True
        self._end_if_done()

    def closed(self, error: BaseException | None) -> None:
        """Called by yamux; what is held of a lost stream is lost."""
        self._forget()

    def drained(self) -> None:
        """Called by yamux."""

    def release(self, budget: int) -> bool:
        """The peer is not paused any more: deliver about `budget` held bytes; True when more is held."""
        while not (self._remote.paused or self._stream.closed):
            if self._bodies:
                body = self._bodies.popleft()
                self._count_held(-len(body))
                self._deliver(body)
                budget -= len(body)
            elif self._held:
                chunk = self._held.popleft()
                self._count_held(-len(chunk))
                self._feed(memoryview(chunk))
                budget -= len(chunk)
            else:
                self._end_if_done()
                return False
            if budget <= 0:
                return True
        return False

    def _feed(self, data: memoryview) -> None:
        stream, frames = self._stream, self._frames
        stream.consume(len(data))
        try:
            bodies = frames.feed(data)
        except WireError as error:
            self._break(error)
            return
        self._count_partial()
        for at, body in enumerate(bodies):
            if self._remote.paused:
                rest = [bytes(kept) for kept in bodies[at:]]
                self._bodies.extend(rest)
                self._count_held(sum(map(len, rest)))
                return
            self._deliver(body)
            if stream.closed:
                return
        if frames.error is not None:
            self._break(frames.error)

    def _deliver(self, body: bytes) -> None:
        try:
            message = Message.from_body(body)
        except WireError as error:
            self._break(error)
            return
        self._deliverer.deliver(self._remote, self._link, message)

    def _hold(self, chunk: bytes) -> None:
        self._held.append(chunk)
        self._count_held(len(chunk))

    def _count_held(self, size: int) -> None:
        self._held_bytes += size
        self._deliverer.buffered += size
        # Half is left for messages under way, so that those who are paused cost nobody else a stream.
        full = self._deliverer.buffered > self._link.options.max_buffered_bytes // 2
        self._link.add_unread(size, full=full)

    def _count_partial(self) -> None:
        buffered = self._frames.buffered
        grown = buffered - self._partial
        if not grown:
            return
        self._link.partial += grown
        self._deliverer.buffered += grown
        self._partial = buffered
        if not buffered:
            self._deliverer.partial.discard(self)
        elif grown > 0:
            self._deliverer.partial.add(self)
            if self._link.partial > self._link.options.max_partial_bytes:
                self._break_partial()
            elif self._deliverer.buffered > self._link.options.max_buffered_bytes:
                max(self._deliverer.partial, key=MessageReader._hoard)._break_partial()

    def _hoard(self) -> tuple[int, int]:
        """Ranks who is to lose a stream when all together hold too much."""
        return self._link.partial, self._partial

    def _break_partial(self) -> None:
        self._break(TooMuchPartial(f"{self._link.partial:,} bytes in messages that are not complete"))

    def _end_if_done(self) -> None:
        if not self._ended or self._held or self._bodies or self._stream.closed:
            return
        try:
            self._frames.eof()
        except WireError as error:
            self._break(error)
            return
        self._forget()
        self.finished()

    def finished(self) -> None:
        """Everything was read that will come on the stream."""
        self._stream.end()

    def broke(self, error: BaseException) -> None:
        """The stream was reset here because of what came on it."""

    def _break(self, error: RemoteError) -> None:
        if self._stream.closed:
            return
        error.peer = self._remote.id
        self._stream.reset()
        self._forget()
        self._link.schedule_flush()
        self.broke(error)
        self._deliverer.stream_broke(self._remote, error)

    def _forget(self) -> None:
        self._remote.readers.discard(self)
        self._deliverer.partial.discard(self)
        self._link.partial -= self._partial
        self._deliverer.buffered -= self._partial
        self._partial = 0
        self._bodies.clear()
        self._held.clear()
        self._count_held(-self._held_bytes)
