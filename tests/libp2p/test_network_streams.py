"""How streams begin and end, with a peer that does what the test says: resets, refusals, silence, answers."""

from __future__ import annotations

import os
import threading

import pytest

from bitswap.block import Block
from bitswap.errors import RemoteError, Timeout
from bitswap.message import Message
from bitswap.network.interface import ANSWERS, WANTS
from bitswap.network.libp2p.identify import IDENTIFY_ID, IDENTIFY_PUSH_ID, Identity
from bitswap.network.libp2p.multistream import HEADER
from bitswap.network.libp2p.ping import PING_ID
from bitswap.network.libp2p.yamux_stream import StreamReset
from bitswap.options import KIB, MIB, NetworkOptions
from tests.libp2p.nodes import (
    BITSWAP,
    OLDER,
    Done,
    MakeNode,
    MakePuppet,
    Node,
    accept,
    datas,
    join,
    message_of,
    send,
    still_works,
)
from tests.libp2p.puppet import WAIT, Puppet, Tape, line

pytestmark = pytest.mark.timeout(60)


def known_puppet(node: Node, make_puppet: MakePuppet) -> Puppet:
    """A puppet that `node` has been told is connected."""
    puppet = make_puppet(node[0].addrs[0])
    node[1].wait(lambda: puppet.peer_id in node[1].connected)
    return puppet


@pytest.mark.parametrize("protocol", [BITSWAP, *OLDER])
def test_many_messages_on_one_stream_and_a_stream_each(
    friends: tuple[Node, Node], make_puppet: MakePuppet, protocol: str
) -> None:
    node, _ = friends
    puppet = make_puppet(node[0].addrs[0])
    stream, tape = puppet.open(protocol)
    for number in range(5):
        stream.write(message_of(b"%d" % number).to_frame())
    stream.end()
    puppet.wait(lambda: tape.ended)
    for number in range(5, 10):
        stream, tape = puppet.open(protocol)
        stream.write(message_of(b"%d" % number).to_frame())
        stream.end()
        puppet.wait(lambda: tape.ended)  # noqa: B023
    node[1].wait(lambda: datas(node[1]) == [b"%d" % number for number in range(10)])
    assert not puppet.connection.session.streams.keys() - {tape.stream.id for tape in puppet.streams}  # type: ignore[union-attr]


def test_an_empty_message_is_a_message(friends: tuple[Node, Node], make_puppet: MakePuppet) -> None:
    node, _ = friends
    puppet = make_puppet(node[0].addrs[0])
    stream, _ = puppet.open(BITSWAP)
    stream.write(b"\x00")
    puppet.flush()
    node[1].wait(lambda: len(node[1].messages) == 1)
    assert node[1].messages[0][1].empty()  # type: ignore[attr-defined]


def test_an_unknown_protocol_is_refused_by_name(friends: tuple[Node, Node], make_puppet: MakePuppet) -> None:
    node, _ = friends
    puppet = make_puppet(node[0].addrs[0])
    tape = Tape()
    stream = puppet.connection.session.open_stream(tape)
    tape.stream = stream
    stream.write(line(HEADER) + line("/unheard/1.0.0") + line(BITSWAP))
    expected = line(HEADER) + line("na") + line(BITSWAP)
    puppet.wait(lambda: len(tape.data) >= len(expected))
    assert tape.data == expected
    stream.write(message_of(b"after na").to_frame())
    puppet.flush()
    node[1].wait(lambda: datas(node[1]) == [b"after na"])


def test_a_stream_without_a_protocol_is_reset_in_time(make_node: MakeNode, make_puppet: MakePuppet) -> None:
    node, friend = make_node(), make_node()
    join(friend, node)
    still_works(node, friend)
    node[0]._host.options = NetworkOptions(stream_timeout=0.05)
    puppet = make_puppet(node[0].addrs[0])
    tape = Tape()
    tape.stream = puppet.connection.session.open_stream(tape)
    tape.stream.write(line(HEADER))
    puppet.wait(lambda: tape.is_closed)
    assert isinstance(tape.error, StreamReset)
    still_works(node, friend)


