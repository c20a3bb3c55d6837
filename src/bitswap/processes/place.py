"""One worker as the supervisor has it: its process and sockets, how many connections it has, what it said."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from concurrent.futures import Future, InvalidStateError

from bitswap.errors import RemoteError
from bitswap.options import WorkerOptions
from bitswap.processes.channel import Channel, Record
from bitswap.processes.setting import Setting
from bitswap.processes.sums import added, lasting

_log = logging.getLogger("bitswap.processes")

_REAP_SECONDS = 1.0
"""A process whose sockets are closed is about to be gone."""


class Place:
    """Stays when its worker ends, and gets another one. All but `ask` on the supervisor's thread."""

    def __init__(self, number: int, options: WorkerOptions) -> None:
        self.number = number
        self.channel: Channel | None = None
        self.door: socket.socket | None = None
        self.ready = False
        self.connections = 0
        """Handed over and not yet told to be gone."""
        self.handed = 0
        self.started = 0.0
        self.starts = 0
        self.failures = 0
        self.restart_at: float | None = 0.0
        """None: not to be started."""
        self.failure = ""
        """What the worker said, or was found, before it ended."""
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._report: Record = {}
        self._ended: Record = {}
        self._questions: dict[int, Future[Record]] = {}
        self._asked = 0

    @property
    def pid(self) -> int | None:
        """None between two workers."""
        return None if self._process is None else self._process.pid

    @property
    def counted(self) -> list[Record]:
        """Statistics by the last report, and those of the workers that were here before."""
        return [self._report, self._ended]

    @property
    def before(self) -> Record:
        """What earlier workers counted."""
        return self._ended

    def start(self, setting: Setting, now: float) -> None:
        """Raises OSError when no process can be made."""
        control, channel = socket.socketpair()
        sockets, door = socket.socketpair()
        with control, sockets:
            try:
                self._process = subprocess.Popen(
                    [
                        *(sys.executable, "-m", "bitswap.processes.worker"),
                        *(str(control.fileno()), str(sockets.fileno())),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(control.fileno(), sockets.fileno()),
                )
            except BaseException:
                channel.close()
                door.close()
                raise
        door.setblocking(False)
        self.door = door
        self.channel = Channel(channel, self._options.max_line)
        self.started, self.restart_at = now, None
        self.starts += 1
        self.failure = ""
        self.channel.send(setting.record())

    def hand(self, sock: socket.socket) -> bool:
        """Whether the worker gets the connection; the caller closes its own descriptor of it."""
        if sys.platform == "win32" or self.door is None:
            return False
        try:
            socket.send_fds(self.door, [b"\0"], [sock.fileno()])
        except OSError:
            return False  # it takes no more at the moment, or never again, which the channel will tell
        self.connections += 1
        self.handed += 1
        return True

    def count_gone(self) -> bool:
        """Read how many connections are gone; False when the worker closed its end."""
        if self.door is None:
            return False
        try:
            data = self.door.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.connections -= len(data)
        return bool(data)

    def hear(self) -> bool:
        """Take what the worker says; False when it is gone. Raises RemoteError for what makes no sense."""
        if self.channel is None:
            return False
        for record in self.channel.receive():
            if "id" in record:
                future = self._questions.pop(record["id"], None)
                if future is not None:
                    _settle(future, record)
            elif "report" in record:
                self._report = record["report"]
            elif "failed" in record:
                self.failure = str(record["failed"])
            else:
                self.ready = True
        return not self.channel.ended

    def ask(self, path: str, query: dict[str, str]) -> Future[Record] | None:
        """Any thread. None when there is nobody to ask, or too much was asked already."""
        channel = self.channel
        if channel is None or not self.ready or len(self._questions) >= self._options.max_questions:
            return None
        self._asked += 1
        number, future = self._asked, Future[Record]()
        self._questions[number] = future
        channel.send({"id": number, "ask": path, "query": query})
        return future

    def dismiss(self) -> None:
        """Ask the worker to close its connections and end."""
        if self.channel is not None:
            self.channel.send({"stop": True})

    def kill(self, why: str) -> None:
        """End the worker at once; its channel tells when it is gone."""
        self.failure = self.failure or why
        if self._process is not None:
            self._process.kill()

    def end(self, now: float, *, replace: bool = True) -> None:
        """Clean up after a worker that is gone, and say when there is to be another, if so."""
        code = self._reap()
        for sock in (self.channel, self.door):
            if sock is not None:
                sock.close()
        self.channel = self.door = None
        self.ready, self.connections = False, 0
        self._ended, self._report = added([self._ended, lasting(self._report)]), {}
        self.failure = self.failure or f"exit code {code}"
        self.abandon()
        if replace:
            self._replace(now)

    def _replace(self, now: float) -> None:
        options = self._options
        if now - self.started >= options.restart_forget:
            self.failures = 0
        self.failures += 1
        if self.failures > options.max_restarts:
            self.restart_at = None
            _log.error("worker %d ended (%s) and is not started again", self.number, self.failure)
            return
        delay = min(options.restart_delay_min * 2.0 ** (self.failures - 1), options.restart_delay_max)
        self.restart_at = now + delay
        _log.error("worker %d ended (%s); another follows in %.1f s", self.number, self.failure, delay)

    def _reap(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        try:
            return process.wait(_REAP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def abandon(self) -> None:
        """Nobody will answer what was asked."""
        error = RemoteError("the worker is gone")
        while self._questions:
            _, future = self._questions.popitem()
            _settle(future, error)


def _settle(future: Future[Record], outcome: Record | Exception) -> None:
    try:
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    except InvalidStateError:
        pass  # whoever asked has given it up
