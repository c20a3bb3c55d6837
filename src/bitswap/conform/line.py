"""One connection to the peer under test: one thread, every wait bounded, any bytes on any stream."""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bitswap.conform.ear import Arrivals, Ear, Fate
from bitswap.conform.verdict import Lost, NotSpoken, Silent, Unreachable
from bitswap.errors import RemoteError, UsageError
from bitswap.message.protocols import BITSWAP_1_2_0, PROTOCOLS
from bitswap.network.libp2p.connection import Connection, Stage
from bitswap.network.libp2p.dialer import tcp_target
from bitswap.network.libp2p.identify import (
    IDENTIFY_ID,
    IDENTIFY_PUSH_ID,
    PROTOCOL_VERSION,
    IdentifyReader,
    IdentifyWriter,
    Identity,
)
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.multiaddr import Multiaddr
from bitswap.network.libp2p.negotiation import Negotiation
from bitswap.network.libp2p.ping import PING_ID, PingResponder
from bitswap.network.libp2p.timers import Timer, Timers
from bitswap.network.libp2p.yamux_stream import StreamHandler, YamuxStream
from bitswap.options import KIB, MIB, NetworkOptions

_READ = 256 * KIB
_OPTIONS = NetworkOptions(max_outbound_streams=4096, max_inbound_streams=4096)
_MOST = 512 * MIB
"""Bytes of messages that a connection may bring; nothing is asked for that comes near it."""
_GOOD_BYE = 0.5
"""Seconds that the last bytes may take to leave."""


@dataclass(frozen=True)
class Target:
    """Whom to dial, and how."""

    address: Multiaddr
    security: tuple[str, ...]
    """Protocol ids in order of preference."""
    agent: str = "bitswap-conform"

    @property
    def host(self) -> tuple[str, int]:
        """Raises UsageError for what is no plain TCP address."""
        host, port, _ = tcp_target(self.address)
        return host, port


class _Never:
    """Negotiations have no timers of their own: each wait of a line has a limit."""

    def __init__(self) -> None:
        self._timers = Timers()

    def later(self, delay: float, callback: Callable[[], None]) -> Timer:
        return self._timers.at(delay, callback)


