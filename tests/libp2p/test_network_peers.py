"""Peers come and go: dials, double connections, pings, identify, addresses, and the end of a network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bitswap.errors import BitswapError, Closed, RemoteError, Timeout, UsageError
from bitswap.network.interface import WANTS
from bitswap.network.libp2p import Libp2pNetwork, PeerIdentity
from bitswap.network.libp2p.listener import ListenError
from bitswap.network.libp2p.security import WrongPeer
from bitswap.options import KIB, MIB, NetworkOptions
from tests.libp2p.nodes import Done, MakeNode, Node, datas, join, message_of, send
from tests.libp2p.puppet import WAIT, Received

pytestmark = pytest.mark.timeout(60)

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


def test_disconnect_is_told_once_on_both_sides(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    one, two = join(left, right)
    left[0].disconnect(two)
    left[1].wait(lambda: left[1].disconnected == [(two, None)])
    right[1].wait(lambda: right[1].disconnected == [(one, None)])
    assert not left[0].is_connected(two)
    assert right[0].peers() == []
    error = send(left[0], two, message_of(b"x"))
    assert isinstance(error, RemoteError)
    # What was learnt of the peer is enough to find it again by its id.
    assert left[0].connect(two) == two
    assert send(left[0], two, message_of(b"again")) is None
    right[1].wait(lambda: datas(right[1]) == [b"again"])
    assert left[1].connected == [two, two]


def test_two_connections_are_one_peer_until_the_last_is_gone(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    barrier = threading.Barrier(2)
    found: list[str] = []

    def dial(node: Node, other: Node) -> None:
        barrier.wait()
        found.append(node[0].connect(other[0].addrs[0]))

    threads = [threading.Thread(target=dial, args=pair) for pair in ((left, right), (right, left))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one, two = left[0].self_id, right[0].self_id
    assert sorted(found) == sorted([one, two])
    assert send(left[0], two, message_of(b"to right")) is None
    assert send(right[0], one, message_of(b"to left")) is None
    right[1].wait(lambda: datas(right[1]) == [b"to right"])
    left[1].wait(lambda: datas(left[1]) == [b"to left"])
    assert (left[1].connected, right[1].connected) == ([two], [one])
    ours, theirs = left[0]._swarm.peers[two].links, right[0]._swarm.peers[one].links
    dialled = sum(link.connection.initiator for link in [*ours, *theirs])
    while not len(ours) == len(theirs) == dialled:
        left[0].ping(two)
    left[0].disconnect(two)
    left[1].wait(lambda: left[1].disconnected == [(two, None)])
    right[1].wait(lambda: right[1].disconnected == [(one, None)])


def test_when_the_first_of_two_connections_goes_the_peer_stays(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    one, two = join(left, right)
    # A second one, past the check that there is one already.
    again: list[str] = []
    told = threading.Event()

    def over(peer: str | None, error: BaseException | None) -> None:
        again.append(peer or str(error))
        told.set()

    def second() -> None:
        address = left[0]._target(right[0].addrs[0])[1]
        left[0]._dialer.dial(address, two, WAIT, over)

    left[0]._reactor.call(second)  # type: ignore[union-attr]
    assert told.wait(WAIT)
    assert again == [two]
    assert send(left[0], two, message_of(b"first")) is None
    remote = left[0]._swarm.peers[two]
    first = remote.links[0]
    left[0]._reactor.call(lambda: first.close(None))  # type: ignore[union-attr]
    assert send(left[0], two, message_of(b"second")) is None
    right[1].wait(lambda: datas(right[1]) == [b"first", b"second"])
    assert left[1].disconnected == []
    assert right[1].disconnected == []
    assert right[1].connected == [one]


def test_a_connection_that_is_lost_has_a_reason(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    one, two = join(left, right)
    link = right[0]._swarm.peers[one].links[0]
    # As after a crash: no good-bye, only the end of the transport.
    right[0]._reactor.call(lambda: link._sock.shutdown(socket.SHUT_RDWR))  # type: ignore[union-attr]
    left[1].wait(lambda: len(left[1].disconnected) == 1)
    peer, reason = left[1].disconnected[0]
    assert peer == two
    assert isinstance(reason, RemoteError)


def test_a_send_under_way_fails_when_the_peer_goes(make_node: MakeNode) -> None:
    left, right = make_node(), make_node(options=NetworkOptions(receive_window=256 * KIB))
    one, two = join(left, right)
    right[0].pause(one)
    assert send(left[0], two, message_of(b"opens the stream")) is None
    done = Done()
    left[0].send(two, message_of(os.urandom(4 * MIB - 100)), WANTS, done)
    left[0].ping(two)
    assert done.calls == []
    right[0].disconnect(one)
    assert isinstance(done.wait(), RemoteError)
    left[1].wait(lambda: left[1].disconnected == [(two, None)])
    assert len(done.calls) == 1


def test_dialling_somebody_else_than_expected_names_both(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    stranger = PeerIdentity.generate().peer_id
    address = right[0].addrs[0].replace(right[0].self_id, stranger)
    with pytest.raises(WrongPeer) as caught:
        left[0].connect(address)
    assert caught.value.actual == right[0].self_id
    assert left[1].connected == []
    join(left, right)


def test_dial_errors_are_typed_and_say_why(make_node: MakeNode) -> None:
    left = make_node()[0]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(RemoteError, match="refused"):
            left.connect(f"/ip4/127.0.0.1/tcp/{port}")
    with pytest.raises(UsageError):
        left.connect("/ip4/127.0.0.1/udp/1/quic-v1")
    with pytest.raises(UsageError):
        left.connect("127.0.0.1:4001")
    with pytest.raises(RemoteError, match="no address"):
        left.connect(PeerIdentity.generate().peer_id)
    with pytest.raises(UsageError, match="itself"):
        left.connect(left.addrs[0])
    with pytest.raises(RemoteError, match="resolve"):
        left.connect("/dns4/name.invalid/tcp/4001")


def test_a_peer_that_accepts_and_says_nothing_times_out(make_node: MakeNode) -> None:
    network = make_node()[0]
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with pytest.raises(Timeout):
            network.connect(f"/ip4/127.0.0.1/tcp/{port}", timeout=0.05)


def test_names_are_resolved(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    port = right[0].addrs[0].split("/")[4]
    assert left[0].connect(f"/dns4/localhost/tcp/{port}") == right[0].self_id


def test_a_second_dial_of_a_connected_peer_is_answered_at_once(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    _, two = join(left, right)
    assert left[0].connect(right[0].addrs[0]) == two
    assert len(left[0]._swarm.peers[two].links) == 1


def test_waiting_calls_are_refused_on_the_network_thread(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    errors: list[BaseException] = []

    def on_message(peer: str, _: object) -> None:
        for call in (lambda: right[0].connect(left[0].addrs[0] + "x"), lambda: right[0].ping(peer)):
            try:
                call()
            except BitswapError as error:
                errors.append(error)

    right[1].on_message = on_message
    _, two = join(left, right)
    assert send(left[0], two, message_of(b"x")) is None
    right[1].wait(lambda: len(errors) == 2)
    assert isinstance(errors[1], UsageError)


def test_ping_and_latency(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    _, two = join(left, right)
    seconds = left[0].ping(two)
    assert 0 < seconds < WAIT
    latency = left[0].latency(two)
    assert latency is not None
    assert 0 < latency < WAIT
    assert left[0].latency("nobody") is None
    with pytest.raises(RemoteError):
        left[0].ping(PeerIdentity.generate().peer_id)


def test_pings_leave_nothing_behind(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    one, two = join(left, right)
    for _ in range(200):
        left[0].ping(two)
    assert len(left[0]._reactor._timers) < 20  # type: ignore[union-attr]
    for network, peer in ((left[0], two), (right[0], one)):
        assert len(network._swarm.peers[peer].links[0].connection.session.streams) < 10


def test_a_forgotten_network_does_not_keep_the_interpreter_alive() -> None:
    script = """
