"""The yamux machine, fed bytes: frames built by hand on one side, two machines back to back on the other."""

from __future__ import annotations

import random

import pytest

from bitswap.network.libp2p.yamux import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    INITIAL_WINDOW,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    StreamFlood,
    WindowOverrun,
    YamuxError,
)
from bitswap.network.libp2p.yamux_stream import StreamClosed, StreamReset, YamuxStream
from bitswap.options import KIB, MIB, NetworkOptions
from tests.libp2p.muxers import Side, data, exchange, frames, pair
from tests.libp2p.puppet import frame

pytestmark = pytest.mark.timeout(30)


def test_a_stream_carries_bytes_both_ways_and_ends_when_both_sides_end() -> None:
    left, right = pair()
    stream, heard = left.open()
    stream.write(b"hello ")
    stream.write(memoryview(b"world"))
    exchange(left, right)
    (other,) = right.accepted
    assert other.data == b"hello world"
    assert other.stream is not None
    other.stream.write(b"answer")
    other.stream.end()
    exchange(left, right)
    assert (heard.data, heard.ended, heard.is_closed) == (b"answer", True, False)
    stream.write(b"still open this way")
    stream.end()
    exchange(left, right)
    assert other.data.endswith(b"this way")
    assert other.ended
    assert not left.mux.streams
    assert not right.mux.streams
    assert not other.is_closed


def test_ids_are_odd_for_the_initiator_and_even_for_the_listener() -> None:
    left, right = pair()
    assert [left.open()[0].id for _ in range(3)] == [1, 3, 5]
    assert [right.open()[0].id for _ in range(3)] == [2, 4, 6]


def test_syn_and_ack_are_announced_once_and_before_data() -> None:
    left, right = pair()
    stream, _ = left.open()
    stream.write(b"x")
    out = left.take()
    assert frames(out) == [(WINDOW_UPDATE, SYN, 1, 0), (DATA, 0, 1, 1)]
    right.feed(out)
    assert frames(right.take()) == [(WINDOW_UPDATE, ACK, 1, 0)]
    assert right.take() == b""
    stream.write(b"y")
    assert frames(left.take()) == [(DATA, 0, 1, 1)]


def test_a_larger_window_goes_out_with_the_syn() -> None:
    left, right = pair()
    stream, _ = left.open()
    stream.grow_window(16 * MIB)
    out = left.take()
    assert frames(out) == [(WINDOW_UPDATE, SYN, 1, 16 * MIB - INITIAL_WINDOW)]
    right.feed(out)
    other = right.accepted[0].stream
    assert other is not None
    assert other.send_window == 16 * MIB


def test_syn_may_come_with_data() -> None:
    right = Side(initiator=False)
    right.feed(data(1, b"first", SYN))
    assert right.accepted[0].data == b"first"


