"""Very many peers in one process: each with its own identity, connection and streams, all on one thread.

A member is the network layer of a node and next to nothing above: it asks for blocks and counts what comes.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bitswap.cid import CID
from bitswap.errors import BitswapError
from bitswap.message import PROTOCOLS, Message
from bitswap.network.interface import WANTS
from bitswap.network.libp2p.connection import security_ids
from bitswap.network.libp2p.dialer import prepare
from bitswap.network.libp2p.host import Host
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.multiaddr import Multiaddr
from bitswap.network.libp2p.reactor import Reactor
from bitswap.network.libp2p.remote import RemotePeer
from bitswap.network.libp2p.swarm import Swarm
from bitswap.options import KIB, NetworkOptions

_HANDSHAKES = 64
"""Handshakes of a crowd under way at a time."""
_OPTIONS = NetworkOptions(
    handshake_timeout=120.0, read_buffer=32 * KIB, read_budget=32 * KIB, receive_window=256 * KIB
)


def jain(shares: Sequence[float]) -> float:
    """Jain's index of fairness: 1 when all are equal, 1/n when one has everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


class Member:
    """One peer; a receiver of its own network."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.host = Host(crowd.reactor, PeerIdentity.generate(), PROTOCOLS, self, _OPTIONS)
        self.swarm = Swarm(crowd.reactor, self.host._identity, crowd.security, self.host, _OPTIONS)
        self.wanted: set[CID] = set()
        self.bytes = 0

    def ask(self, cids: Sequence[CID]) -> None:
        """On the crowd's thread: want these blocks, the first one most, in one message."""
        self.wanted = set(cids)
        self.bytes = 0
        message = Message()
        for place, cid in enumerate(cids):
            message.add_entry(cid, len(cids) - place, 0, False)
        self.host.send(self.remote, message, WANTS, self._sent)

    @property
    def remote(self) -> RemotePeer:
        return next(iter(self.swarm.peers.values()))

    def _sent(self, error: BaseException | None) -> None:
        if error is not None:
            self.crowd.failed(error)

    # What the network tells.

    def peer_connected(self, peer: str) -> None: ...

    def peer_disconnected(self, peer: str, reason: BaseException | None) -> None:
        if self.wanted:
            self.crowd.failed(reason or ConnectionError("the server closed the connection"))

    def message_received(self, peer: str, message: Message) -> None:
        size = 0
        for block in message.blocks():
            self.wanted.remove(block.cid)
            if block.cid == self.crowd.marker:
                self.crowd.heard()
            else:
                size += len(block.data)
        self.bytes += size
        if size:
            self.crowd.came(self, size)

    def receive_error(self, peer: str, error: BaseException) -> None:
        self.crowd.failed(error)


@dataclass
class Fetch:
    """What many members fetched at once."""

    seconds: float = 0.0
    bytes: int = 0
    half: list[int] = field(default_factory=list)
    """Bytes of each member at the moment when half of all had come."""
    ended: list[float] = field(default_factory=list)
    """Seconds after which each had everything, the first first."""

    @property
    def fairness(self) -> float:
        return jain(self.half)


class Crowd:
    """Members that dial one server. A context manager; every wait is bounded by `timeout` seconds."""

    def __init__(self, address: str, *, security: str = "tls", timeout: float = 60.0) -> None:
        target = Multiaddr.parse(address)
        assert target.host is not None
        assert target.port is not None
        self.reactor = Reactor(read_buffer=_OPTIONS.read_buffer, name="crowd")
        self.security = security_ids([security])
        self.members: list[Member] = []
        self._target = (target.host, target.port)
        self._server = target.peer_id
        self.timeout = timeout
        self.marker: CID | None = None
        self._ready = threading.Event()
        self._done = threading.Event()
        self._error: BaseException | None = None
        self._fetch = Fetch()
        self._asked: list[Member] = []
        self._left = self._unheard = self._expected = 0
        self._began = 0.0

    def __enter__(self) -> Crowd:
        self.reactor.start()
        return self

    def __exit__(self, *_: object) -> None:
        def close() -> None:
            for member in self.members:
                member.wanted.clear()
                member.swarm.close()

        self.reactor.call(close)
        self.reactor.stop()

    def grow(self, count: int) -> None:
        """Connect that many more members. Raises what a connection failed with, TimeoutError."""
        room = threading.Semaphore(_HANDSHAKES)
        for _ in range(count):
            self._take(room)
            member = Member(self)
            sock = socket.create_connection(self._target, self.timeout)
            prepare(sock)
            self.reactor.call(self._dial(member, sock, room))
            self.members.append(member)
        for _ in range(_HANDSHAKES):
            self._take(room)

    def _take(self, room: threading.Semaphore) -> None:
        if not room.acquire(timeout=self.timeout):
            raise TimeoutError("handshakes take too long")
        self._check()

    def _dial(self, member: Member, sock: socket.socket, room: threading.Semaphore) -> Callable[[], None]:
        def connected(_: str | None, error: BaseException | None) -> None:
            if error is not None:
                over(None, error)
            else:
                # Our side is done with the handshake before the server is; an echo comes after both.
                member.host.ping(member.remote, self.timeout, over)

        def over(_: float | None, error: BaseException | None) -> None:
            if error is not None:
                self.failed(error)
            room.release()

        def start() -> None:
            member.swarm.connected(sock, self._server, self.timeout, connected)

        return start

    def fetch(
        self,
        members: Sequence[Member],
        wants: Callable[[int], Sequence[CID]],
        size: int,
        *,
        marker: CID | None = None,
        go: Callable[[], None] = lambda: None,
    ) -> Fetch:
        """All of `members` fetch at once, each `wants(place)`, blocks of `size` bytes.

        With `marker`, a block that the server has, each asks for that too; when all have it the server knows
        what everybody wants, and `go` gives it the blocks: so nobody begins before the others. Raises
        TimeoutError, or what went wrong.
        """
        lists = [list(wants(place)) for place in range(len(members))]
        self._expected = size * sum(map(len, lists))
        self._asked, self._left, self._unheard = list(members), len(members), len(members)
        self._fetch = found = Fetch()
        self.marker = marker
        self._ready.clear()
        self._done.clear()

        def start() -> None:
            self._began = self.reactor.now()
            for member, cids in zip(members, lists, strict=True):
                member.ask(cids if marker is None else [marker, *cids])

        self.reactor.call(start)
        if marker is not None:
            self._wait(self._ready)
            self._began = self.reactor.now()
            go()
        self._wait(self._done)
        return found

    def _wait(self, event: threading.Event) -> None:
        if not event.wait(self.timeout):
            missing = sum(bool(member.wanted) for member in self._asked)
            raise TimeoutError(f"{missing} of {len(self._asked)} peers wait for blocks")
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error if isinstance(self._error, BitswapError) else RuntimeError(repr(self._error))

    def heard(self) -> None:
        """On the thread: one more has the marker."""
        self._unheard -= 1
        if not self._unheard:
            self._ready.set()

    def came(self, member: Member, size: int) -> None:
        """On the thread: `member` got `size` bytes."""
        found = self._fetch
        found.bytes += size
        if not found.half and found.bytes * 2 >= self._expected:
            found.half = [each.bytes for each in self._asked]
        if not member.wanted:
            found.seconds = self.reactor.now() - self._began
            found.ended.append(found.seconds)
            self._left -= 1
            if not self._left:
                self._done.set()

    def failed(self, error: BaseException) -> None:
        """On the thread: nothing more is waited for."""
        if self._error is None:
            self._error = error
        self._ready.set()
        self._done.set()
