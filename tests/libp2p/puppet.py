"""A peer under a test's control: a blocking socket with the connection machine, and a way to say anything."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

from bitswap.network.libp2p.connection import Connection, Stage
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.multiaddr import Multiaddr
from bitswap.network.libp2p.multistream import HEADER
from bitswap.network.libp2p.security import TLS_ID
from bitswap.network.libp2p.yamux_stream import YamuxStream
from bitswap.options import NetworkOptions

WAIT = 20.0


class Tape:
    """Owner of a stream that keeps what comes and returns the credit."""

    def __init__(self) -> None:
        self.stream: YamuxStream | None = None
        self.data = b""
        self.ended = False
        self.error: BaseException | None = None
        self.is_closed = False
        self.consume = True

    def data_received(self, data: memoryview) -> None:
        self.data += bytes(data)
        if self.consume and self.stream is not None:
            self.stream.consume(len(data))

    def end_received(self) -> None:
        self.ended = True

    def closed(self, error: BaseException | None) -> None:
        self.error, self.is_closed = error, True

    def drained(self) -> None: ...


class Ears:
    """The owner of a connection's machine, which keeps what it is told."""

    def __init__(self) -> None:
        self.streams: list[Tape] = []
        self.pongs: list[int] = []
        self.gone: int | None = None

    def connection_open(self) -> None: ...

    def stream_opened(self, stream: YamuxStream) -> None:
        tape = Tape()
        tape.stream = stream
        stream.handler = tape
        self.streams.append(tape)

    def pong_received(self, value: int) -> None:
        self.pongs.append(value)

    def go_away_received(self, code: int) -> None:
        self.gone = code


class Puppet(Ears):
    """Dials `address`; nothing happens but what the test says and `wait` lets in."""

    def __init__(
        self, address: str, *, security: str = TLS_ID, options: NetworkOptions | None = None
    ) -> None:
        super().__init__()
        target = Multiaddr.parse(address)
        assert target.host is not None
        self.identity = PeerIdentity.generate()
        self.eof = False
        self._plain = memoryview(bytearray(256 * 1024))
        self.sock = socket.create_connection((target.host, target.port or 0), timeout=WAIT)
        self.connection = Connection(
            self.identity,
            self,
            options or NetworkOptions(max_outbound_streams=10_000),
            initiator=True,
            security=[security],
            expected_peer=target.peer_id,
        )
        self.wait(lambda: self.connection.stage is Stage.OPEN)

    @property
    def peer_id(self) -> str:
        return self.identity.peer_id

    def flush(self) -> None:
        """Send what the machine has."""
        while True:
            chunks = self.connection.data_to_send()
            if not chunks:
                return
            for chunk in chunks:
                self.sock.sendall(chunk)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Read until `condition` holds; AssertionError when the connection ends before."""
        self.flush()
        while not condition():
            assert self.read(), "the connection ended"

    def read(self) -> bool:
        """Take what comes next; False at the end of the connection."""
        try:
            data = self.sock.recv(256 * 1024)
        except ConnectionError:
            data = b""
        if not data:
            self.eof = True
            return False
        self.connection.receive(memoryview(data), self._plain)
        self.flush()
        return True

    def wait_for_end(self) -> None:
        """Read until the other side has closed."""
        while not self.connection.ended and self.read():
            pass

    def raw(self, *frames: bytes) -> None:
        """Say these bytes inside the secure channel, whatever they are."""
        self.flush()
        # Answers about streams that our own machine knows nothing of are not errors.
        self.connection.session._next_id |= 1 << 20
        channel = self.connection._channel
        assert channel is not None
        channel.write(list(frames))
        try:
            for chunk in channel.data_to_send():
                self.sock.sendall(chunk)
        except ConnectionError:
            # It was closed while we were still talking.
            pass

    def open(self, protocol: str) -> tuple[YamuxStream, Tape]:
        """A stream on which `protocol` is agreed."""
        tape = Tape()
        stream = self.connection.session.open_stream(tape)
        tape.stream = stream
        expected = line(HEADER) + line(protocol)
        stream.write(expected)
        self.wait(lambda: len(tape.data) >= len(expected) or tape.is_closed)
        assert tape.data.startswith(expected), tape.data
        tape.data = tape.data[len(expected) :]
        return stream, tape

    def close(self) -> None:
        self.sock.close()


def line(text: str) -> bytes:
    """A multistream line."""
    raw = text.encode() + b"\n"
    assert len(raw) < 128
    return bytes((len(raw),)) + raw


def frame(kind: int, flags: int, stream: int, length: int, payload: bytes = b"", version: int = 0) -> bytes:
    """A yamux frame as it is on the wire."""
    return struct.pack(">BBHII", version, kind, flags, stream, length) + payload


class Received:
    """A receiver that keeps what it is told; the test waits for it."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.messages: list[tuple[str, object]] = []
        self.connected: list[str] = []
        self.disconnected: list[tuple[str, BaseException | None]] = []
        self.errors: list[tuple[str, BaseException]] = []
        self.order: list[str] = []
        self.on_message: Callable[[str, object], None] | None = None

    def peer_connected(self, peer: str) -> None:
        with self.condition:
            self.connected.append(peer)
            self.order.append("connected")
            self.condition.notify_all()

    def peer_disconnected(self, peer: str, reason: BaseException | None) -> None:
        with self.condition:
            self.disconnected.append((peer, reason))
            self.order.append("disconnected")
            self.condition.notify_all()

    def message_received(self, peer: str, message: object) -> None:
        with self.condition:
            self.messages.append((peer, message))
            self.order.append("message")
            self.condition.notify_all()
        if self.on_message is not None:
            self.on_message(peer, message)

    def receive_error(self, peer: str, error: BaseException) -> None:
        with self.condition:
            self.errors.append((peer, error))
            self.condition.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until `condition` holds; it is looked at after each thing told."""
        with self.condition:
            assert self.condition.wait_for(condition, WAIT), (
                f"{len(self.messages)} messages, {self.connected}, {self.disconnected}, {self.errors}"
            )