def test_the_sender_stops_at_the_peers_window_and_goes_on_with_credit() -> None:
    left, right = pair(consume=False)
    stream, _ = left.open()
    stream.write(bytes(INITIAL_WINDOW + 1000))
    exchange(left, right)
    (other,) = right.accepted
    assert len(other.data) == INITIAL_WINDOW
    assert stream.queued == 1000
    assert stream.send_window == 0
    assert not left.mux.has_data
    assert other.stream is not None
    other.stream.consume(INITIAL_WINDOW // 2 - 1)
    assert right.take() == b""
    other.stream.consume(1)
    out = right.take()
    assert frames(out) == [(WINDOW_UPDATE, 0, 1, INITIAL_WINDOW // 2)]
    left.feed(out)
    exchange(left, right)
    assert len(other.data) == INITIAL_WINDOW + 1000
    assert stream.queued == 0
    assert left.mux.queued == 0


def test_more_than_the_window_is_a_typed_error_and_a_go_away() -> None:
    right = Side(initiator=False, consume=False)
    right.feed(data(1, bytes(INITIAL_WINDOW), SYN))
    right.take()
    with pytest.raises(WindowOverrun, match="stream 1"):
        right.feed(data(1, b"x"))
    assert frames(right.take()) == [(GO_AWAY, 0, 0, 1)]
    right.feed(data(1, b"ignored afterwards"))
    assert len(right.accepted[0].data) == INITIAL_WINDOW


def test_an_overrun_is_seen_in_the_header_before_the_payload() -> None:
    right = Side(initiator=False)
    with pytest.raises(WindowOverrun):
        right.feed(frame(DATA, SYN, 1, INITIAL_WINDOW + 1))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (frame(DATA, SYN, 1, 0, version=1), "version 1"),
        (frame(4, 0, 0, 0), "type 4"),
        (frame(DATA, 0, 0, 1, b"x"), "stream 0"),
        (frame(WINDOW_UPDATE, SYN, 0, 0), "stream 0"),
        (frame(DATA, 0, 1, 1, b"x"), "never opened"),
        (frame(DATA, 0, 2, 1, b"x"), "never opened"),
        (frame(WINDOW_UPDATE, 0, 9, 1), "never opened"),
        (frame(DATA, SYN, 2, 0), "our side"),
        (frame(WINDOW_UPDATE, SYN, 1, 0) * 2, "open already"),
        (frame(WINDOW_UPDATE, SYN, 1, 0xFFFFFFFF), "4 GiB"),
        (data(1, b"", SYN | FIN) + data(1, b"x"), "after its end"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_broken_frames_are_typed_errors(bad: bytes, words: str) -> None:
    right = Side(initiator=False)
    with pytest.raises(YamuxError, match=words):
        right.feed(bad)
    assert (GO_AWAY, 0, 0, 1) in frames(right.take())


def test_frames_before_a_broken_one_are_delivered() -> None:
    right = Side(initiator=False)
    with pytest.raises(YamuxError):
        right.feed(data(1, b"good", SYN), frame(9, 0, 0, 0))
    assert right.accepted[0].data == b"good"


@pytest.mark.parametrize("step", [1, 5, 11, 12, 13, 100])
def test_input_may_be_cut_anywhere(step: int) -> None:
    left, right = pair()
    for text in (b"one", b"two", b"three" * 20):
        stream, _ = left.open()
        stream.write(text)
        stream.end()
    left.mux.ping(7)
    raw = left.take()
    for at in range(0, len(raw), step):
        right.feed(raw[at : at + step])
    assert [heard.data for heard in right.accepted] == [b"one", b"two", b"three" * 20]
    assert all(heard.ended for heard in right.accepted)
    assert (PING, ACK, 0, 7) in frames(right.take())


def test_payload_is_handed_on_as_it_comes() -> None:
    right = Side(initiator=False)
    raw = data(1, bytes(1000), SYN)
    right.feed(raw[:112])
    assert right.accepted[0].pieces == [100]
    right.feed(raw[112:])
    assert right.accepted[0].pieces == [100, 900]


def test_outgoing_frames_stay_below_the_limit_and_streams_take_turns() -> None:
    left, _ = pair(NetworkOptions(max_frame=16 * KIB))
    first, _ = left.open()
    second, _ = left.open()
    left.take()
    first.write(bytes(100 * KIB))
    second.write(bytes(100 * KIB))
    raw = left.take(64 * KIB)
    sent = [(stream, length) for _, _, stream, length in frames(raw)]
    assert sent == [(1, 16 * KIB), (3, 16 * KIB), (1, 16 * KIB), (3, 16 * KIB)]


def test_small_writes_share_one_frame() -> None:
    left, _ = pair()
    stream, _ = left.open()
    left.take()
    for _ in range(50):
        stream.write(b"0123456789")
    assert frames(left.take()) == [(DATA, 0, 1, 500)]


def test_drained_is_told_when_the_queue_falls_to_the_low_water_mark() -> None:
    left, _ = pair(NetworkOptions(max_frame=16 * KIB))
    stream, heard = left.open()
    stream.low_water = 32 * KIB
    stream.write(bytes(64 * KIB))
    left.take(1)
    left.take(1)
    assert heard.drains == 0
    left.take(1)
    assert (heard.drains, stream.queued) == (1, 32 * KIB)
    left.take(MIB)
    assert heard.drains == 1


def test_reset_by_the_peer_closes_the_stream_only() -> None:
    left, right = pair()
    stream, heard = left.open()
    _, survivor = left.open()
    stream.write(b"x")
    exchange(left, right)
    stream.write(b"lost")
    other = right.accepted[0].stream
    assert other is not None
    other.reset()
    left.feed(right.take())
    assert isinstance(heard.error, StreamReset)
    assert (stream.closed, left.mux.queued) == (True, 0)
    with pytest.raises(StreamClosed):
        stream.write(b"more")
    assert not survivor.is_closed
    assert list(left.mux.streams) == [3]
    exchange(left, right)


def test_own_reset_tells_the_peer_and_makes_no_call() -> None:
    left, right = pair()
    stream, heard = left.open()
    exchange(left, right)
    stream.reset()
    stream.reset()
    exchange(left, right)
    assert not heard.is_closed
    assert isinstance(right.accepted[0].error, StreamReset)


def test_a_stream_reset_before_its_syn_went_out_is_never_heard_of() -> None:
    left, right = pair()
    stream, _ = left.open()
    stream.write(b"x")
    stream.reset()
    assert left.take() == b""
    later, _ = left.open()
    later.write(b"y")
    exchange(left, right)
    assert [heard.data for heard in right.accepted] == [b"y"]


def test_data_on_the_way_to_a_stream_that_was_reset_is_dropped() -> None:
    left, right = pair()
    stream, _ = left.open()
    stream.write(b"a")
    exchange(left, right)
    other = right.accepted[0].stream
    assert other is not None
    other.reset()
    stream.write(b"on the way")
    stream.end()
    right.feed(left.take())
    assert right.accepted[0].data == b"a"
    exchange(left, right)
    right.feed(frame(PING, SYN, 0, 5))
    assert frames(right.take()) == [(PING, ACK, 0, 5)]


def test_a_frame_larger_than_any_window_is_refused_on_closed_streams_too() -> None:
    right = Side(initiator=False)
    right.feed(frame(WINDOW_UPDATE, SYN, 1, 0), frame(WINDOW_UPDATE, RST, 1, 0))
    with pytest.raises(WindowOverrun, match="closed stream"):
        right.feed(frame(DATA, 0, 1, 16 * MIB + 1))


def test_reset_in_the_middle_of_a_body_drops_the_rest() -> None:
    right = Side(initiator=False)
    raw = data(1, bytes(100), SYN)
    right.feed(raw[:50])
    stream = right.accepted[0].stream
    assert stream is not None
    stream.reset()
    right.feed(raw[50:], data(3, b"next", SYN))
    assert right.accepted[0].pieces == [38]
    assert right.accepted[1].data == b"next"


def test_fin_behind_the_last_data() -> None:
    left, right = pair()
    stream, _ = left.open()
    left.take()
    right.feed(frame(WINDOW_UPDATE, SYN, 1, 0))
    stream.write(b"last")
    stream.end()
    raw = left.take()
    assert frames(raw) == [(DATA, 0, 1, 4), (WINDOW_UPDATE, FIN, 1, 0)]
    right.feed(raw)
    assert (right.accepted[0].data, right.accepted[0].ended) == (b"last", True)
    with pytest.raises(StreamClosed):
        stream.write(b"after")


def test_no_credit_is_sent_for_a_stream_that_the_peer_ended() -> None:
    right = Side(initiator=False, consume=False)
    right.feed(data(1, bytes(INITIAL_WINDOW), SYN | FIN))
    right.take()
    stream = right.accepted[0].stream
    assert stream is not None
    stream.consume(INITIAL_WINDOW)
    assert right.take() == b""


def test_pings_are_answered_and_pongs_told() -> None:
    left, right = pair()
    left.mux.ping(0xDEADBEEF)
    exchange(left, right)
    assert left.pongs == [0xDEADBEEF]


def test_pings_without_end_that_are_not_read_close_the_connection() -> None:
    right = Side(initiator=False, options=NetworkOptions(max_control_bytes=4 * KIB))
    with pytest.raises(StreamFlood):
        right.feed(frame(PING, SYN, 0, 1) * 400)


def test_resets_without_end_that_are_not_read_close_the_connection() -> None:
    """It takes 12 bytes to open a stream that fails, and 12 bytes to say that it has."""
    side = Side(initiator=False, options=NetworkOptions(max_control_bytes=4 * KIB))

    def refuse(stream: YamuxStream) -> None:
        stream.reset()

    side.stream_opened = refuse  # type: ignore[method-assign]
    flood = b"".join(frame(WINDOW_UPDATE, SYN, number, 0) for number in range(1, 2001, 2))
    with pytest.raises(StreamFlood, match="does not read"):
        side.mux.receive(memoryview(flood))
    assert len(side.mux._control) <= 5 * KIB
    assert not side.mux.streams


def test_go_away_stops_new_streams_but_not_those_that_are_open() -> None:
    left, right = pair()
    stream, _ = left.open()
    exchange(left, right)
    left.feed(frame(GO_AWAY, 0, 0, 2))
    assert left.gone == 2
    with pytest.raises(StreamClosed, match="going away"):
        left.open()
    stream.write(b"still")
    exchange(left, right)
    assert right.accepted[0].data == b"still"


def test_streams_above_the_limit_are_reset_and_a_flood_closes_the_connection() -> None:
    options = NetworkOptions(max_inbound_streams=4, max_refused_streams=6)
    right = Side(initiator=False, options=options)
    for number in range(10):
        right.feed(frame(WINDOW_UPDATE, SYN, 2 * number + 1, 0))
    assert len(right.accepted) == 4
    refused = [stream for kind, flags, stream, _ in frames(right.take()) if flags & RST]
    assert refused == [9, 11, 13, 15, 17, 19]
    right.feed(data(9, b"sent before the reset was seen"))
    with pytest.raises(StreamFlood):
        right.feed(frame(WINDOW_UPDATE, SYN, 21, 0))


def test_a_burst_that_ends_is_forgiven() -> None:
    options = NetworkOptions(max_inbound_streams=4, max_refused_streams=6)
    right = Side(initiator=False, options=options)
    next_id = 1
    for _ in range(5):
        opened = len(right.accepted)
        for _ in range(9):
            right.feed(frame(WINDOW_UPDATE, SYN, next_id, 0))
            next_id += 2
        for heard in right.accepted[opened:]:
            assert heard.stream is not None
            heard.stream.reset()
        right.take()
    assert len(right.accepted) == 20


def test_our_own_streams_are_bounded_too() -> None:
    left = Side(initiator=True, options=NetworkOptions(max_outbound_streams=3))
    for _ in range(3):
        left.open()
    with pytest.raises(StreamClosed, match="3 streams"):
        left.open()


def test_abort_closes_every_stream_with_the_reason() -> None:
    left, right = pair()
    stream, heard = left.open()
    stream.write(b"x")
    exchange(left, right)
    stream.write(b"waits")
    reason = ConnectionError("gone")
    left.mux.abort(reason)
    assert heard.error is reason
    assert (left.mux.queued, left.mux.has_data) == (0, False)
    with pytest.raises(StreamClosed):
        left.open()


@pytest.mark.parametrize("seed", range(20))
def test_random_traffic_arrives_whole_and_in_order(seed: int) -> None:
    rng = random.Random(seed)
    options = NetworkOptions(max_frame=rng.choice([1 * KIB, 5000, 256 * KIB]))
    left, right = pair(options)
    sent: dict[int, bytes] = {}
    open_streams: list[YamuxStream] = []
    for _ in range(300):
        action = rng.random()
        if action < 0.1 and len(open_streams) < 20:
            stream, _ = left.open()
            if rng.random() < 0.5:
                stream.grow_window(MIB)
            sent[stream.id] = b""
            open_streams.append(stream)
        elif action < 0.7 and open_streams:
            stream = rng.choice(open_streams)
            payload = rng.randbytes(rng.choice([1, 100, 3000, 70_000]))
            stream.write(payload)
            sent[stream.id] += payload
        elif action < 0.75 and open_streams:
            open_streams.pop(rng.randrange(len(open_streams))).end()
        else:
            raw = left.take(rng.choice([1, 1000, 100_000]))
            while raw:
                cut = rng.randint(1, 50_000)
                right.feed(raw[:cut])
                raw = raw[cut:]
            left.feed(right.take())
    for stream in open_streams:
        stream.end()
    exchange(left, right)
    arrived = {heard.stream.id: heard.data for heard in right.accepted if heard.stream is not None}
    assert arrived == sent
    assert all(heard.ended for heard in right.accepted)
    assert (left.mux.queued, right.mux.queued) == (0, 0)


@pytest.mark.parametrize("seed", range(30))
def test_frames_at_random_are_taken_or_refused_by_a_typed_error(seed: int) -> None:
    rng = random.Random(seed)
    right = Side(initiator=False, consume=rng.random() < 0.5)
    own = [right.open()[0] for _ in range(3)]
    for _ in range(400):
        kind = rng.choice(
            [DATA, DATA, WINDOW_UPDATE, WINDOW_UPDATE, PING, GO_AWAY if rng.random() < 0.01 else PING]
        )
        flags = rng.choice([0, 0, SYN, ACK, FIN, RST, SYN | FIN, rng.randrange(16)])
        stream = rng.choice([0, 1, 3, 5, 7, 2, 4, 6, rng.randrange(40)])
        length = rng.choice([0, 1, 100, 5000])
        payload = bytes(length) if kind == DATA else b""
        try:
            right.feed(frame(kind, flags, stream, length, payload))
        except YamuxError:
            right = Side(initiator=False)
            own = [right.open()[0] for _ in range(3)]
        if rng.random() < 0.2:
            rng.choice(own).reset()
        if rng.random() < 0.5:
            right.take()
        live = right.mux.streams.values()
        assert right.mux.queued == sum(stream.queued for stream in live)
        assert all(not stream.closed for stream in live)
        assert right.mux._inbound == sum(stream.id % 2 for stream in live)
