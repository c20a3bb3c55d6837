"""Strangers, broken frames and bad messages: it costs a stream or a connection, and nobody else anything."""

from __future__ import annotations

import socket

import pytest

from bitswap import varint
from bitswap.errors import RemoteError, WireError
from bitswap.network.libp2p.message_reader import TooMuchPartial
from bitswap.network.libp2p.multistream import HEADER
from bitswap.network.libp2p.swarm import TooManyConnections
from bitswap.network.libp2p.yamux import DATA, SYN, WINDOW_UPDATE, StreamFlood, WindowOverrun, YamuxError
from bitswap.options import KIB, MAX_FRAME, MIB, NetworkOptions
from tests.libp2p.nodes import (
    BITSWAP,
    Done,
    MakeNode,
    MakePuppet,
    Node,
    datas,
    join,
    message_of,
    send,
    still_works,
)
from tests.libp2p.puppet import WAIT, frame, line

pytestmark = pytest.mark.timeout(60)


def address_of(node: Node) -> tuple[str, int]:
    parts = node[0].addrs[0].split("/")
    return parts[2], int(parts[4])


def raw_client(node: Node) -> socket.socket:
    return socket.create_connection(address_of(node), timeout=WAIT)


def drain(sock: socket.socket) -> bytes:
    """Everything until the other side closes."""
    found = b""
    try:
        while data := sock.recv(65536):
            found += data
    except ConnectionError:
        pass
    return found


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01" + bytes(200),
        line(HEADER) + line("/plaintext/2.0.0"),
        line(HEADER) + line("/tls/1.0.0") + b"no client hello" * 30,
        b"\xff" * 1000,
        b"",
    ],
)
def test_garbage_from_a_stranger(friends: tuple[Node, Node], garbage: bytes) -> None:
    node, friend = friends
    with raw_client(node) as sock:
        sock.sendall(garbage)
        sock.shutdown(socket.SHUT_WR)
        drain(sock)
    still_works(*friends)
    assert node[1].connected == [friend[0].self_id]


def test_a_stranger_that_says_nothing_is_closed_in_time(make_node: MakeNode) -> None:
    node, friend = make_node(), make_node()
    join(friend, node)
    # From here on, so that a slow machine does not cut the friend's handshake.
    node[0]._swarm._options = NetworkOptions(handshake_timeout=0.05)
    with raw_client(node) as sock:
        drain(sock)
    still_works(node, friend)


def test_many_silent_strangers_keep_nobody_out_for_long(make_node: MakeNode) -> None:
    options = NetworkOptions(max_pending_handshakes=2, handshake_timeout=1.0)
    node, friend = make_node(options=options), make_node()
    silent = [raw_client(node) for _ in range(4)]
    join(friend, node)
    still_works(node, friend)
    for sock in silent:
        sock.close()


def test_connections_beyond_the_total_are_closed_at_once(make_node: MakeNode) -> None:
    node, friend, late = make_node(options=NetworkOptions(max_connections=1)), make_node(), make_node()
    join(friend, node)
    with pytest.raises(RemoteError):
        late[0].connect(node[0].addrs[0])
    with pytest.raises(TooManyConnections):
        node[0].connect(late[0].addrs[0])
    still_works(node, friend)


def test_connections_beyond_those_of_one_peer_are_closed(make_node: MakeNode) -> None:
    node, friend = make_node(options=NetworkOptions(max_connections_per_peer=1)), make_node()
    join(friend, node)
    outcomes: list[BaseException | None] = []
    done = Done()

    def second() -> None:
        addresses = friend[0]._target(node[0].addrs[0])[1]
        friend[0]._dialer.dial(addresses, None, WAIT, lambda peer, error: outcomes.append(error))

    friend[0]._reactor.call(second)  # type: ignore[union-attr]
    # The friend sees it open, then closed; the first one stays.
    while len(friend[0]._swarm._links) != 1 or not outcomes:
        friend[0].ping(node[0].self_id)
    still_works(node, friend)
    assert done.calls == []


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([frame(7, 0, 0, 0)], YamuxError),
        ([frame(DATA, SYN, 1, 0, version=3)], YamuxError),
        ([frame(DATA, 0, 99, 10, bytes(10))], YamuxError),
        ([frame(DATA, SYN, 101, 300 * KIB, bytes(300 * KIB))], WindowOverrun),
        ([frame(DATA, SYN, 101, 0xFFFFFFFF)], WindowOverrun),
        ([frame(WINDOW_UPDATE, SYN, 102, 0)], YamuxError),
        ([frame(WINDOW_UPDATE, SYN, 101 + 2 * number, 0) for number in range(2000)], StreamFlood),
    ],
    ids=["type", "version", "never-opened", "overrun", "huge", "wrong-parity", "stream-flood"],
)
def test_broken_yamux_costs_the_connection(
    friends: tuple[Node, Node], make_puppet: MakePuppet, frames: list[bytes], error: type[BaseException]
) -> None:
    node, friend = friends
    puppet = make_puppet(node[0].addrs[0])
    node[1].wait(lambda: puppet.peer_id in node[1].connected)
    puppet.raw(b"".join(frames))
    node[1].wait(lambda: len(node[1].disconnected) == 1)
    peer, reason = node[1].disconnected[0]
    assert peer == puppet.peer_id
    assert isinstance(reason, error)
    assert getattr(reason, "peer", None) == puppet.peer_id
    puppet.wait_for_end()
    assert puppet.gone == 1
    still_works(node, friend)


