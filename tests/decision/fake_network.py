"""A network in memory: one thread that delivers, and peers whose way of taking messages is chosen."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from bitswap.message import Message
from bitswap.network.interface import Receiver, SendDone

PATIENCE = 60.0
"""Seconds after which a test that waits for something fails instead of hanging."""


class _Sent(dict[str, "queue.Queue[Message]"]):
    """What was sent, by peer. Two threads that look for a peer at once find the same queue.

    defaultdict makes no such promise: it would make two, and one of the threads would wait at the wrong one.
    """

    def __missing__(self, peer: str) -> queue.Queue[Message]:
        return self.setdefault(peer, queue.Queue())


class FakeNetwork:
    """Implements `network.interface.Network` as far as a server uses it."""

    self_id = "me"
    addrs: Sequence[str] = ()

    def __init__(self) -> None:
        self.sent = _Sent()
        self.faults: list[str] = []
        self.paused: set[str] = set()
        self.pauses: queue.Queue[tuple[str, str]] = queue.Queue()
        self.manner: dict[str, str] = {}
        """peer -> "take" (the default), "keep" (the send stays open), "fail" (it ends badly), "raise"."""
        self.kept: dict[str, SendDone] = {}
        self._under_way: set[str] = set()
        self._lock = threading.Lock()
        self._receiver: Receiver | None = None
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="fake-network", daemon=True)

    def start(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()

    # What a test does

    def connect(self, peer: str) -> None:
        self._post(lambda receiver: receiver.peer_connected(peer))

    def drop(self, peer: str) -> None:
        self._post(lambda receiver: receiver.peer_disconnected(peer, None))

    def deliver(self, peer: str, message: Message) -> None:
        self._post(lambda receiver: receiver.message_received(peer, message))

    def flush(self) -> None:
        """Return when all that was posted before has been delivered."""
        done = threading.Event()
        self._jobs.put(done.set)
        assert done.wait(PATIENCE)

    def next(self, peer: str) -> Message:
        """The next message sent to `peer`."""
        return self.sent[peer].get(timeout=PATIENCE)

    def end(self, peer: str, error: BaseException | None = None) -> None:
        """End a send that was kept."""
        done = self.kept.pop(peer)
        self._jobs.put(lambda: self._end(peer, done, error))

    # What the server calls

    def send(self, peer: str, message: Message, lane: int, done: SendDone) -> None:
        with self._lock:
            if peer in self._under_way:
                self.faults.append(f"two sends to {peer} at once")
            self._under_way.add(peer)
        manner = self.manner.get(peer, "take")
        if manner == "raise":
            self._under_way.discard(peer)
            self.sent[peer].put(message)
            raise ConnectionError(f"{peer} is not here")
        if manner == "keep":
            self.kept[peer] = done
        self.sent[peer].put(message)
        if manner != "keep":
            error = ConnectionError(f"{peer} hung up") if manner == "fail" else None
            self._jobs.put(lambda: self._end(peer, done, error))

    def pause(self, peer: str) -> None:
        self.paused.add(peer)
        self.pauses.put(("pause", peer))

    def resume(self, peer: str) -> None:
        self.paused.discard(peer)
        self.pauses.put(("resume", peer))

    def _end(self, peer: str, done: SendDone, error: BaseException | None) -> None:
        self._under_way.discard(peer)
        done(error)

    def _post(self, event: Callable[[Receiver], None]) -> None:
        receiver = self._receiver
        assert receiver is not None
        self._jobs.put(lambda: event(receiver))

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:
                self.faults.append(f"{job} raised {error!r}")