class Line:
    """Dials in the constructor. Raises Unreachable; later calls raise Lost when the connection is gone."""

    def __init__(
        self,
        target: Target,
        deadline: float,
        *,
        identity: PeerIdentity | None = None,
        protocols: Sequence[str] = PROTOCOLS,
    ) -> None:
        """`deadline` (time.monotonic) is when the last wait ends; `protocols` are those that the peer may
        open streams of."""
        self.identity = identity or PeerIdentity.generate()
        self.arrivals = Arrivals()
        self.holding = False
        self.deadline = deadline
        self.ended: str | None = None
        """How the connection ended; None while it is open."""
        self.told: Identity | None = None
        """What the peer said of itself by identify."""
        self.ears: list[Ear] = []
        """Streams that the peer opened for Bitswap, in order."""
        self._ours: list[Ear] = []
        self._target = target
        self._served = (*protocols, IDENTIFY_ID, IDENTIFY_PUSH_ID, PING_ID)
        self._protocols = tuple(protocols)
        self._never = _Never()
        self._plain = memoryview(bytearray(_READ))
        self._cipher = bytearray(_READ)
        self._out: deque[memoryview] = deque()
        self._pong: int | None = None
        self._pings = 0
        self._received = 0
        self.connection = Connection(
            self.identity,
            self,
            _OPTIONS,
            initiator=True,
            security=target.security,
            expected_peer=target.address.peer_id,
        )
        self._dial()

    def _dial(self) -> None:
        left = max(0.1, self.deadline - time.monotonic())
        try:
            self._sock = socket.create_connection(self._target.host, timeout=left)
        except OSError as error:
            raise Unreachable(f"no connection to {self._target.address}: {error}") from None
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._sock, selectors.EVENT_READ)
        try:
            if not self.wait(lambda: self.connection.stage is Stage.OPEN):
                raise Unreachable(
                    f"the connection is still {self.connection.stage.value} at the end of the time"
                )
        except (Lost, Unreachable) as error:
            self.hang_up()
            raise Unreachable(f"no connection to {self._target.address}: {error}") from None

    @property
    def peer_id(self) -> str:
        return self.connection.remote_peer or ""

    # Waiting: everything happens in here.

    def wait(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Read and write until `condition` holds; False when time ran out. Raises Lost."""
        limit = self.deadline if seconds is None else min(self.deadline, time.monotonic() + seconds)
        while True:
            self._flush()
            if condition():
                return True
            if self.ended is not None:
                raise Lost(self.ended)
            left = limit - time.monotonic()
            if left <= 0:
                return False
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
            self._selector.modify(self._sock, events)
            for _, ready in self._selector.select(left):
                if ready & selectors.EVENT_READ:
                    self._read()

    def _read(self) -> None:
        try:
            size = self._sock.recv_into(self._cipher)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(f"the connection broke: {error}")
            return
        if not size:
            self._end("the peer closed the connection")
            return
        try:
            self.connection.receive(memoryview(self._cipher)[:size], self._plain)
        except RemoteError as error:
            self._end(f"the connection is of no more use: {error}")

    def _flush(self) -> None:
        while self.ended is None:
            if not self._out:
                self._out.extend(memoryview(chunk) for chunk in self.connection.data_to_send())
                if not self._out:
                    return
            try:
                sent = self._sock.send(self._out[0])
            except BlockingIOError:
                return
            except OSError as error:
                self._read_what_is_left()
                self._end(f"the connection broke: {error}")
                return
            if sent == len(self._out[0]):
                self._out.popleft()
            else:
                self._out[0] = self._out[0][sent:]

    def _read_what_is_left(self) -> None:
        """A peer that closes may have said why."""
        self._read()

    def _end(self, how: str) -> None:
        if self.ended is None:
            self.ended = how
            self.connection.session.abort(RemoteError(how))

    # Streams.

    def open(self, protocol: str = BITSWAP_1_2_0) -> Ear:
        """A stream on which `protocol` is agreed. Raises NotSpoken, Silent, Lost."""
        found: list[Ear] = []
        failures: list[BaseException] = []

        def agreed(stream: YamuxStream, name: str) -> StreamHandler:
            found.append(Ear(self, stream, name, inbound=False))
            self._ours.append(found[0])
            return found[0]

        negotiation = Negotiation.initiator([protocol], agreed, failures.append)
        try:
            stream = self.connection.session.open_stream(negotiation)
        except RemoteError as error:
            raise Lost(self.ended or f"the peer takes no more streams: {error}") from None
        negotiation.attach(stream, self._never, 0.0)
        if not self.wait(lambda: bool(found or failures)):
            stream.reset()
            raise Silent(f"no agreement on a stream of {protocol} in time")
        if failures:
            raise NotSpoken(str(failures[0]))
        return found[0]

    def ask_who(self) -> Identity | None:
        """What the peer says of itself; None when it says nothing."""
        failures: list[BaseException] = []

        def agreed(stream: YamuxStream, _: str) -> StreamHandler:
            return IdentifyReader(stream, _OPTIONS, self._introduced)

        negotiation = Negotiation.initiator([IDENTIFY_ID], agreed, failures.append)
        stream = self.connection.session.open_stream(negotiation)
        negotiation.attach(stream, self._never, 0.0)
        self.wait(lambda: self.told is not None or bool(failures))
        return self.told

    def _introduced(self, found: Identity) -> None:
        self.told = found

    def hold(self) -> None:
        """Return no more credit: the peer can send 256 KiB a stream and then has to wait."""
        self.holding = True

    def release(self) -> None:
        """Let the peer send again."""
        self.holding = False
        for ear in (*self.ears, *self._ours):
            ear.release()

    def alive(self, seconds: float | None = None) -> bool:
        """Whether the connection echoes (a yamux ping). Raises Lost."""
        self._pings += 1
        value = self._pings
        self.connection.session.ping(value)
        return self.wait(lambda: self._pong == value, seconds)

    def count(self, size: int) -> None:
        """Called by streams: what a connection may bring is bounded."""
        self._received += size
        if self._received > _MOST:
            self._end(f"the peer sent more than {_MOST:,} bytes of messages")

    # What the session tells.

    def connection_open(self) -> None: ...

    def stream_opened(self, stream: YamuxStream) -> None:
        def agreed(stream: YamuxStream, protocol: str) -> StreamHandler:
            if protocol in self._protocols:
                ear = Ear(self, stream, protocol, inbound=True)
                self.ears.append(ear)
                return ear
            if protocol == IDENTIFY_ID:
                return IdentifyWriter(stream, self._introduction())
            if protocol == IDENTIFY_PUSH_ID:
                return IdentifyReader(stream, _OPTIONS, self._introduced)
            return PingResponder(stream, lambda: None)

        Negotiation.listener(self._served, agreed, lambda error: None).attach(stream, self._never, 0.0)

    def _introduction(self) -> Identity:
        return Identity(
            public_key=self.identity.public_key_proto,
            protocols=self._served,
            protocol_version=PROTOCOL_VERSION,
            agent_version=self._target.agent,
        )

    def pong_received(self, value: int) -> None:
        self._pong = value

    def go_away_received(self, code: int) -> None:
        if code:
            self._end(f"the peer sent a go-away with code {code}")

    # The end.

    def close(self) -> None:
        """Say good-bye; never raises."""
        if self.ended is None:
            self.deadline = time.monotonic() + _GOOD_BYE
            try:
                self.connection.close()
                self.wait(lambda: not self._out, _GOOD_BYE)
            except (RemoteError, Lost):
                pass
        self.hang_up()

    def part(self, seconds: float) -> None:
        """End the connection, and wait until the peer has noticed; never raises."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
            self.wait(lambda: False, seconds)
        except (OSError, Lost):
            pass
        self.hang_up()

    def hang_up(self) -> None:
        """Drop the connection without a word."""
        if self.ended is None:
            self.ended = "the suite closed the connection"
        self._selector.close()
        self._sock.close()

    def settled(self, ears: Sequence[Ear]) -> bool:
        """Whether the peer has ended or reset each of these streams."""
        return all(ear.fate is not Fate.OPEN for ear in ears)


def parse_target(address: str, security: tuple[str, ...]) -> Target:
    """Raises UsageError unless `address` is a plain TCP multiaddr."""
    target = Target(Multiaddr.parse(address), security)
    if target.address.port is None:
        raise UsageError(f"{address} names no port")
    tcp_target(target.address)
    return target