def test_answers_on_the_asking_stream_are_taken(friends: tuple[Node, Node], make_puppet: MakePuppet) -> None:
    node, _ = friends
    puppet = known_puppet(node, make_puppet)
    done = Done()
    node[0].send(puppet.peer_id, message_of(b"asks"), WANTS, done)
    tape = accept(puppet, BITSWAP)
    assert done.wait() is None
    assert tape.stream is not None
    tape.stream.write(message_of(os.urandom(600 * KIB)).to_frame() + message_of(b"answers").to_frame())
    puppet.wait(lambda: len(tape.data) > 0 and tape.stream is not None and not tape.stream.queued)
    node[1].wait(lambda: b"answers" in datas(node[1]))


def test_a_bad_answer_on_the_asking_stream_costs_that_stream(
    friends: tuple[Node, Node], make_puppet: MakePuppet
) -> None:
    node, _ = friends
    puppet = known_puppet(node, make_puppet)
    done, again = Done(), Done()
    node[0].send(puppet.peer_id, message_of(b"asks"), WANTS, done)
    tape = accept(puppet, BITSWAP)
    assert done.wait() is None
    assert tape.stream is not None
    tape.stream.write(b"\xff" * 10)
    puppet.wait(lambda: tape.is_closed)
    node[1].wait(lambda: len(node[1].errors) == 1)
    node[0].send(puppet.peer_id, message_of(b"asks again"), WANTS, again)
    second = accept(puppet, BITSWAP)
    assert second is not tape
    assert again.wait() is None


def test_a_stream_that_the_peer_resets_is_reopened_once_for_the_message_in_hand(
    friends: tuple[Node, Node], make_puppet: MakePuppet
) -> None:
    node, _ = friends
    puppet = known_puppet(node, make_puppet)
    message = message_of(os.urandom(3 * MIB))
    done = Done()
    node[0].send(puppet.peer_id, message, ANSWERS, done)
    first = accept(puppet, BITSWAP)
    puppet.wait(lambda: len(first.data) > 100 * KIB)
    assert first.stream is not None
    first.stream.reset()
    puppet.flush()
    second = accept(puppet, BITSWAP)
    assert second is not first
    frame_bytes = message.to_frame()
    puppet.wait(lambda: len(second.data) == len(frame_bytes))
    assert second.data == frame_bytes
    assert done.wait() is None


def test_a_stream_that_is_reset_twice_fails_the_send(
    friends: tuple[Node, Node], make_puppet: MakePuppet
) -> None:
    node, _ = friends
    puppet = known_puppet(node, make_puppet)
    done = Done()
    node[0].send(puppet.peer_id, message_of(os.urandom(3 * MIB)), ANSWERS, done)
    for _ in range(2):
        tape = accept(puppet, BITSWAP)
        assert tape.stream is not None
        tape.stream.reset()
        puppet.flush()
    assert isinstance(done.wait(), StreamReset)
    assert node[0].is_connected(puppet.peer_id)
    assert len(done.calls) == 1


def test_a_peer_that_ends_our_stream_gets_the_next_message_on_a_new_one(
    friends: tuple[Node, Node], make_puppet: MakePuppet
) -> None:
    node, _ = friends
    puppet = known_puppet(node, make_puppet)
    done, again = Done(), Done()
    node[0].send(puppet.peer_id, message_of(b"one"), WANTS, done)
    first = accept(puppet, BITSWAP)
    assert done.wait() is None
    assert first.stream is not None
    first.stream.end()
    puppet.wait(lambda: first.ended)
    assert first.data == message_of(b"one").to_frame()
    node[0].send(puppet.peer_id, message_of(b"two"), WANTS, again)
    second = accept(puppet, BITSWAP)
    assert again.wait() is None
    puppet.wait(lambda: second.data == message_of(b"two").to_frame())


def test_a_peer_that_agrees_on_nothing_fails_the_send_in_time(
    make_node: MakeNode, make_puppet: MakePuppet
) -> None:
    node = make_node(options=NetworkOptions(stream_timeout=0.05))
    puppet = known_puppet(node, make_puppet)
    assert isinstance(send(node[0], puppet.peer_id, message_of(b"x")), Timeout)
    assert node[0].is_connected(puppet.peer_id)


