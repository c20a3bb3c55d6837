"""One TCP socket with the connection machine behind it, driven by the reactor."""

from __future__ import annotations

import logging
import socket
from collections import deque
from time import perf_counter, thread_time
from typing import Protocol

from bitswap.errors import RemoteError, Timeout
from bitswap.network.libp2p.connection import Connection, ConnectionLost, GoneAway, Stage
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.linger import Linger
from bitswap.network.libp2p.reactor import READ, WRITE, Reactor
from bitswap.network.libp2p.security import SecurityError
from bitswap.network.libp2p.sockets import receive_into, send
from bitswap.network.libp2p.timers import Timer
from bitswap.network.libp2p.yamux import INTERNAL_ERROR, NORMAL, PROTOCOL_ERROR
from bitswap.network.libp2p.yamux_stream import YamuxStream
from bitswap.options import NetworkOptions

_LEAST_READ = 4096
"""Bytes read at once from a connection however much work they make."""
_FIRST_READ = 32 * 1024
"""The same before it is known how much work its bytes make; doubled with each read that makes little."""

_log = logging.getLogger("bitswap.network")


class LinkOwner(Protocol):
    """Who is told what becomes of a link."""

    def link_open(self, link: Link) -> None:
        """The peer is verified and streams can be opened; raise RemoteError to refuse it."""

    def link_stream(self, link: Link, stream: YamuxStream) -> None:
        """The peer opened a stream."""

    def link_round_trip(self, link: Link, seconds: float) -> None:
        """A round trip was measured."""

    def link_closed(self, link: Link, error: BaseException | None) -> None:
        """It is gone, `error` None after an orderly close by either side. Called once, open before or not."""


