"""Accepts for all workers, hands each connection to the one that has the fewest, and replaces who ends."""

from __future__ import annotations

import logging
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from types import TracebackType

from bitswap.errors import BitswapError, RemoteError, UsageError
from bitswap.network.libp2p.entrance import ACCEPTS_A_TURN
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.listener import OUT_OF_RESOURCES, bind, reachable
from bitswap.network.libp2p.multiaddr import Multiaddr
from bitswap.options import WorkerOptions
from bitswap.processes.channel import Record
from bitswap.processes.place import Place
from bitswap.processes.setting import Setting, check_store
from bitswap.processes.signals import Stop
from bitswap.processes.sums import added

_log = logging.getLogger("bitswap.processes")

READ = selectors.EVENT_READ


class Supervisor:
    """`start`, then `run` on the same thread, then `close`; `ask` from any thread while `run` runs."""

    def __init__(
        self,
        listen: Sequence[str],
        count: int,
        *,
        store: str | None,
        identity: PeerIdentity,
        security: Sequence[str] = ("tls", "noise"),
        metrics: bool = False,
        verbose: bool = False,
        options: WorkerOptions | None = None,
    ) -> None:
        """Listens at once, so that a port is known. Raises UsageError."""
        self.options = options or WorkerOptions()
        if sys.platform == "win32":
            raise UsageError("this system hands no connections to other processes, so there is one worker")
        if not 1 <= count <= self.options.max_workers:
            raise UsageError(f"there can be 1 to {self.options.max_workers} workers, not {count}")
        check_store(store)
        self.peer_id = identity.peer_id
        self._selector = selectors.DefaultSelector()
        self._listeners: list[socket.socket] = []
        self._accepting = False
        self._accept_at: float | None = None
        self._held: socket.socket | None = None
        """Accepted when no worker took it."""
        self._ending = False
        self.places = [Place(number, self.options) for number in range(count)]
        told: list[str] = []
        try:
            for text in listen:
                sock = bind(Multiaddr.parse(text))
                self._listeners.append(sock)
                told += reachable(*sock.getsockname()[:2])
        except BaseException:
            self._close_listeners()
            raise
        self.addrs = tuple(f"{address}/p2p/{self.peer_id}" for address in told)
        self._setting = Setting(
            identity.private_key_proto.hex(),
            store,
            tuple(told),
            tuple(security),
            metrics,
            verbose,
            self.options.report_interval,
        )

    # Life.

    def start(self) -> list[int]:
        """Start all workers and wait until they serve; their process ids. Raises BitswapError."""
        for place in self.places:
            self._start(place, time.monotonic())
        while not all(place.ready for place in self.places):
            self._turn()
            failed = next((place for place in self.places if place.channel is None), None)
            if failed is not None:
                raise BitswapError(f"worker {failed.number} does not start: {failed.failure}")
        self._accept(time.monotonic())
        return self.pids()

    def pids(self) -> list[int]:
        return [place.pid for place in self.places if place.pid is not None]

    def run(self, stop: Stop) -> None:
        """Serve until `stop` is set. Raises BitswapError when no worker is left and none follows."""
        self._selector.register(stop, READ, lambda: None)
        try:
            while not stop.is_set:
                self._turn()
                if all(place.channel is None and place.restart_at is None for place in self.places):
                    raise BitswapError(
                        f"no worker is left; the last one ended with {self.places[-1].failure}"
                    )
        finally:
            self._selector.unregister(stop)
            self._ending = True
            for place in self.places:
                place.abandon()

    def close(self) -> Record:
        """End all workers, cleanly if they do within `stop_timeout`; what they counted together."""
        self._ending = True
        self._pause()
        self._close_listeners()
        for place in self.places:
            place.restart_at = None
            place.dismiss()
        deadline = time.monotonic() + self.options.stop_timeout
        while any(place.channel is not None for place in self.places):
            left = deadline - time.monotonic()
            if left <= 0:
                for place in self.places:
                    place.kill("it did not end in time")
                deadline = float("inf")
            self._turn(max(left, 0.0))
        self._selector.close()
        return self.counted()

    def counted(self) -> Record:
        """Statistics of all workers, also of those that ended, by their last reports."""
        return added(record for place in self.places for record in place.counted)

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Questions.

    def ask(self, path: str, query: dict[str, str]) -> list[tuple[Place, Record]]:
        """The answers of all workers that give one in time. Raises UsageError for a wrong question."""
        asked: list[tuple[Place, Future[Record]]] = []
        for place in self.places:
            future = None if self._ending else place.ask(path, query)
            if future is not None:
                asked.append((place, future))
        deadline = time.monotonic() + self.options.answer_timeout
        answers: list[tuple[Place, Record]] = []
        for place, future in asked:
            try:
                reply = future.result(max(0.0, deadline - time.monotonic()))
            except (FutureTimeout, RemoteError):
                future.cancel()
                continue
            if "error" in reply:
                raise UsageError(reply["error"])
            if "answer" in reply:
                answers.append((place, reply["answer"]))
        return answers

    # The loop.

    def _turn(self, at_most: float | None = None) -> None:
        now = time.monotonic()
        times = [self._accept_at, None if at_most is None else now + at_most]
        for place in self.places:
            times.append(place.restart_at)
            if place.channel is not None and not place.ready:
                times.append(place.started + self.options.start_timeout)
        due = [when for when in times if when is not None]
        for key, _ in self._selector.select(max(0.0, min(due) - now) if due else None):
            key.data()
        now = time.monotonic()
        for place in self.places:
            if place.restart_at is not None and place.restart_at <= now:
                self._start(place, now)
            elif self._late(place, now):
                place.kill("it was not ready in time")
        if self._accept_at is not None and self._accept_at <= now:
            self._accept(now)

    def _late(self, place: Place, now: float) -> bool:
        starting = place.channel is not None and not place.ready
        return starting and now >= place.started + self.options.start_timeout

    def _start(self, place: Place, now: float) -> None:
        try:
            place.start(self._setting, now)
        except OSError as error:
            place.failure = str(error)
            place.end(now)
            return
        assert place.channel is not None
        assert place.door is not None
        self._selector.register(place.channel, READ, partial(self._hear, place))
        self._selector.register(place.door, READ, partial(self._count, place))

    def _hear(self, place: Place) -> None:
        try:
            there = place.hear()
        except RemoteError as error:
            place.kill(str(error))
            there = False
        if there or place.channel is None:
            return
        self._selector.unregister(place.channel)
        self._close_door(place)
        place.end(time.monotonic(), replace=not self._ending)

    def _count(self, place: Place) -> None:
        if place.door is not None and not place.count_gone():
            self._close_door(place)

    def _close_door(self, place: Place) -> None:
        if place.door is not None:
            self._selector.unregister(place.door)
            place.door.close()
            place.door = None

    # Accepting.

    def _accept(self, now: float) -> None:
        self._accept_at = None
        if self._accepting or self._ending:
            return
        held, self._held = self._held, None
        if held is not None and not self._hand(held):
            return
        self._accepting = True
        for sock in self._listeners:
            self._selector.register(sock, READ, partial(self._incoming, sock))

    def _pause(self, seconds: float | None = None) -> None:
        """Leave what comes in the queue of the system; with `seconds` for so long."""
        self._accept_at = None if seconds is None else time.monotonic() + seconds
        if self._accepting:
            self._accepting = False
            for sock in self._listeners:
                self._selector.unregister(sock)

    def _incoming(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_A_TURN):
            if not self._accepting:
                return
            if not any(place.ready and place.door is not None for place in self.places):
                self._pause(self.options.accept_pause)
                return
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in OUT_OF_RESOURCES:
                    _log.error("cannot accept connections: %s", error)
                    self._pause(1.0)
                continue
            if not self._hand(sock):
                return

    def _hand(self, sock: socket.socket) -> bool:
        """To the worker with the fewest connections; of several the one that got the fewest so far.

        When nobody takes it, it is kept, and nothing more accepted for a moment.
        """
        ready = [place for place in self.places if place.ready]
        for place in sorted(ready, key=lambda place: (place.connections, place.handed)):
            if place.hand(sock):
                sock.close()
                return True
        self._held = sock
        self._pause(self.options.accept_pause)
        return False

    def _close_listeners(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None
        for sock in self._listeners:
            sock.close()
        self._listeners.clear()
