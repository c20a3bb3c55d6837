"""Two secure channels, or one and a bare OpenSSL connection, joined by nothing but function calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from OpenSSL import SSL

from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.noise import noise_channel
from bitswap.network.libp2p.security import ChannelFactory, SecureChannel
from bitswap.network.libp2p.tls import tls_channel

FACTORIES: dict[str, ChannelFactory] = {"tls": tls_channel, "noise": noise_channel}
MAX_ROUNDS = 20
"""Flights in each direction after which two sides should have nothing more to say."""


class Endpoint(Protocol):
    def receive(self, data: bytes | memoryview) -> None: ...

    def data_to_send(self) -> list[bytes]: ...


@lru_cache
def identity(name: str) -> PeerIdentity:
    """The same identity for the same name, so that its certificate is made once."""
    return PeerIdentity(name.encode().ljust(32, b"."))


def new_pair(
    kind: str, *, expected: str | None = None, initiator: str = "alice", listener: str = "bob"
) -> tuple[SecureChannel, SecureChannel]:
    """Two channels that have not spoken yet; the initiator expects the listener unless told otherwise."""
    make = FACTORIES[kind]
    dialled = identity(listener)
    first = make(identity(initiator), initiator=True, expected_peer=expected or dialled.peer_id)
    return first, make(dialled, initiator=False, expected_peer=None)


def established_pair(kind: str) -> tuple[SecureChannel, SecureChannel]:
    """Two channels after their handshake."""
    first, second = new_pair(kind)
    first.start()
    pump(first, second)
    assert first.established
    assert second.established
    return first, second


def pump(first: Endpoint, second: Endpoint, cut: Callable[[bytes], list[bytes]] | None = None) -> None:
    """Carry bytes both ways until both are silent; `cut` says in which pieces they arrive."""
    for _ in range(MAX_ROUNDS):
        moved = carry(first, second, cut) + carry(second, first, cut)
        if not moved:
            return
    raise AssertionError("the two sides never fall silent")


def carry(source: Endpoint, target: Endpoint, cut: Callable[[bytes], list[bytes]] | None = None) -> int:
    """Carry what `source` has to send, and say how many bytes that was."""
    data = b"".join(source.data_to_send())
    for piece in cut(data) if cut else [data]:
        if piece:
            target.receive(piece)
    return len(data)


def single_bytes(data: bytes) -> list[bytes]:
    """One byte at a time."""
    return [data[at : at + 1] for at in range(len(data))]


def read_all(channel: SecureChannel, size: int = 65536) -> bytes:
    """Everything that can be read now, through a buffer of `size` bytes."""
    out = bytearray()
    buffer = memoryview(bytearray(size))
    while count := channel.read_into(buffer):
        out += buffer[:count]
    return bytes(out)


class BareTls:
    """A TLS connection without any of our rules, as a peer that keeps none would have it."""

    def __init__(self, context: SSL.Context, *, initiator: bool) -> None:
        self.connection = SSL.Connection(context)
        self.established = False
        if initiator:
            self.connection.set_connect_state()
        else:
            self.connection.set_accept_state()

    def start(self) -> None:
        self._handshake()

    def receive(self, data: bytes | memoryview) -> None:
        self.connection.bio_write(data)
        if not self.established:
            self._handshake()

    def data_to_send(self) -> list[bytes]:
        try:
            return [self.connection.bio_read(1 << 20)]
        except SSL.WantReadError:
            return []

    def _handshake(self) -> None:
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            return
        self.established = True
