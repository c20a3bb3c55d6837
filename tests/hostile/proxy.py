"""A TCP proxy that does harm at one byte: cuts the connection there, or changes it."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from typing import NamedTuple


class Harm(NamedTuple):
    """What happens to one connection."""

    upwards: bool
    """To the bytes of the dialler, or to those of the listener."""
    at: int
    """Bytes that go through first."""
    flip: int = 0
    """Bits to change in the byte that follows; 0 cuts the connection instead."""


class _Half:
    """One direction of one connection."""

    def __init__(self, source: socket.socket, target: socket.socket, harm: Harm | None) -> None:
        self.source, self.target, self.harm = source, target, harm
        self.passed = 0

    def step(self) -> bool:
        """Carry what has come; False when the connection is over."""
        data = self.source.recv(65536)
        if not data:
            return False
        harm = self.harm
        if harm is not None and self.passed <= harm.at < self.passed + len(data):
            at = harm.at - self.passed
            if not harm.flip:
                self.target.sendall(data[:at])
                return False
            data = data[:at] + bytes((data[at] ^ harm.flip,)) + data[at + 1 :]
        self.passed += len(data)
        self.target.sendall(data)
        return True


class Proxy:
    """Forwards connections to one port; a context manager. One thread does it all."""

    def __init__(self, address: str) -> None:
        """`address`: the multiaddr of the listener behind it."""
        parts = address.split("/")
        self._target = (parts[2], int(parts[4]))
        self._peer = parts[6]
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._selector = selectors.DefaultSelector()
        self._stop_out, self._stop_in = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self.harm: Harm | None = None
        """To the next connection."""
        self.passed = {True: 0, False: 0}
        """Bytes that went through, up and down, over all connections."""

    @property
    def address(self) -> str:
        return f"/ip4/127.0.0.1/tcp/{self._server.getsockname()[1]}/p2p/{self._peer}"

    def __enter__(self) -> Proxy:
        self._selector.register(self._server, selectors.EVENT_READ)
        self._selector.register(self._stop_in, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_out.send(b"\0")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._stop_out.close()
        self._selector.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._stop_in:
                    return
                if key.fileobj is self._server:
                    self._accept()
                elif key.data is not None:
                    self._carry(key.data)

    def _accept(self) -> None:
        dialler, _ = self._server.accept()
        listener = socket.create_connection(self._target)
        harm = self.harm
        for upwards, source, target in ((True, dialler, listener), (False, listener, dialler)):
            half = _Half(source, target, harm if harm is not None and harm.upwards is upwards else None)
            self._selector.register(source, selectors.EVENT_READ, (upwards, half))

    def _carry(self, data: tuple[bool, _Half]) -> None:
        upwards, half = data
        before = half.passed
        try:
            alive = half.step()
        except OSError:
            alive = False
        self.passed[upwards] += half.passed - before
        if alive:
            return
        for sock in (half.source, half.target):
            try:
                self._selector.unregister(sock)
            except (KeyError, ValueError):
                continue
            if half.harm is not None:
                # A reset, not an orderly end.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