def test_a_peer_that_refuses_all_protocols_is_asked_for_each(
    friends: tuple[Node, Node], make_puppet: MakePuppet
) -> None:
    node, _ = friends
    puppet = known_puppet(node, make_puppet)
    done = Done()
    node[0].send(puppet.peer_id, message_of(b"x"), WANTS, done)
    proposal = line(HEADER) + line(BITSWAP)
    puppet.wait(lambda: any(tape.data == proposal for tape in puppet.streams))
    tape = next(tape for tape in puppet.streams if tape.data == proposal)
    assert tape.stream is not None
    tape.stream.write(line(HEADER) + line("na"))
    for protocol in OLDER:
        puppet.wait(lambda: tape.data.endswith(line(protocol)))  # noqa: B023
        tape.stream.write(line("na"))
    puppet.flush()
    error = done.wait()
    assert isinstance(error, RemoteError)
    assert error.peer == puppet.peer_id


def test_a_promise_of_identify_that_is_not_kept_is_asked_for_again(
    friends: tuple[Node, Node], make_puppet: MakePuppet
) -> None:
    node, _ = friends
    puppet = make_puppet(node[0].addrs[0])
    asked = accept(puppet, IDENTIFY_ID)
    assert asked.stream is not None
    asked.stream.write(Identity(protocols=(BITSWAP, OLDER[0])).encode())
    asked.stream.end()
    puppet.wait(lambda: asked.ended)
    done = Done()
    message = message_of(b"old after all")
    node[0].send(puppet.peer_id, message, WANTS, done)
    eager = line(HEADER) + line(BITSWAP) + message.to_frame()
    puppet.wait(lambda: any(tape.data == eager for tape in puppet.streams))
    tape = next(tape for tape in puppet.streams if tape.data == eager)
    assert tape.stream is not None
    assert done.calls == []
    tape.stream.write(line(HEADER) + line("na"))
    second = accept(puppet, BITSWAP, skip=1)
    puppet.wait(lambda: second.data == message.to_frame())
    assert done.wait() is None


def test_a_peer_that_takes_nothing_fails_the_send_in_time(
    make_node: MakeNode, make_puppet: MakePuppet
) -> None:
    options = NetworkOptions(write_timeout_min=0.05, write_timeout_max=0.1)
    node = make_node(options=options)
    puppet = known_puppet(node, make_puppet)
    done = Done()
    node[0].send(puppet.peer_id, message_of(os.urandom(2 * MIB)), ANSWERS, done)
    tape = accept(puppet, BITSWAP)
    tape.consume = False
    puppet.wait(lambda: tape.is_closed)
    assert isinstance(done.wait(), Timeout)
    assert node[0].is_connected(puppet.peer_id)


def test_ping_streams_echo_and_are_bounded(friends: tuple[Node, Node], make_puppet: MakePuppet) -> None:
    node, _ = friends
    puppet = make_puppet(node[0].addrs[0])
    first, tape = puppet.open(PING_ID)
    payload = os.urandom(32)
    first.write(payload[:10])
    puppet.flush()
    first.write(payload[10:] + payload)
    puppet.wait(lambda: tape.data == payload * 2)
    _, second = puppet.open(PING_ID)
    assert second.stream is not None
    third = Tape()
    third.stream = puppet.connection.session.open_stream(third)
    third.stream.write(line(HEADER) + line(PING_ID))
    puppet.wait(lambda: third.is_closed)
    first.end()
    puppet.wait(lambda: tape.ended)
    puppet.open(PING_ID)


def test_a_wrong_echo_is_an_error(friends: tuple[Node, Node], make_puppet: MakePuppet) -> None:
    node, _ = friends
    puppet = known_puppet(node, make_puppet)
    failures: list[BaseException | None] = []
    remote = node[0]._swarm.peers[puppet.peer_id]
    done = Done()

    def ended(seconds: float | None, error: BaseException | None) -> None:
        failures.append(error)
        done(error)

    node[0]._reactor.call(lambda: node[0]._host.ping(remote, WAIT, ended))  # type: ignore[union-attr]
    tape = accept(puppet, PING_ID)
    puppet.wait(lambda: len(tape.data) == 32)
    assert tape.stream is not None
    tape.stream.write(bytes(32))
    puppet.flush()
    assert isinstance(done.wait(), RemoteError)


