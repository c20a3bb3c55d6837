"""What TLS and Noise have in common: the contract of `SecureChannel`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitswap.errors import RemoteError, UsageError
from bitswap.network.libp2p.security import (
    YAMUX_ID,
    HandshakeError,
    SecureChannel,
    SecurityError,
    WrongPeer,
)
from tests.libp2p.channels import (
    FACTORIES,
    carry,
    established_pair,
    identity,
    new_pair,
    pump,
    read_all,
    single_bytes,
)

both = pytest.mark.parametrize("kind", sorted(FACTORIES))


@both
@pytest.mark.parametrize("cut", [None, single_bytes])
def test_handshake(kind: str, cut: None) -> None:
    first, second = new_pair(kind)
    first.start()
    second.start()
    pump(first, second, cut)
    assert first.established
    assert second.established
    assert first.remote_peer == identity("bob").peer_id
    assert second.remote_peer == identity("alice").peer_id
    assert first.early_muxer == second.early_muxer == YAMUX_ID


@both
def test_nothing_is_known_before_the_handshake(kind: str) -> None:
    first, second = new_pair(kind)
    assert second.pending_out == 0
    first.start()
    assert first.pending_out == len(b"".join(first.data_to_send()))
    assert first.pending_out == 0
    for channel in (first, second):
        assert not channel.established
        assert not channel.eof
        assert channel.remote_peer is channel.early_muxer is None
        assert channel.read_into(memoryview(bytearray(10))) == 0
        with pytest.raises(SecurityError, match="not open for writing"):
            channel.write([b"too early"])


@both
@pytest.mark.parametrize("cut", [None, single_bytes])
def test_data_both_ways(kind: str, cut: None) -> None:
    first, second = established_pair(kind)
    first.write([b"head", memoryview(b"-body")])
    second.write([b"answer"])
    carry(first, second, cut)
    carry(second, first, cut)
    assert read_all(second, 3) == b"head-body"
    assert read_all(first) == b"answer"


@both
def test_ciphertext_hides_the_text(kind: str) -> None:
    first, _ = established_pair(kind)
    first.write([b"secret" * 100])
    assert b"secret" not in b"".join(first.data_to_send())


@both
def test_nothing_written_is_nothing_sent(kind: str) -> None:
    first, second = established_pair(kind)
    first.write([])
    first.write([b"", memoryview(b"")])
    assert carry(first, second) == first.pending_out == 0
    assert read_all(second) == b""


@both
def test_data_that_comes_with_the_end_of_the_handshake(kind: str) -> None:
    first, second = new_pair(kind)
    first.start()
    carry(first, second)
    carry(second, first)
    assert first.established
    first.write([b"early bird"])
    second.receive(b"".join(first.data_to_send()))
    assert second.established
    assert read_all(second) == b"early bird"


@both
def test_no_data_says_nothing(kind: str) -> None:
    first, second = new_pair(kind)
    second.receive(b"")
    first.start()
    pump(first, second)
    second.receive(memoryview(b""))
    assert second.established
    assert not second.eof


@both
def test_the_buffer_fed_may_be_used_again(kind: str) -> None:
    first, second = established_pair(kind)
    first.write([b"lasting"])
    data = bytearray(b"".join(first.data_to_send()))
    second.receive(memoryview(data))
    data[:] = bytes(len(data))
    assert read_all(second) == b"lasting"


@both
def test_megabytes_in_order(kind: str) -> None:
    first, second = established_pair(kind)
    block = bytes(range(256)) * 4096
    first.write([b"size", block, memoryview(block)[5:], b"end"])
    carry(first, second)
    assert read_all(second) == b"size" + block + block[5:] + b"end"


@both
def test_the_wrong_peer_is_named_with_the_expected_one(kind: str) -> None:
    expected = identity("carol").peer_id
    first, second = new_pair(kind, expected=expected)
    first.start()
    with pytest.raises(WrongPeer) as caught:
        pump(first, second)
    assert caught.value.expected == caught.value.peer == expected
    assert caught.value.actual == identity("bob").peer_id
    assert expected in str(caught.value)
    assert caught.value.actual in str(caught.value)
    assert not first.established
    assert first.remote_peer is None
    assert not second.established


@both
def test_a_listener_may_expect_somebody_too(kind: str) -> None:
    make = FACTORIES[kind]
    first = make(identity("alice"), initiator=True, expected_peer=None)
    second = make(identity("bob"), initiator=False, expected_peer=identity("carol").peer_id)
    first.start()
    with pytest.raises(WrongPeer, match=identity("alice").peer_id):
        pump(first, second)
    assert not second.established


@both
def test_anybody_is_accepted_when_nobody_is_expected(kind: str) -> None:
    make = FACTORIES[kind]
    first = make(identity("alice"), initiator=True, expected_peer=None)
    second = make(identity("bob"), initiator=False, expected_peer=None)
    first.start()
    pump(first, second)
    assert first.remote_peer == identity("bob").peer_id


@both
def test_bad_expectation_is_the_callers_fault(kind: str) -> None:
    with pytest.raises(UsageError, match="not a peer id"):
        FACTORIES[kind](identity("alice"), initiator=True, expected_peer="bob")


@both
def test_peers_may_have_the_same_identity(kind: str) -> None:
    """Whether to talk to oneself is for others to decide."""
    first, second = new_pair(kind, initiator="bob")
    first.start()
    pump(first, second)
    assert first.remote_peer == second.remote_peer


@both
@pytest.mark.parametrize("flights", [0, 1, 2])
def test_end_during_the_handshake(kind: str, flights: int) -> None:
    first, second = new_pair(kind)
    first.start()
    sides = [(first, second), (second, first)]
    for flight in range(flights):
        carry(*sides[flight % 2])
    for channel in (first, second):
        if not channel.established:
            with pytest.raises(HandshakeError, match="closed the connection"):
                channel.receive_eof()


@both
def test_bytes_before_the_end_of_the_handshake_are_bounded(kind: str) -> None:
    channel = FACTORIES[kind](identity("bob"), initiator=False, expected_peer=None, max_handshake=100)
    # The beginning of a long first message, in TLS and in Noise.
    channel.receive({"tls": b"\x16\x03\x01\x40\x00\x01\x00\xf0\x00", "noise": b"\xff\xff"}[kind] + bytes(100))
    with pytest.raises(HandshakeError, match="too many bytes"):
        channel.receive(b"x")


def feed(channel: SecureChannel, data: bytes, times: int) -> None:
    for _ in range(times):
        channel.receive(data)


@both
@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n" * 10, bytes(200), b"\xff" * 200, b"\x00\x20" + bytes(32)]
)
def test_strangers_are_turned_away(kind: str, data: bytes) -> None:
    first, second = new_pair(kind)
    first.start()
    for channel in (first, second):
        with pytest.raises(HandshakeError, match="handshake with"):
            feed(channel, data, 1000)
        assert not channel.established


@both
def test_a_broken_channel_stays_broken(kind: str) -> None:
    first, second = established_pair(kind)
    first.write([b"text"])
    data = bytearray(b"".join(first.data_to_send()))
    data[-1] ^= 1
    second.receive(data)
    with pytest.raises(SecurityError, match="failed") as caught:
        read_all(second)
    assert not isinstance(caught.value, HandshakeError)
    assert isinstance(caught.value, RemoteError)
    assert caught.value.peer == identity("alice").peer_id
    for call in (
        lambda: second.receive(b"more"),
        lambda: second.read_into(memoryview(bytearray(9))),
        lambda: second.write([b"x"]),
        second.receive_eof,
    ):
        with pytest.raises(SecurityError, match="failed"):
            call()
    second.close()


@both
def test_what_came_before_the_damage_is_read(kind: str) -> None:
    first, second = established_pair(kind)
    first.write([b"good"])
    data = b"".join(first.data_to_send())
    first.write([b"bad"])
    damaged = bytearray(b"".join(first.data_to_send()))
    damaged[-1] ^= 1
    second.receive(data + damaged)
    buffer = memoryview(bytearray(100))
    assert second.read_into(buffer) == 4
    assert buffer[:4] == b"good"
    with pytest.raises(SecurityError):
        second.read_into(buffer)


@both
def test_replayed_and_reordered_messages_are_refused(kind: str) -> None:
    for order in ((0, 0), (1,)):
        first, second = established_pair(kind)
        messages = []
        for text in (b"one", b"two"):
            first.write([text])
            messages.append(b"".join(first.data_to_send()))
        second.receive(b"".join(messages[index] for index in order))
        with pytest.raises(SecurityError):
            read_all(second, 3)


@both
def test_writing_is_over_after_close(kind: str) -> None:
    first, second = established_pair(kind)
    second.write([b"still coming"])
    first.close()
    first.close()
    with pytest.raises(SecurityError, match="not open for writing"):
        first.write([b"too late"])
    carry(second, first)
    assert read_all(first) == b"still coming"


@both
def test_closing_before_the_handshake_says_nothing(kind: str) -> None:
    first, _ = new_pair(kind)
    first.close()
    assert first.pending_out == 0


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 0x41,)) + data[at + 1 :]


def flight_sizes(kind: str) -> list[int]:
    first, second = new_pair(kind)
    first.start()
    sides = [(first, second), (second, first), (first, second)]
    return [carry(*side) for side in sides]


def damaged_handshake(kind: str, flight: int, at: int) -> tuple[SecureChannel, SecureChannel]:
    """A handshake in which one byte of one flight is changed; what the sides say about it is swallowed."""
    first, second = new_pair(kind)
    first.start()
    sides = [(first, second), (second, first), (first, second), (second, first)]
    try:
        for number, (source, target) in enumerate(sides):
            data = b"".join(source.data_to_send())
            if number == flight and at < len(data):
                data = flip(data, at)
            target.receive(data)
    except SecurityError:
        pass
    return first, second


@both
@pytest.mark.parametrize("flight", [0, 1, 2])
def test_damage_anywhere_in_the_handshake(kind: str, flight: int) -> None:
    """Each changed byte ends in a typed error, or changed nothing that counts (a version byte of TLS)."""
    size = flight_sizes(kind)[flight]
    refused = 0
    for at in range(0, size, 1 if kind == "noise" else 13):
        first, second = damaged_handshake(kind, flight, at)
        if first.established and second.established:
            try:
                first.write([b"text"])
                carry(first, second)
                assert read_all(second) == b"text"
                continue
            except SecurityError:
                pass
        refused += 1
        for channel in (first, second):
            if not channel.established:
                with pytest.raises(HandshakeError):
                    channel.receive_eof()
                assert channel.remote_peer is None
    assert refused >= (size if kind == "noise" else size // 13 - 2)


PIECES = st.lists(st.binary(max_size=300), max_size=12)


@both
@settings(deadline=None, max_examples=60)
@given(data=st.data(), writes=st.lists(PIECES, max_size=6))
def test_any_split_gives_the_same_text(kind: str, data: st.DataObject, writes: list[list[bytes]]) -> None:
    first, second = established_pair(kind)
    for parts in writes:
        first.write([memoryview(part) for part in parts])
    stream = b"".join(first.data_to_send())
    read, at = b"", 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        second.receive(stream[at : at + size])
        at += size
        read += read_all(second, data.draw(st.integers(1, 400)))
    assert read == b"".join(part for parts in writes for part in parts)


@both
@settings(deadline=None, max_examples=60)
@given(pieces=st.lists(st.binary(max_size=80), max_size=6), established=st.booleans())
def test_any_bytes_are_an_error_or_nothing(kind: str, pieces: list[bytes], established: bool) -> None:
    first, second = established_pair(kind) if established else new_pair(kind)
    if not established:
        first.start()
    for channel in (first, second):
        try:
            for piece in pieces:
                channel.receive(piece)
                assert read_all(channel) == b""
        except SecurityError:
            continue
