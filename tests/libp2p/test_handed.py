"""A network whose connections another process accepts."""

from __future__ import annotations

import socket
import sys

import pytest

from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import NetworkOptions
from tests.client.waiting import until
from tests.libp2p.puppet import Received

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows hands no sockets over"),
]


def test_sockets_wait_while_handshakes_are_many_and_each_end_is_told() -> None:
    here, there = socket.socketpair()
    told = ["/ip4/192.0.2.1/tcp/4001"]
    network = Libp2pNetwork(told, handed=there, options=NetworkOptions(max_pending_handshakes=1))
    clients = []
    with here, socket.create_server(("127.0.0.1", 0)) as server:
        for _ in range(2):
            clients.append(socket.create_connection(server.getsockname()))
            accepted, _ = server.accept()
            with accepted:
                socket.send_fds(here, [b"\0"], [accepted.fileno()])
        network.start(Received())
        try:
            assert list(network.addrs) == [f"{told[0]}/p2p/{network.self_id}"]
            until(lambda: network._swarm.connections > 0)
            # A turn of the network thread later it has taken all that it takes.
            clients[0].sendall(b"\x13/multistream/1.0.0\n")
            assert clients[0].recv(1) == b"\x13"
            assert network._swarm.connections == 1
            for client in clients:
                client.close()
                assert here.recv(1) == b"\0"
            assert network._swarm.connections == 0
        finally:
            network.close()
        assert here.recv(1) == b""


def test_a_network_goes_on_when_nobody_hands_it_more() -> None:
    here, there = socket.socketpair()
    network, other = Libp2pNetwork(handed=there), Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"])
    other.start(Received())
    network.start(Received())
    try:
        here.close()
        assert network.connect(other.addrs[0]) == other.self_id
    finally:
        network.close()
        other.close()
