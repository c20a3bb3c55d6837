"""Records between two processes: a JSON object a line, over a connected socket."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

from bitswap.errors import RemoteError

Record = dict[str, Any]

_READ = 256 * 1024


class Channel:
    """Any thread may send; one reads."""

    def __init__(self, sock: socket.socket, max_line: int) -> None:
        self._sock = sock
        self._max_line = max_line
        self._lock = threading.Lock()
        self._read: list[bytes] = []
        self._waiting = 0
        self.ended = False
        """Whether the other side is gone."""

    def fileno(self) -> int:
        return self._sock.fileno()

    def send(self, record: Record) -> bool:
        """Whether the other side is still there."""
        data = json.dumps(record).encode() + b"\n"
        with self._lock:
            try:
                self._sock.sendall(data)
            except OSError:
                return False
        return True

    def receive(self) -> list[Record]:
        """What has come; waits if nothing has. Raises RemoteError for what is no record."""
        try:
            data = self._sock.recv(_READ)
        except ConnectionError:
            data = b""
        self.ended = not data
        *ends, rest = data.split(b"\n")
        lines: list[bytes] = []
        for end in ends:
            lines.append(b"".join([*self._read, end]))
            self._read.clear()
            self._waiting = 0
        if rest:
            self._read.append(rest)
            self._waiting += len(rest)
        if self._waiting > self._max_line:
            raise RemoteError(f"a record has more than {self._max_line} bytes")
        try:
            return [json.loads(line) for line in lines]
        except ValueError as error:
            raise RemoteError(f"no record: {error}") from None

    def close(self) -> None:
        self._sock.close()