class Link:
    """A connection of ours or of the peer's, from its first byte to its last."""

    def __init__(
        self,
        reactor: Reactor,
        sock: socket.socket,
        identity: PeerIdentity,
        owner: LinkOwner,
        options: NetworkOptions,
        *,
        initiator: bool,
        security: tuple[str, ...],
        expected_peer: str | None = None,
    ) -> None:
        self.connection = Connection(
            identity, self, options, initiator=initiator, security=security, expected_peer=expected_peer
        )
        self.reactor = reactor
        self.options = options
        self.closed = False
        self.unread = 0
        """Bytes that came for a paused peer and wait."""
        self.partial = 0
        """Bytes of messages that are not complete."""
        self.last_message = reactor.now()
        """When a Bitswap message last went either way."""
        self._owner = owner
        self._sock = sock
        self._out: deque[memoryview] = deque()
        self._events = READ
        self._flush_due = False
        self._reading = True
        self._read_size = min(_FIRST_READ, len(reactor.cipher))
        self._last_heard = reactor.now()
        self._last_sent = reactor.now()
        self._probe: tuple[int, float] | None = None
        self._probes = 0
        self._gone_away: GoneAway | None = None
        self._farewell = False
        self._timer: Timer | None = None
        self._remote = _text_of(sock)

    def start(self, handshake_timeout: float) -> None:
        """Begin; the socket is connected and does not block."""
        self._timer = self.reactor.later(handshake_timeout, self._handshake_expired)
        self.reactor.register(self._sock, self._events, self)
        self.schedule_flush()

    @property
    def is_open(self) -> bool:
        """Whether streams can be opened."""
        return not self.closed and self.connection.stage is Stage.OPEN

    @property
    def peer(self) -> str:
        """The verified peer id; "" before the handshake."""
        return self.connection.remote_peer or ""

    @property
    def remote_address(self) -> tuple[str, int] | None:
        """Host and port of the other side."""
        return self._remote

    def __repr__(self) -> str:
        where = "{}:{}".format(*self._remote) if self._remote else "?"
        return f"<Link {where} {self.peer or self.connection.stage.value}>"

    # What the connection tells.

    def connection_open(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._owner.link_open(self)
        if not self.closed:
            self.probe()
            self._timer = self.reactor.later(self._check_interval, self._check_life)

    def stream_opened(self, stream: YamuxStream) -> None:
        self._owner.link_stream(self, stream)

    def pong_received(self, value: int) -> None:
        if self._probe is None or self._probe[0] != value:
            return
        seconds = self.reactor.now() - self._probe[1]
        self._probe = None
        if value == 1:
            # The first one has the end of the peer's handshake in it.
            self.probe()
        else:
            self._owner.link_round_trip(self, seconds)

    def go_away_received(self, code: int) -> None:
        self._farewell = code == NORMAL
        if code != NORMAL:
            self._gone_away = GoneAway(f"the peer closed with yamux code {code}", peer=self.peer)

    # Reading.

    def ready(self, events: int) -> None:
        """Called by the reactor."""
        if self.closed:
            return
        if events & READ:
            self._read()
        if events & WRITE and not self.closed:
            self._flush()

    def crashed(self, error: Exception) -> None:
        """Called by the reactor when `ready` raised what it should not."""
        self.close(ConnectionLost(f"internal error: {error!r}", peer=self.peer), INTERNAL_ERROR)

    def _read(self) -> None:
        cipher, plain = self.reactor.cipher, self.reactor.plain
        budget = self.options.read_budget
        began = perf_counter(), thread_time()
        while budget > 0 and self._reading and not self.closed:
            size = self._read_size
            try:
                count = receive_into(self._sock, cipher[:size])
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self._lost(error)
                return
            if not self._take(cipher[:count], plain) or count < size or self._has_worked(began):
                break
            budget -= count
        self._last_heard = self.reactor.now()
        if not self.closed:
            self.schedule_flush()

    def _has_worked(self, began: tuple[float, float]) -> bool:
        """Whether the others have their turn; bytes that make much work are read a few at a time.

        A frame of yamux can have 12 bytes or a million, so that bytes alone say little. It is the thread's
        own time that counts: waiting for the interpreter is nobody's fault. It is dear to ask for, and never
        more than what has passed.
        """
        passed, own = began
        limit = self.options.read_slice
        if perf_counter() - passed < limit or thread_time() - own < limit:
            self._read_size = min(2 * self._read_size, len(self.reactor.cipher))
            return False
        self._read_size = max(self._read_size // 2, _LEAST_READ)
        return True

    def _take(self, data: memoryview, plain: memoryview) -> bool:
        """Feed the connection; False when it ended."""
        try:
            if len(data):
                self.connection.receive(data, plain)
                if not self.connection.ended:
                    return not self.closed
            else:
                self.connection.receive_eof()
        except RemoteError as error:
            lost = not len(data) and isinstance(error, SecurityError) and self.is_open
            error.peer = error.peer or self.peer or None
            if lost:
                self._lost(error)
            else:
                self.close(error, PROTOCOL_ERROR)
            return False
        self.close(self._gone_away)
        return False

    def add_unread(self, size: int, *, full: bool = False) -> None:
        """`size` more (or fewer) bytes wait for a paused peer.

        Above the limit, or when all connections together hold too much, the socket is left alone.
        """
        self.unread += size
        if self._reading and size > 0 and (full or self.unread > self.options.max_unread_bytes):
            self._reading = False
            self._set_events(self._events & ~READ)
        elif not self._reading and size <= 0 and self.unread <= self.options.max_unread_bytes // 2:
            self._reading = True
            self._last_heard = self.reactor.now()
            self._set_events(self._events | READ)

    # Writing.

    def schedule_flush(self) -> None:
        """Send at the end of this turn what has come together by then."""
        if not self._flush_due and not self.closed:
            self._flush_due = True
            self.reactor.defer(self._flush_now)

    def _flush_now(self) -> None:
        self._flush_due = False
        if not self.closed and not self._events & WRITE:
            self._flush()

    def _flush(self) -> None:
        budget = self.options.write_budget
        out = self._out
        try:
            while self._send():
                if budget <= 0:
                    self.schedule_flush()
                    break
                chunks = self.connection.data_to_send()
                if not chunks:
                    break
                for chunk in chunks:
                    out.append(memoryview(chunk))
                    budget -= len(chunk)
            else:
                self._set_events(self._events | WRITE)
                return
        except OSError as error:
            self._write_failed(error)
            return
        self._set_events(self._events & ~WRITE)

    def _send(self) -> bool:
        """Give the socket what is encrypted; False when it takes no more."""
        out = self._out
        while out:
            try:
                sent = send(self._sock, out)
            except (BlockingIOError, InterruptedError):
                return False
            self._last_sent = self.reactor.now()
            while sent:
                first = out[0]
                if sent < len(first):
                    out[0] = first[sent:]
                    break
                sent -= len(first)
                out.popleft()
        return True

    def _write_failed(self, error: OSError) -> None:
        """The peer may have said why before it closed: what it sent is read first."""
        self._out.clear()
        if self.is_open and self._reading:
            self._read()
        if not self.closed:
            self._lost(error)

    def _lost(self, error: Exception) -> None:
        """The transport broke; after a good-bye of the peer that is only its haste."""
        if self._farewell:
            self.close(None)
        else:
            self.close(self._gone_away or ConnectionLost(f"connection lost: {error}", peer=self.peer))

    def _set_events(self, events: int) -> None:
        if events == self._events or self.closed:
            return
        if not events:
            self.reactor.unregister(self._sock)
        elif not self._events:
            self.reactor.register(self._sock, events, self)
        else:
            self.reactor.modify(self._sock, events, self)
        self._events = events

    # Life.

    def probe(self) -> None:
        """Ask for an echo, unless one is on its way."""
        if self._probe is None and self.is_open:
            self._probes += 1
            self._probe = (self._probes & 0xFFFFFFFF, self.reactor.now())
            self.connection.session.ping(self._probe[0])
            self.schedule_flush()

    @property
    def _check_interval(self) -> float:
        options = self.options
        intervals = [options.keepalive_interval, options.keepalive_timeout]
        if options.idle_timeout is not None:
            intervals.append(options.idle_timeout)
        return min(intervals) / 2

    def _check_life(self) -> None:
        """Probe a silent peer, close a dead or idle one."""
        options, now = self.options, self.reactor.now()
        self._timer = self.reactor.later(self._check_interval, self._check_life)
        silent = now - self._last_heard if self._reading else 0.0
        if silent >= options.keepalive_interval + options.keepalive_timeout:
            self.close(Timeout(f"no sign of life for {silent:.0f} s"))
        elif self._out and now - self._last_sent >= options.write_timeout_max:
            self.close(Timeout(f"the peer took no bytes for {options.write_timeout_max:.0f} s"))
        elif options.idle_timeout is not None and now - self.last_message >= options.idle_timeout:
            self.close(None)
        elif silent >= options.keepalive_interval:
            self.probe()

    def _handshake_expired(self) -> None:
        self.close(Timeout(f"the connection was still {self.connection.stage.value} when time ran out"))

    def close(self, error: BaseException | None, code: int = NORMAL) -> None:
        """Say good-bye as far as the socket takes it, forget the streams, tell the owner.

        In an orderly close the messages that wait go out first, as far as the socket takes them at once.
        """
        if error is None and self.is_open and not self._events & WRITE:
            self._flush()
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._events:
            self.reactor.unregister(self._sock)
        try:
            self.connection.close(code)
            self._out.extend(memoryview(chunk) for chunk in self.connection.data_to_send())
        except RemoteError as broken:
            _log.debug("no good-bye to %r: %s", self, broken)
        _log.debug("%r closed: %s", self, error or "orderly")
        Linger(self.reactor, self._sock, self._out, self.options.linger if self._out else 0.0).start()
        self.connection.session.abort(error)
        self._owner.link_closed(self, error)


def _text_of(sock: socket.socket) -> tuple[str, int] | None:
    try:
        name = sock.getpeername()
    except OSError:
        return None
    return (str(name[0]), int(name[1]))
