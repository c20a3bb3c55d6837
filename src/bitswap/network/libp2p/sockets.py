"""Reading and writing sockets that do not block: compiled where that is there, the library's calls where not.

The compiled calls keep the interpreter lock for the few microseconds that they take.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from importlib import import_module
from itertools import islice

from bitswap._core import IMPLEMENTATION

_MAX_GATHERED = 16  # pieces for one system call; every system takes that many
_GATHERS = hasattr(socket.socket, "sendmsg")

ReceiveInto = Callable[[socket.socket, memoryview], int]
Send = Callable[[socket.socket, Iterable["bytes | memoryview"]], int]


def _library_send(sock: socket.socket, parts: Iterable[bytes | memoryview]) -> int:
    first = list(islice(parts, _MAX_GATHERED if _GATHERS else 1))
    return sock.sendmsg(first) if len(first) > 1 else sock.send(first[0])


LIBRARY: tuple[ReceiveInto, Send] = (socket.socket.recv_into, _library_send)
"""The calls of the standard library, which runs without anything compiled."""


def _choose() -> tuple[ReceiveInto, Send]:
    if IMPLEMENTATION == "compiled":
        try:
            calls = import_module("bitswap.network.libp2p.sockets_c")
        except ImportError:
            pass
        else:
            return _compiled(calls.receive_into, calls.send)
    return LIBRARY


def _compiled(
    receive: Callable[[int, memoryview], int], send: Callable[[int, Iterable[bytes | memoryview]], int]
) -> tuple[ReceiveInto, Send]:
    def receive_into(sock: socket.socket, buffer: memoryview) -> int:
        return receive(sock.fileno(), buffer)

    def send_some(sock: socket.socket, parts: Iterable[bytes | memoryview]) -> int:
        return send(sock.fileno(), parts)

    return receive_into, send_some


receive_into, send = _choose()
"""`receive_into(sock, buffer)` is `recv_into`; `send(sock, parts)` sends what it can of the first parts.

Both raise OSError, BlockingIOError and InterruptedError among its kinds.
"""
