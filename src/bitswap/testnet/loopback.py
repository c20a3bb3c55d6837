"""A network inside the process for real nodes, threads and all, but without sockets."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import NamedTuple

from bitswap.errors import Closed, RemoteError, UsageError
from bitswap.message import FrameReader, Message
from bitswap.network.interface import Peer, Receiver, SendDone

_log = logging.getLogger(__name__)
_SCHEME = "/loopback/"


class _Parcel(NamedTuple):
    """A message on its way; `done` is called once it is delivered."""

    connection: object
    sender: Peer
    frames: list[bytes]
    done: SendDone


class LoopbackHub:
    """Connects any number of nodes; one thread delivers for all of them, in order. A context manager."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._events: deque[Callable[[], None]] = deque()
        self._networks: dict[Peer, LoopbackNetwork] = {}
        # One object stands for a connection in both directions.
        self._connections: dict[frozenset[Peer], object] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="bitswap-loopback", daemon=True)
        self._thread.start()

    def network(self, name: Peer, *, supports_have: bool = True) -> LoopbackNetwork:
        """A network for one node; `supports_have` is what others are told of it."""
        with self._lock:
            if name in self._networks:
                raise UsageError(f"there is a node {name} already")
            network = self._networks[name] = LoopbackNetwork(self, name, supports_have=supports_have)
            return network

    def disconnect(self, first: Peer, second: Peer, reason: BaseException | None = None) -> None:
        """Cut a connection; what is on its way is lost, both are told."""
        with self._lock:
            if self._connections.pop(frozenset((first, second)), None) is None:
                return
            for one, other in ((first, second), (second, first)):
                self._release(one, other)
                self._tell_lost(one, other, reason)

    def close(self) -> None:
        """Close every network and join the thread; a second call does nothing."""
        for network in list(self._networks.values()):
            network.close()
        with self._lock:
            self._closed = True
            self._work.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> LoopbackHub:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- for the networks

    def _connect(self, first: Peer, second: Peer) -> None:
        with self._lock:
            target = self._networks.get(second)
            if target is None or target.receiver is None:
                raise RemoteError(f"nobody listens at {_SCHEME}{second}", peer=second)
            key = frozenset((first, second))
            if key in self._connections:
                return
            self._connections[key] = object()
            self._tell(first, lambda node: node.peer_connected(second))
            self._tell(second, lambda node: node.peer_connected(first))

    def _peers(self, name: Peer) -> list[Peer]:
        with self._lock:
            return [peer for key in self._connections if name in key for peer in key if peer != name]

    def _send(self, sender: Peer, peer: Peer, message: Message, done: SendDone) -> None:
        frames = message.to_frames()
        with self._lock:
            connection = self._connections.get(frozenset((sender, peer)))
            if connection is None or self._closed:
                self._post(lambda: done(RemoteError(f"{peer} is not connected", peer=peer)))
            else:
                parcel = _Parcel(connection, sender, frames, done)
                self._post(lambda: self._deliver(peer, parcel))

    def _resume(self, name: Peer, peer: Peer) -> None:
        with self._lock:
            self._release(name, peer)

    def _release(self, name: Peer, peer: Peer) -> None:
        """With the lock held: go on with what waits because `name` has paused `peer`."""
        for parcel in reversed(self._networks[name].paused.pop(peer, [])):
            self._events.appendleft(partial(self._deliver, name, parcel))
        self._work.notify()

    def _deliver(self, peer: Peer, parcel: _Parcel) -> None:
        """On the thread: hand a message over, or keep it while the receiver has paused its sender."""
        sender = parcel.sender
        with self._lock:
            alive = self._connections.get(frozenset((sender, peer))) is parcel.connection
            network = self._networks[peer]
            receiver = network.receiver
            if alive and sender in network.paused:
                network.paused[sender].append(parcel)
                return
        if not alive or receiver is None:
            parcel.done(RemoteError(f"{peer} is not connected", peer=peer))
            return
        for frame in parcel.frames:
            for body in FrameReader().feed(frame):
                receiver.message_received(sender, Message.from_body(body))
        parcel.done(None)

    def _close(self, name: Peer) -> None:
        for peer in self._peers(name):
            self.disconnect(name, peer)

    def _tell(self, name: Peer, call: Callable[[Receiver], None]) -> None:
        """With the lock held: have a receiver called on the thread."""

        def event() -> None:
            receiver = self._networks[name].receiver
            if receiver is not None:
                call(receiver)

        self._post(event)

    def _tell_lost(self, name: Peer, peer: Peer, reason: BaseException | None) -> None:
        self._tell(name, lambda receiver: receiver.peer_disconnected(peer, reason))

    def _post(self, event: Callable[[], None]) -> None:
        self._events.append(event)
        self._work.notify()

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._events:
                    if self._closed:
                        return
                    self._work.wait()
                event = self._events.popleft()
            try:
                event()
            except Exception:
                _log.exception("a receiver failed")


class LoopbackNetwork:
    """The network of one node of a hub. `failures` are raised by the next sends, one each."""

    def __init__(self, hub: LoopbackHub, name: Peer, *, supports_have: bool) -> None:
        self.receiver: Receiver | None = None
        self.paused: dict[Peer, list[_Parcel]] = {}
        self.failures: deque[BaseException] = deque()
        self._hub = hub
        self._name = name
        self._supports_have = supports_have
        self._closed = False

    @property
    def self_id(self) -> Peer:
        return self._name

    @property
    def addrs(self) -> list[str]:
        return [_SCHEME + self._name]

    def start(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def close(self) -> None:
        self._closed = True
        self.receiver = None
        self._hub._close(self._name)

    def connect(self, address: str, timeout: float | None = None) -> Peer:
        if self._closed:
            raise Closed("the network was closed")
        if not address.startswith(_SCHEME):
            raise UsageError(f"{address} is not an address of this network: {_SCHEME}NAME")
        peer = address[len(_SCHEME) :]
        self._hub._connect(self._name, peer)
        return peer

    def disconnect(self, peer: Peer) -> None:
        self._hub.disconnect(self._name, peer)

    def is_connected(self, peer: Peer) -> bool:
        return peer in self.peers()

    def peers(self) -> list[Peer]:
        return self._hub._peers(self._name)

    def supports_have(self, peer: Peer) -> bool:
        network = self._hub._networks.get(peer)
        return network is None or network._supports_have

    def latency(self, peer: Peer) -> float | None:
        return None

    def ping(self, peer: Peer, timeout: float | None = None) -> float:
        if not self.is_connected(peer):
            raise RemoteError(f"{peer} is not connected", peer=peer)
        return 0.0

    def send(self, peer: Peer, message: Message, lane: int, done: SendDone) -> None:
        if self._closed:
            raise Closed("the network was closed")
        if self.failures:
            error = self.failures.popleft()
            with self._hub._lock:
                self._hub._post(lambda: done(error))
            return
        self._hub._send(self._name, peer, message, done)

    def pause(self, peer: Peer) -> None:
        with self._hub._lock:
            self.paused.setdefault(peer, [])

    def resume(self, peer: Peer) -> None:
        self._hub._resume(self._name, peer)
