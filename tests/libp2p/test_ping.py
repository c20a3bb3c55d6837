"""Both ends of the ping protocol, back to back over yamux."""

from __future__ import annotations

import os

import pytest

from bitswap.network.libp2p.ping import PING_SIZE, Pinger, PingError, PingResponder
from bitswap.options import NetworkOptions
from tests.libp2p.muxers import Recorder, Side, exchange, pair


def responder(left: Side, right: Side) -> tuple[Recorder, list[int]]:
    """A stream of `left` whose other end in `right` echoes; and how often that said it was over."""
    stream, heard = left.open()
    exchange(left, right)
    other = right.accepted[-1].stream
    assert other is not None
    overs: list[int] = []
    other.handler = PingResponder(other, lambda: overs.append(1))
    heard.stream = stream
    return heard, overs


def test_pings_are_echoed_whole_in_any_cut_until_the_stream_ends() -> None:
    left, right = pair()
    heard, overs = responder(left, right)
    assert heard.stream is not None
    payload = os.urandom(3 * PING_SIZE)
    for at in range(0, len(payload), 7):
        heard.stream.write(payload[at : at + 7])
        exchange(left, right)
        assert len(heard.data) % PING_SIZE == 0
    assert heard.data == payload
    heard.stream.end()
    exchange(left, right)
    assert (heard.ended, overs) == (True, [1])
    assert not right.mux.streams


def test_a_peer_that_reads_no_echoes_is_reset() -> None:
    left, right = pair(NetworkOptions())
    heard, overs = responder(left, right)
    assert heard.stream is not None
    heard.consume = False
    for _ in range(40):
        heard.stream.write(bytes(16 * 1024))
        right.feed(left.take())
    right.take()
    other = right.accepted[0].stream
    assert other is not None
    while not other.closed:
        heard.stream.write(bytes(PING_SIZE * 100))
        right.feed(left.take())
    assert overs == [1]


@pytest.mark.parametrize("change", [b"", b"\x00", b"x" * PING_SIZE])
def test_the_pinger_takes_the_very_bytes_only(change: bytes) -> None:
    left, right = pair()
    outcomes: list[BaseException | None] = []
    stream, _ = left.open()
    payload = os.urandom(PING_SIZE)
    stream.handler = Pinger(stream, payload, outcomes.append)
    exchange(left, right)
    other = right.accepted[0]
    assert other.data == payload
    assert other.stream is not None
    other.stream.write(change + payload)
    exchange(left, right)
    assert len(outcomes) == 1
    assert (outcomes[0] is None) is (change == b"")


def test_a_stream_that_ends_or_is_reset_instead_is_an_error() -> None:
    left, right = pair()
    outcomes: list[BaseException | None] = []
    for end in (True, False):
        stream, _ = left.open()
        stream.handler = Pinger(stream, bytes(PING_SIZE), outcomes.append)
        exchange(left, right)
        other = right.accepted[-1].stream
        assert other is not None
        if end:
            other.end()
        else:
            other.reset()
        exchange(left, right)
    assert isinstance(outcomes[0], PingError)
    assert isinstance(outcomes[1], ConnectionError)
