"""Handshakes that stop, in either role, and crowds from one address: what it costs is bounded."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from bitswap import Options
from bitswap.errors import BitswapError, RemoteError, Timeout
from bitswap.network.libp2p.connection import Connection, Stage
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.multistream import HEADER
from bitswap.network.libp2p.origins import Origins, origin_of
from bitswap.network.libp2p.security import NOISE_ID, TLS_ID
from bitswap.options import NetworkOptions
from tests.hostile.conftest import MakeTown
from tests.hostile.town import LISTEN, Town, network_of, node_of
from tests.libp2p.puppet import WAIT, line

pytestmark = pytest.mark.timeout(120)

SHORT = 0.3
SECURITY = {"tls": TLS_ID, "noise": NOISE_ID}
STAGES = ("tcp", "half-a-line", "multistream", "half-a-handshake", "handshake")


class Halted:
    """A side of a connection that says what an honest one would, up to a stage, and then nothing more."""

    def __init__(self, security: str, stage: str, *, initiator: bool) -> None:
        self.stage = stage
        self.connection = Connection(
            PeerIdentity.generate(),
            self,
            NetworkOptions(),
            initiator=initiator,
            security=[SECURITY[security]],
        )
        self._plain = memoryview(bytearray(64 * 1024))
        self._said = 0

    def connection_open(self) -> None: ...
    def stream_opened(self, stream: object) -> None: ...
    def pong_received(self, value: int) -> None: ...
    def go_away_received(self, code: int) -> None: ...

    def talk(self, sock: socket.socket) -> None:
        """Until the other side closes; never silent while that is the honest thing before the stage."""
        sock.settimeout(WAIT)
        try:
            while True:
                self._say(sock)
                data = sock.recv(65536)
                if not data:
                    return
                if not self._halted:
                    self.connection.receive(memoryview(data), self._plain)
        except (ConnectionError, RemoteError):
            return

    @property
    def _halted(self) -> bool:
        if self.stage in ("tcp", "half-a-line"):
            return True
        if self.stage == "multistream":
            return self.connection.stage is not Stage.SECURITY
        if self.stage == "half-a-handshake":
            return self._said > 0
        return self.connection.stage in (Stage.MUXER, Stage.OPEN)

    def _say(self, sock: socket.socket) -> None:
        if self.stage == "tcp":
            return
        if self.stage == "half-a-line":
            sock.sendall(line(HEADER)[: 7 if not self._said else 0])
            self._said = 1
            return
        for chunk in self.connection.data_to_send():
            if self.connection.stage is Stage.SECURITY:
                sock.sendall(chunk)
            elif self.stage == "half-a-handshake":
                sock.sendall(chunk[: len(chunk) // 2] if not self._said else b"")
                self._said = 1
            elif self.stage == "handshake" and self.connection.stage is Stage.HANDSHAKE:
                sock.sendall(chunk)


def dial(town: Town) -> socket.socket:
    _, _, host, _, port = town.address.split("/")[:5]
    return socket.create_connection((host, int(port)), timeout=WAIT)


def spoil(town: Town, seconds: float) -> None:
    """From here on handshakes have `seconds`; those of the friend are over."""
    network_of(town.node)._swarm._options = NetworkOptions(handshake_timeout=seconds)


@pytest.mark.parametrize("security", SECURITY)
@pytest.mark.parametrize("stage", STAGES)
def test_a_dialler_that_stops_is_closed_in_time(make_town: MakeTown, security: str, stage: str) -> None:
    town = make_town(security=security)
    spoil(town, SHORT)
    with dial(town) as sock:
        thread = threading.Thread(target=Halted(security, stage, initiator=True).talk, args=(sock,))
        thread.start()
        town.under(lambda: None)
        thread.join(WAIT)
        assert not thread.is_alive(), "the connection was kept"
    town.until(lambda: not network_of(town.node)._swarm._handshakes)
    assert town.node.peers() == [town.friend.network.self_id]


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A listener that treats its one connection as `talk` does; its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(WAIT)

        def serve() -> None:
            sock, _ = server.accept()
            with sock:
                talk(sock)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"/ip4/127.0.0.1/tcp/{server.getsockname()[1]}"
        thread.join(WAIT)
        assert not thread.is_alive()


@pytest.mark.parametrize("security", SECURITY)
@pytest.mark.parametrize("stage", STAGES[:-1])
def test_a_listener_that_stops_fails_the_dial_in_time(make_town: MakeTown, security: str, stage: str) -> None:
    town = make_town(security=security)
    with (
        listening(Halted(security, stage, initiator=False).talk) as address,
        pytest.raises(Timeout),
    ):
        town.node.connect(address, timeout=SHORT)
    assert town.node.peers() == [town.friend.network.self_id]
    town.transfer()


@contextmanager
def crowded(count: int, **options: int) -> Iterator[tuple[Town, list[socket.socket]]]:
    """A node with these limits, a friend that came in before, and strangers that say nothing."""
    with ExitStack() as stack:
        node = stack.enter_context(node_of(Options(network=NetworkOptions(**options))))
        town = Town(node, stack.enter_context(node_of()))
        town.until(lambda: not network_of(node)._swarm._handshakes)
        yield town, [stack.enter_context(dial(town)) for _ in range(count)]


@pytest.mark.parametrize("limit", ["max_pending_handshakes_per_address", "max_connections_per_address"])
def test_a_crowd_from_one_address_is_refused_at_once(limit: str) -> None:
    with crowded(12, **{limit: 5}) as (town, crowd):
        swarm = network_of(town.node)._swarm
        # The friend comes from there as well.
        places = 5 if "handshakes" in limit else 4
        town.until(lambda: swarm.refused == 12 - places)
        assert swarm.connections == 1 + places
        for sock in crowd:
            sock.close()
        town.until(lambda: swarm.connections == 1)
        with node_of() as late:
            late.connect(town.address)
        town.until(lambda: swarm.connections == 1)
        assert (len(swarm._from), len(swarm._shaking_from)) == (1, 0)


def test_refusals_are_told_rarely(caplog: pytest.LogCaptureFixture) -> None:
    with crowded(101, max_pending_handshakes_per_address=1) as (town, _):
        town.until(lambda: network_of(town.node)._swarm.refused == 100)
    assert len([record for record in caplog.records if "was refused" in record.message]) == 7


def test_where_a_connection_comes_from() -> None:
    assert origin_of("192.0.2.7") == "192.0.2.7"
    assert origin_of("2001:db8:1:2:3:4:5:6") == origin_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert origin_of("2001:db8:1:3::9") != origin_of("2001:db8:1:2::9")
    assert origin_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert origin_of("fe80::1%eth0") == "fe80::/64"
    origins = Origins()
    origins.add("a")
    origins.add("a")
    origins.discard("a")
    assert (origins.count("a"), origins.count("b"), len(origins)) == (1, 0, 1)
    origins.discard("a")
    assert len(origins) == 0


def test_nobody_there_is_an_error_at_once() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    with node_of() as node, pytest.raises(BitswapError):
        node.connect(LISTEN.replace("/0", f"/{port}"), timeout=WAIT)
