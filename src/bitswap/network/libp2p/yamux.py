"""The yamux stream multiplexer as a machine: plaintext in, frames out, callbacks for what arrived.

Source: hashicorp/yamux spec.md and libp2p specification yamux/README.md. Frames are parsed in place and
payload is handed on in the pieces in which it came, so that no frame is ever collected here. What may be sent
waits in the streams until `data_to_send` asks for it: control frames first, then the streams in turn.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Protocol

from bitswap.errors import RemoteError
from bitswap.network.libp2p.yamux_stream import StreamClosed, StreamHandler, StreamReset, YamuxStream
from bitswap.options import NetworkOptions

DATA, WINDOW_UPDATE, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
NORMAL, PROTOCOL_ERROR, INTERNAL_ERROR = range(3)

HEADER_SIZE = 12
INITIAL_WINDOW = 256 * 1024
"""Bytes that each side may send on a new stream before any window update (specification)."""

_header = struct.Struct(">BBHII")
_pack = _header.pack
_unpack = _header.unpack_from
_MAX_WINDOW = 0xFFFFFFFF
_MAX_STREAM_ID = 0xFFFFFFFF

Part = bytes | memoryview


class YamuxError(RemoteError):
    """The peer broke the yamux protocol or a limit of ours; the connection is lost."""


class WindowOverrun(YamuxError):
    """The peer sent more than the window that it was granted."""


class StreamFlood(YamuxError):
    """The peer goes on to open streams, or to ask for answers, that it was refused."""


class SessionHandler(Protocol):
    """What a session tells its owner."""

    def stream_opened(self, stream: YamuxStream) -> None:
        """The peer opened a stream; set `stream.handler` before returning, or reset it."""

    def pong_received(self, value: int) -> None:
        """The answer to `ping(value)`."""

    def go_away_received(self, code: int) -> None:
        """The peer will close (0 normal, 1 protocol error, 2 internal error) and takes no new streams."""


class Yamux:
    """One session over one connection. Once `receive` raised, only `data_to_send` and `abort` are useful."""

    def __init__(self, handler: SessionHandler, options: NetworkOptions, *, initiator: bool) -> None:
        self.streams: dict[int, YamuxStream] = {}
        self.queued = 0
        """Payload bytes that wait in all streams."""
        self.remote_going_away = False
        self._handler = handler
        self._options = options
        self._next_id = 1 if initiator else 2
        self._highest_seen = 0
        self._inbound = 0
        self._refused = 0
        self._failed = False
        self._header = b""
        self._body_left = 0
        self._body_stream: YamuxStream | None = None
        self._body_flags = 0
        self._control = bytearray()
        self._announce: dict[int, YamuxStream] = {}
        self._ready: deque[YamuxStream] = deque()

    # Streams of ours.

    def open_stream(self, handler: StreamHandler) -> YamuxStream:
        """A new stream of ours; SYN goes out with the next frames.

        Raises StreamClosed when the peer goes away, or when we have `max_outbound_streams` open.
        """
        outbound = len(self.streams) - self._inbound
        if self.remote_going_away:
            raise StreamClosed("the peer is going away and takes no new streams")
        if self._failed or self._next_id > _MAX_STREAM_ID:
            raise StreamClosed("the session takes no new streams")
        if outbound >= self._options.max_outbound_streams:
            raise StreamClosed(f"{outbound} streams are open to the peer already")
        stream = YamuxStream(self, self._next_id, INITIAL_WINDOW)
        stream.handler = handler
        stream.flags_due = SYN
        self._next_id += 2
        self.streams[stream.id] = stream
        self._announce[stream.id] = stream
        return stream

    def ping(self, value: int) -> None:
        """Ask for an echo of `value` (32 bits)."""
        self._put_control(_pack(0, PING, SYN, 0, value))

    def go_away(self, code: int = NORMAL) -> None:
        """Tell the peer, once, that the session ends."""
        if not self._failed:
            self._failed = True
            self._put_control(_pack(0, GO_AWAY, 0, 0, code))

    def abort(self, error: BaseException | None) -> None:
        """The connection is gone: close every stream with `error`."""
        self._failed = True
        streams = list(self.streams.values())
        self.streams.clear()
        self._announce.clear()
        self._ready.clear()
        self.queued = 0
        for stream in streams:
            stream.lost(error)

    # What the stream objects ask for.

    def announce(self, stream: YamuxStream) -> None:
        """`stream` has flags or window credit to tell the peer."""
        self._announce[stream.id] = stream

    def stream_ready(self, stream: YamuxStream) -> None:
        """`stream` has payload, and window to send it."""
        self._ready.append(stream)

    def reset_stream(self, stream: YamuxStream) -> None:
        """Send RST and forget `stream`."""
        if self.streams.pop(stream.id, None) is None:
            return
        self._forget(stream)
        if not stream.flags_due & SYN:
            self._put_control(_pack(0, WINDOW_UPDATE, RST | stream.flags_due, stream.id, 0))

    def stream_done(self, stream: YamuxStream) -> None:
        """Both sides have ended `stream`; nothing is left to be sent on it."""
        if self.streams.pop(stream.id, None) is not None:
            self._forget(stream)

    def _forget(self, stream: YamuxStream) -> None:
        self.queued -= stream.queued
        self._announce.pop(stream.id, None)
        if (stream.id ^ self._next_id) & 1:
            self._inbound -= 1
            if self._inbound <= self._options.max_inbound_streams // 2:
                self._refused = 0

    # Bytes in.

    def receive(self, data: memoryview) -> None:
        """Take plaintext; handlers are called before this returns, and `data` may be reused then.

        Raises YamuxError (its go-away is then in `data_to_send`); the session is unusable afterwards.
        """
        try:
            self._receive(data)
        except YamuxError:
            self.go_away(PROTOCOL_ERROR)
            raise

    def _receive(self, data: memoryview) -> None:
        offset, end = 0, len(data)
        while offset < end and not self._failed:
            if self._body_left:
                take = min(self._body_left, end - offset)
                self._body_left -= take
                stream = self._body_stream
                if stream is not None and not stream.closed:
                    stream.handler.data_received(data[offset : offset + take])
                offset += take
                if not self._body_left:
                    self._end_body()
            elif self._header:
                need = HEADER_SIZE - len(self._header)
                self._header += bytes(data[offset : offset + need])
                offset += need
                if len(self._header) == HEADER_SIZE:
                    header, self._header = self._header, b""
                    self._frame(*_unpack(header))
            elif end - offset < HEADER_SIZE:
                self._header = bytes(data[offset:])
                return
            else:
                offset += HEADER_SIZE
                self._frame(*_unpack(data, offset - HEADER_SIZE))

    def _frame(self, version: int, kind: int, flags: int, stream_id: int, length: int) -> None:
        if len(self._control) >= self._options.max_control_bytes:
            # Pongs and resets that it made us say: one that asks without end and reads nothing is cut off.
            raise StreamFlood(f"{len(self._control):,} bytes of answers that the peer does not read")
        if version != 0:
            raise YamuxError(f"yamux version {version} is not known")
        if kind == DATA:
            self._data_header(flags, stream_id, length)
        elif kind == WINDOW_UPDATE:
            self._window_update(flags, stream_id, length)
        elif kind == PING:
            if flags & SYN:
                self._put_control(_pack(0, PING, ACK, 0, length))
            elif flags & ACK:
                self._handler.pong_received(length)
        elif kind == GO_AWAY:
            self.remote_going_away = True
            self._handler.go_away_received(length)
        else:
            raise YamuxError(f"yamux frame type {kind} is not known")

    def _data_header(self, flags: int, stream_id: int, length: int) -> None:
        stream = self._lookup(flags, stream_id)
        if stream is None:
            # A stream that was closed here a moment ago: what was on the way is dropped, up to its window.
            if length > self._options.receive_window:
                raise WindowOverrun(f"a frame of {length:,} bytes on a closed stream")
        elif length > stream.receive_window:
            raise WindowOverrun(
                f"{length:,} bytes on stream {stream_id}, whose window has {stream.receive_window:,} left"
            )
        elif length and stream.remote_ended:
            raise YamuxError(f"data on stream {stream_id} after its end")
        else:
            stream.receive_window -= length
        self._body_left, self._body_stream, self._body_flags = length, stream, flags
        if flags & RST or not length:
            self._end_body()
            self._body_stream = None

    def _end_body(self) -> None:
        stream, self._body_stream = self._body_stream, None
        if stream is not None and not stream.closed and self._body_flags & (FIN | RST):
            self._closing_flags(stream, self._body_flags)

    def _window_update(self, flags: int, stream_id: int, delta: int) -> None:
        stream = self._lookup(flags, stream_id)
        if stream is None:
            return
        if stream.send_window + delta > _MAX_WINDOW:
            raise YamuxError(f"the window of stream {stream_id} grew above 4 GiB")
        stream.grow_send_window(delta)
        if flags & (FIN | RST):
            self._closing_flags(stream, flags)

    def _closing_flags(self, stream: YamuxStream, flags: int) -> None:
        if flags & RST:
            if self.streams.pop(stream.id, None) is not None:
                self._forget(stream)
            stream.lost(StreamReset(f"the peer reset stream {stream.id}"))
        else:
            stream.end_received()

    def _lookup(self, flags: int, stream_id: int) -> YamuxStream | None:
        """The stream of a frame, opened if the frame says so; None for one that was closed here."""
        stream = self.streams.get(stream_id)
        if flags & SYN:
            if stream is not None:
                raise YamuxError(f"stream {stream_id} is open already")
            return self._accept(stream_id)
        if stream is None:
            ours = not (stream_id ^ self._next_id) & 1
            if stream_id == 0 or stream_id > (self._next_id - 2 if ours else self._highest_seen):
                raise YamuxError(f"a frame for stream {stream_id}, which was never opened")
        return stream

    def _accept(self, stream_id: int) -> YamuxStream | None:
        if stream_id == 0 or not (stream_id ^ self._next_id) & 1:
            raise YamuxError(f"the peer opened stream {stream_id}, an id of our side")
        self._highest_seen = max(self._highest_seen, stream_id)
        if self._inbound >= self._options.max_inbound_streams:
            self._refused += 1
            if self._refused > self._options.max_refused_streams:
                raise StreamFlood(f"{self._refused} streams beyond the limit of {self._inbound}")
            self._put_control(_pack(0, WINDOW_UPDATE, RST, stream_id, 0))
            return None
        stream = YamuxStream(self, stream_id, INITIAL_WINDOW)
        stream.flags_due = ACK
        self._inbound += 1
        self.streams[stream_id] = stream
        self._announce[stream_id] = stream
        self._handler.stream_opened(stream)
        return None if stream.closed else stream

    # Bytes out.

    def _put_control(self, frame: bytes) -> None:
        self._control += frame

    @property
    def has_data(self) -> bool:
        """Whether `data_to_send` would return something."""
        return bool(self._control or self._announce or self._ready)

    def data_to_send(self, limit: int) -> list[Part]:
        """Take frames of about `limit` bytes: headers and payload in order, payload as slices of what was
        written."""
        parts: list[Part] = []
        if self._announce:
            announce, self._announce = self._announce, {}
            for stream in announce.values():
                flags, delta = stream.take_announcement()
                self._control += _pack(0, WINDOW_UPDATE, flags, stream.id, delta)
        if self._control:
            parts.append(bytes(self._control))
            limit -= len(self._control)
            self._control.clear()
        drained: list[YamuxStream] = []
        ready = self._ready
        while ready and limit > 0:
            stream = ready.popleft()
            if stream.closed:
                continue
            size = min(stream.queued, stream.send_window, self._options.max_frame)
            limit -= size + HEADER_SIZE
            self.queued -= size
            above = stream.queued > stream.low_water
            at = len(parts)
            parts.append(b"")
            last = stream.take(size, parts)
            parts[at] = _pack(0, DATA, 0, stream.id, size)
            if above and stream.queued <= stream.low_water:
                drained.append(stream)
            if last:
                # Never on the data itself: go-yamux tells its reader of the end before it has read them, and
                # a reader that is quick loses them.
                parts.append(_pack(0, WINDOW_UPDATE, FIN, stream.id, 0))
                stream.end_sent()
            elif stream.sendable:
                ready.append(stream)
        for stream in drained:
            if not stream.closed:
                stream.handler.drained()
        return parts
