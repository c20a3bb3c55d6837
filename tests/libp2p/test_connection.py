"""The connection machine over an in-memory pipe, with the real secure channels."""

from __future__ import annotations

import os

import pytest

from bitswap.errors import RemoteError, UsageError
from bitswap.network.libp2p.connection import Connection, Stage, security_ids
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.multistream import HEADER, NegotiationError
from bitswap.network.libp2p.security import NOISE_ID, TLS_ID, HandshakeError, SecurityError, WrongPeer
from bitswap.network.libp2p.yamux import YamuxError
from bitswap.options import NetworkOptions
from tests.libp2p.puppet import Ears, Tape, frame, line

pytestmark = pytest.mark.timeout(60)

ALICE, BOB = PeerIdentity.generate(), PeerIdentity.generate()


class Side(Ears):
    def __init__(
        self,
        identity: PeerIdentity,
        *,
        initiator: bool,
        security: tuple[str, ...],
        expected_peer: str | None = None,
    ) -> None:
        super().__init__()
        self.opened = 0
        self.plain = memoryview(bytearray(64 * 1024))
        self.connection = Connection(
            identity,
            self,
            NetworkOptions(),
            initiator=initiator,
            security=security,
            expected_peer=expected_peer,
        )

    def connection_open(self) -> None:
        self.opened += 1

    def feed(self, data: bytes) -> None:
        self.connection.receive(memoryview(data), self.plain)

    def take(self) -> bytes:
        out = b""
        while chunk := b"".join(self.connection.data_to_send()):
            out += chunk
        return out


def pair(
    ours: tuple[str, ...] = (TLS_ID,), theirs: tuple[str, ...] = (TLS_ID,), expected: str | None = None
) -> tuple[Side, Side]:
    return (
        Side(ALICE, initiator=True, security=ours, expected_peer=expected),
        Side(BOB, initiator=False, security=theirs),
    )


def exchange(left: Side, right: Side, step: int = 1 << 20) -> None:
    for _ in range(1000):
        out, back = left.take(), right.take()
        if not out and not back:
            return
        for at in range(0, len(out), step):
            right.feed(out[at : at + step])
        for at in range(0, len(back), step):
            left.feed(back[at : at + step])
    raise AssertionError("the two sides never fall silent")


@pytest.mark.parametrize("security", [TLS_ID, NOISE_ID])
@pytest.mark.parametrize("step", [1, 77, 1 << 20])
def test_both_sides_know_each_other_and_carry_streams(security: str, step: int) -> None:
    left, right = pair((security,), (security,), BOB.peer_id)
    exchange(left, right, step)
    assert (left.connection.stage, right.connection.stage) == (Stage.OPEN, Stage.OPEN)
    assert (left.opened, right.opened) == (1, 1)
    assert left.connection.remote_peer == BOB.peer_id
    assert right.connection.remote_peer == ALICE.peer_id
    assert left.connection.security == right.connection.security == security
    payload = os.urandom(5000 if step == 1 else 200_000)
    tape = Tape()
    tape.stream = left.connection.session.open_stream(tape)
    tape.stream.write(payload)
    tape.stream.end()
    exchange(left, right, step)
    assert right.streams[0].data == payload
    assert right.streams[0].ended
    assert right.streams[0].stream is not None
    right.streams[0].stream.write(payload[::-1])
    exchange(left, right, step)
    assert tape.data == payload[::-1]


def test_streams_opened_in_the_callback_go_out_at_once() -> None:
    left, right = pair()
    tape = Tape()

    def opened() -> None:
        stream = left.connection.session.open_stream(tape)
        stream.write(b"early")

    left.connection_open = opened  # type: ignore[method-assign]
    exchange(left, right)
    assert right.streams[0].data == b"early"


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        ((TLS_ID, NOISE_ID), (NOISE_ID,), NOISE_ID),
        ((NOISE_ID, TLS_ID), (TLS_ID,), TLS_ID),
        ((NOISE_ID, TLS_ID), (TLS_ID, NOISE_ID), NOISE_ID),
    ],
)
def test_the_initiators_first_choice_that_both_know(
    ours: tuple[str, ...], theirs: tuple[str, ...], agreed: str
) -> None:
    left, right = pair(ours, theirs)
    exchange(left, right)
    assert left.connection.security == right.connection.security == agreed
    assert right.connection.stage is Stage.OPEN