from bitswap.network.libp2p import Libp2pNetwork
from tests.libp2p.puppet import Received
left, right = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"]), Libp2pNetwork()
left.start(Received())
right.start(Received())
right.connect(left.addrs[0])
right.connect("/dns4/localhost/tcp/" + left.addrs[0].split("/")[4])
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=WAIT, cwd=ROOT, env=ENVIRONMENT)


def test_identify_tells_protocols_agent_and_addresses(make_node: MakeNode) -> None:
    left, right = make_node(), make_node(options=NetworkOptions(agent_version="test/1"))
    _, two = join(left, right)
    while not left[0]._swarm.peers[two].identified:
        left[0].ping(two)
    remote = left[0]._swarm.peers[two]
    assert left[0].agent(two) == "test/1"
    assert "/ipfs/bitswap/1.2.0" in remote.protocols
    assert "/ipfs/ping/1.0.0" in remote.protocols
    known = [str(address) for address in left[0]._host.addresses_of(two)]
    assert right[0].addrs[0].partition("/p2p/")[0] in known
    # Nobody told the listener where to dial the other one, but identify did.
    one = left[0].self_id
    while not right[0]._swarm.peers[one].identified:
        right[0].ping(one)
    assert right[0]._host.addresses_of(one)


def test_close_ends_everything_and_is_idempotent(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    one, two = join(left, right)
    left[0].close()
    left[0].close()
    right[1].wait(lambda: right[1].disconnected == [(one, None)])
    assert left[1].disconnected == [(two, None)]
    assert isinstance(send(left[0], two, message_of(b"x")), Closed)
    with pytest.raises(Closed):
        left[0].connect(right[0].addrs[0])
    with pytest.raises(Closed):
        left[0].start(Received())
    assert left[0].peers() == []


def test_close_from_a_callback(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    one, two = join(left, right)
    right[1].on_message = lambda peer, message: right[0].close()
    # Whether the sender learns that it was sent, or that the peer is gone, is up to chance.
    send(left[0], two, message_of(b"close!"))
    left[1].wait(lambda: left[1].disconnected == [(two, None)])
    right[0].close()
    assert right[1].disconnected == [(one, None)]


def test_close_answers_every_send_and_dial(make_node: MakeNode) -> None:
    left, right = make_node(), make_node(options=NetworkOptions(receive_window=256 * KIB))
    one, two = join(left, right)
    right[0].pause(one)
    stuck = Done()
    left[0].send(two, message_of(os.urandom(4 * MIB - 100)), WANTS, stuck)
    left[0].ping(two)
    errors: list[BaseException] = []

    def dial(port: int) -> None:
        try:
            left[0].connect(f"/ip4/127.0.0.1/tcp/{port}")
        except BitswapError as error:
            errors.append(error)

    with socket.create_server(("127.0.0.1", 0)) as mute:
        thread = threading.Thread(target=dial, args=(mute.getsockname()[1],))
        thread.start()
        accepted, _ = mute.accept()
        left[0].close()
        thread.join()
        accepted.close()
    assert isinstance(errors[0], Closed)
    assert isinstance(stuck.wait(), BitswapError)


def test_a_network_that_was_never_started(make_node: MakeNode) -> None:
    network = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"])
    assert network.addrs == ()
    assert network.peers() == []
    assert not network.is_connected("x")
    with pytest.raises(UsageError):
        network.connect("/ip4/127.0.0.1/tcp/1")
    network.close()
    with pytest.raises(Closed):
        network.start(Received())


def test_an_address_in_use_leaves_nothing_behind(make_node: MakeNode) -> None:
    network = make_node()[0]
    taken = network.addrs[0].partition("/p2p/")[0]
    other = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0", taken])
    with pytest.raises(ListenError, match="cannot listen"):
        other.start(Received())
    other.close()
    with pytest.raises(ListenError, match="only IP addresses"):
        Libp2pNetwork(["/dns4/localhost/tcp/0"]).start(Received())


def test_wildcards_are_listed_as_addresses_that_can_be_dialled(make_node: MakeNode) -> None:
    left = make_node()
    right = make_node(listen=("/ip4/0.0.0.0/tcp/0",))
    assert all("0.0.0.0" not in address for address in right[0].addrs)
    join(left, right)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_ip6(make_node: MakeNode) -> None:
    try:
        right = make_node(listen=("/ip6/::1/tcp/0",))
    except ListenError:
        pytest.skip("no IPv6 loopback")
    left = make_node()
    _, two = join(left, right)
    assert send(left[0], two, message_of(b"six")) is None
    right[1].wait(lambda: datas(right[1]) == [b"six"])


def test_the_identity_is_kept_in_a_file(tmp_path: object) -> None:
    path = f"{tmp_path}/key"
    assert Libp2pNetwork(identity=path).self_id == Libp2pNetwork(identity=path).self_id
    assert Libp2pNetwork().self_id != Libp2pNetwork().self_id