def test_a_pushed_identity_is_taken_and_a_broken_one_is_not(
    friends: tuple[Node, Node], make_puppet: MakePuppet
) -> None:
    node, friend = friends
    puppet = make_puppet(node[0].addrs[0])
    stream, tape = puppet.open(IDENTIFY_PUSH_ID)
    stream.write(Identity(agent_version="pushed/1", protocols=("/a", "/b")).encode())
    stream.end()
    puppet.wait(lambda: tape.ended)
    remote = node[0]._swarm.peers[puppet.peer_id]
    assert (remote.agent, sorted(remote.protocols)) == ("pushed/1", ["/a", "/b"])
    stream, tape = puppet.open(IDENTIFY_PUSH_ID)
    stream.write(b"\x05abc")
    stream.end()
    puppet.wait(lambda: tape.is_closed)
    stream, tape = puppet.open(IDENTIFY_PUSH_ID)
    stream.write(bytes(70 * KIB))
    puppet.wait(lambda: tape.is_closed)
    assert remote.agent == "pushed/1"
    still_works(node, friend)


def test_identify_says_who_we_are(friends: tuple[Node, Node], make_puppet: MakePuppet) -> None:
    node, _ = friends
    puppet = make_puppet(node[0].addrs[0])
    _, tape = puppet.open(IDENTIFY_ID)
    puppet.wait(lambda: tape.ended)
    told = Identity.decode(tape.data, NetworkOptions())
    assert told.public_key == node[0]._identity.public_key_proto
    assert BITSWAP in told.protocols
    assert told.agent_version == "bitswap-python"
    assert len(told.listen_addrs) == 1


def test_a_peer_that_falls_silent_is_closed(make_node: MakeNode, make_puppet: MakePuppet) -> None:
    node = make_node(options=NetworkOptions(keepalive_interval=0.05, keepalive_timeout=0.05))
    puppet = make_puppet(node[0].addrs[0])
    node[1].wait(lambda: puppet.peer_id in node[1].connected)
    node[1].wait(lambda: len(node[1].disconnected) == 1)
    assert isinstance(node[1].disconnected[0][1], Timeout)


def test_a_live_peer_is_kept_by_its_pongs(make_node: MakeNode) -> None:
    options = NetworkOptions(keepalive_interval=0.02, keepalive_timeout=10.0)
    node, friend = make_node(options=options), make_node()
    join(friend, node)
    link = node[0]._swarm.peers[friend[0].self_id].links[0]
    probed = threading.Event()

    def look() -> None:
        if link._probes >= 5:
            probed.set()
        else:
            node[0]._reactor.later(0.01, look)  # type: ignore[union-attr]

    node[0]._reactor.call(look)  # type: ignore[union-attr]
    assert probed.wait(WAIT)
    still_works(node, friend)


def test_an_idle_connection_is_closed_when_asked_for(make_node: MakeNode) -> None:
    node, friend = make_node(options=NetworkOptions(idle_timeout=0.05)), make_node()
    join(friend, node)
    node[1].wait(lambda: node[1].disconnected == [(friend[0].self_id, None)])
    friend[1].wait(lambda: friend[1].disconnected == [(node[0].self_id, None)])


def test_blocks_of_another_hash_are_not_believed(friends: tuple[Node, Node], make_puppet: MakePuppet) -> None:
    """Payload blocks carry a prefix and no hash: the receiver computes the CID, so a lie has another name."""
    node, _ = friends
    puppet = make_puppet(node[0].addrs[0])
    stream, _ = puppet.open(BITSWAP)
    message = Message()
    message.add_block(Block(Block.of(b"promised").cid, b"delivered"))
    stream.write(message.to_frame())
    puppet.flush()
    node[1].wait(lambda: len(node[1].messages) == 1)
    block = node[1].messages[0][1].blocks()[0]  # type: ignore[attr-defined]
    assert block.cid == Block.of(b"delivered").cid