def test_nothing_in_common_is_an_error() -> None:
    left, right = pair((TLS_ID,), (NOISE_ID,))
    with pytest.raises(NegotiationError):
        exchange(left, right)


@pytest.mark.parametrize("security", [TLS_ID, NOISE_ID])
def test_the_wrong_peer_is_refused_by_name(security: str) -> None:
    other = PeerIdentity.generate().peer_id
    left, right = pair((security,), (security,), other)
    with pytest.raises(WrongPeer) as caught:
        exchange(left, right)
    assert (caught.value.expected, caught.value.actual) == (other, BOB.peer_id)
    assert left.opened == 0


@pytest.mark.parametrize("security", [TLS_ID, NOISE_ID])
def test_a_node_does_not_connect_to_itself(security: str) -> None:
    left = Side(ALICE, initiator=True, security=(security,))
    right = Side(ALICE, initiator=False, security=(security,))
    with pytest.raises(HandshakeError, match="itself"):
        exchange(left, right)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", os.urandom(300), b"\xff" * 50, line("/multistream/2.0.0"), b"\x00" * 64],
)
def test_garbage_instead_of_a_negotiation_is_a_typed_error(garbage: bytes) -> None:
    right = Side(BOB, initiator=False, security=(TLS_ID,))

    def feed() -> None:
        right.feed(garbage)
        right.connection.receive_eof()

    with pytest.raises(RemoteError):
        feed()
    assert right.opened == 0


@pytest.mark.parametrize("security", [TLS_ID, NOISE_ID])
def test_garbage_instead_of_a_handshake_is_a_typed_error(security: str) -> None:
    right = Side(BOB, initiator=False, security=(security,))
    right.feed(line(HEADER) + line(security))
    with pytest.raises(SecurityError):
        right.feed(b"\x00\x20" + bytes(32) + b"not a handshake at all" * 20)
    right.take()
    assert right.opened == 0


@pytest.mark.parametrize("security", [TLS_ID, NOISE_ID])
def test_a_flipped_bit_after_the_handshake_closes_the_connection(security: str) -> None:
    left, right = pair((security,), (security,))
    exchange(left, right)
    left.connection.session.ping(1)
    forged = bytearray(left.take())
    forged[-1] ^= 1
    with pytest.raises(SecurityError):
        right.feed(bytes(forged))


def test_the_end_in_the_middle_of_a_handshake_is_an_error() -> None:
    left, right = pair()
    with pytest.raises(NegotiationError):
        right.connection.receive_eof()
    left, right = pair()
    right.feed(left.take())
    left.feed(right.take())
    right.feed(left.take()[:50])
    with pytest.raises(RemoteError):
        right.connection.receive_eof()


def test_an_orderly_close_is_told_apart_from_a_lost_connection() -> None:
    left, right = pair()
    exchange(left, right)
    left.connection.close()
    right.feed(left.take())
    assert (right.gone, right.connection.ended) == (0, True)
    left, right = pair()
    exchange(left, right)
    with pytest.raises(SecurityError):
        right.connection.receive_eof()


def test_after_close_nothing_is_taken_and_the_good_bye_is_said_once() -> None:
    left, right = pair()
    exchange(left, right)
    left.connection.close()
    left.connection.close()
    assert left.take()
    assert left.take() == b""
    right.connection.session.ping(5)
    left.feed(right.take())
    left.connection.receive_eof()
    assert left.connection.stage is Stage.CLOSED
    assert left.take() == b""


def test_broken_yamux_inside_the_channel_raises_and_leaves_a_go_away() -> None:
    left, right = pair()
    exchange(left, right)
    channel = left.connection._channel
    assert channel is not None
    channel.write([frame(9, 0, 0, 0)])
    with pytest.raises(YamuxError):
        right.feed(b"".join(channel.data_to_send()))
    right.connection.close(1)
    left.feed(right.take())
    assert left.gone == 1


def test_names_of_security_protocols() -> None:
    assert security_ids(["tls", "noise"]) == (TLS_ID, NOISE_ID)
    assert security_ids([NOISE_ID]) == (NOISE_ID,)
    with pytest.raises(UsageError, match="plaintext"):
        security_ids(["plaintext"])
    with pytest.raises(UsageError):
        security_ids([])