def test_the_window_of_a_bitswap_stream_is_enforced(make_node: MakeNode, make_puppet: MakePuppet) -> None:
    node, friend = make_node(options=NetworkOptions(receive_window=MIB)), make_node()
    join(friend, node)
    puppet = make_puppet(node[0].addrs[0])
    stream, _ = puppet.open(BITSWAP)
    node[0].pause(puppet.peer_id)
    puppet.flush()
    puppet.raw(*[frame(DATA, 0, stream.id, 256 * KIB, bytes(256 * KIB)) for _ in range(5)])
    node[1].wait(lambda: len(node[1].disconnected) == 1)
    assert isinstance(node[1].disconnected[0][1], WindowOverrun)
    still_works(node, friend)


@pytest.mark.parametrize(
    ("payload", "ends"),
    [
        (varint.encode(MAX_FRAME + 1), False),
        (b"\xff" * 10, False),
        (varint.encode(3) + b"\xff\xff\xff", False),
        (varint.encode(4) + bytes((0x0A, 0x02, 0x0A, 0x00)), False),
        (varint.encode(100) + b"cut", True),
    ],
    ids=["too-large", "bad-length", "no-protobuf", "bad-cid", "cut"],
)
def test_a_bad_message_costs_the_stream_and_is_told(
    friends: tuple[Node, Node], make_puppet: MakePuppet, payload: bytes, ends: bool
) -> None:
    node, friend = friends
    puppet = make_puppet(node[0].addrs[0])
    stream, tape = puppet.open(BITSWAP)
    stream.write(message_of(b"good").to_frame() + payload)
    if ends:
        stream.end()
    puppet.wait(lambda: tape.is_closed)
    node[1].wait(lambda: len(node[1].errors) == 1)
    peer, error = node[1].errors[0]
    assert (peer, isinstance(error, WireError)) == (puppet.peer_id, True)
    assert datas(node[1]) == [b"good"]
    again, _ = puppet.open(BITSWAP)
    again.write(message_of(b"better").to_frame())
    puppet.flush()
    node[1].wait(lambda: datas(node[1]) == [b"good", b"better"])
    still_works(node, friend)
    assert node[1].disconnected == []


@pytest.mark.parametrize(
    "options",
    [NetworkOptions(max_partial_bytes=MAX_FRAME), NetworkOptions(max_buffered_bytes=MAX_FRAME)],
    ids=["one-connection", "all"],
)
def test_messages_begun_on_many_streams_are_bounded(
    make_node: MakeNode, make_puppet: MakePuppet, options: NetworkOptions
) -> None:
    node, friend = make_node(options=options), make_node()
    join(friend, node)
    puppet = make_puppet(node[0].addrs[0])
    tapes = []
    for _ in range(3):
        stream, tape = puppet.open(BITSWAP)
        stream.write(varint.encode(MAX_FRAME) + bytes(3 * MIB // 2))
        puppet.flush()
        tapes.append(tape)
    puppet.wait(lambda: any(tape.is_closed for tape in tapes))
    node[1].wait(lambda: len(node[1].errors) == 1)
    assert isinstance(node[1].errors[0][1], TooMuchPartial)
    still_works(node, friend)
    puppet.close()
    node[1].wait(lambda: len(node[1].disconnected) == 1)
    assert node[0]._host.buffered == 0


def test_a_receiver_that_raises_loses_one_message_only(friends: tuple[Node, Node]) -> None:
    node, friend = friends

    def fail(peer: str, message: object) -> None:
        node[1].on_message = None
        raise RuntimeError("on purpose")

    node[1].on_message = fail
    assert send(friend[0], node[0].self_id, message_of(b"first")) is None
    assert send(friend[0], node[0].self_id, message_of(b"second")) is None
    node[1].wait(lambda: datas(node[1]) == [b"first", b"second"])
