"""Peers that do not behave: they fall silent, stop in the middle, say what has no meaning."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import closing
from threading import Event
from typing import NamedTuple

from bitswap.cid import CID
from bitswap.message import Message
from bitswap.network.libp2p.security import NOISE_ID, TLS_ID
from bitswap.options import NetworkOptions
from tests.libp2p.puppet import Puppet, line

BITSWAP = "/ipfs/bitswap/1.2.0"
SECURITY = {"tls": TLS_ID, "noise": NOISE_ID}
_RESET = struct.pack("ii", 1, 0)
_SMALL_WINDOW = NetworkOptions(receive_window=256 * 1024)


class Visit(NamedTuple):
    """Where a rude peer goes, and with what."""

    address: str
    security: str
    wants: Sequence[CID]
    leave: Event
    """Set when whoever only waits is to go."""
    patience: float

    def puppet(self) -> Puppet:
        return Puppet(self.address, security=SECURITY[self.security], options=_SMALL_WINDOW)


def _wanting(visit: Visit, *, full: bool = False) -> Message:
    message = Message(full=full)
    for place, cid in enumerate(visit.wants):
        message.add_entry(cid, len(visit.wants) - place, 0, place % 2 == 0)
    return message


def _ask(visit: Visit, puppet: Puppet, *messages: Message) -> None:
    stream, _ = puppet.open(BITSWAP)
    for message in messages:
        stream.write(message.to_frame())
    puppet.flush()


def silent(visit: Visit) -> None:
    """Reads, and says nothing any more, not even an answer to a ping; until it is hung up on."""
    with closing(visit.puppet()) as puppet:
        _ask(visit, puppet, _wanting(visit))
        puppet.sock.settimeout(visit.patience)
        _drain(puppet.sock)


def deaf(visit: Visit) -> None:
    """Asks for much and reads nothing of it, until told to go."""
    with closing(visit.puppet()) as puppet:
        _ask(visit, puppet, _wanting(visit))
        visit.leave.wait(visit.patience)


def reset(visit: Visit) -> None:
    """Asks, and breaks the connection off when the first bytes come."""
    with closing(visit.puppet()) as puppet:
        _ask(visit, puppet, _wanting(visit))
        puppet.wait(lambda: any(tape.data for tape in puppet.streams))
        puppet.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def lists(visit: Visit) -> None:
    """Full lists that replace each other, cancels, a full list of nothing; then an orderly end."""
    with closing(visit.puppet()) as puppet:
        half = visit._replace(wants=visit.wants[::2])
        cancels = Message()
        for cid in half.wants:
            cancels.cancel(cid)
        _ask(visit, puppet, _wanting(visit), _wanting(half, full=True), cancels, _wanting(visit, full=True))
        puppet.wait(lambda: any(tape.data for tape in puppet.streams))
        _ask(visit, puppet, Message(full=True))


def garbage(visit: Visit) -> None:
    """A frame that is no message: its stream is reset, the connection goes on."""
    with closing(visit.puppet()) as puppet:
        for body in (b"\x05hello", b"\xff" * 12, b"\x02\x08\x96"):
            stream, tape = puppet.open(BITSWAP)
            stream.write(body)
            stream.end()
            puppet.flush()
            puppet.wait(lambda tape=tape: tape.is_closed or tape.ended)  # type: ignore[misc]
        _ask(visit, puppet, _wanting(visit))


def noise(visit: Visit) -> None:
    """Bytes that are no yamux frame: the connection is closed."""
    with closing(visit.puppet()) as puppet:
        puppet.raw(b"\xff" * 64)
        puppet.wait_for_end()


def half_a_message(visit: Visit) -> None:
    """The first part of a message, and then a break."""
    with closing(visit.puppet()) as puppet:
        stream, _ = puppet.open(BITSWAP)
        stream.write(b"\x80\x80\x10" + os.urandom(20_000))
        puppet.flush()
        puppet.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _unfinished(visit: Visit, said: bytes) -> None:
    _, _, host, _, port = visit.address.split("/")[:5]
    with socket.create_connection((host, int(port)), timeout=visit.patience) as sock:
        sock.sendall(said)
        _drain(sock)


def dumb(visit: Visit) -> None:
    """TCP and nothing more, until it is hung up on."""
    _unfinished(visit, b"")


def stops_shaking(visit: Visit) -> None:
    """Half a handshake, until it is hung up on."""
    _unfinished(visit, line("/multistream/1.0.0") + line(SECURITY[visit.security]) + b"\x16\x03\x01")


def stranger(visit: Visit) -> None:
    """What is no handshake at all."""
    _unfinished(visit, b"GET / HTTP/1.1\r\n\r\n")


def _drain(sock: socket.socket) -> None:
    """Until the other side has hung up."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass


KINDS: dict[str, Callable[[Visit], None]] = {
    kind.__name__: kind
    for kind in (
        silent,
        deaf,
        reset,
        lists,
        garbage,
        noise,
        half_a_message,
        dumb,
        stops_shaking,
        stranger,
    )
}
