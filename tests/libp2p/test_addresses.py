"""Which addresses of a peer are dialled first, and which never."""

from __future__ import annotations

import pytest

from bitswap.network.libp2p import Libp2pNetwork
from bitswap.network.libp2p.addresses import dialable
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.providerdriver import PicksAddresses

PEER = PeerIdentity.generate().peer_id
OTHER = PeerIdentity.generate().peer_id


def test_the_most_promising_come_first() -> None:
    listed = [
        "/ip4/127.0.0.1/tcp/1",
        "/ip4/192.168.1.7/tcp/1",
        "/dns4/example.org/tcp/1",
        "/ip6/2606:4700::1/tcp/1",
        "/ip4/8.8.8.8/tcp/1",
        "/ip4/8.8.4.4/tcp/1",
    ]
    expected = [*(listed[place] for place in (4, 5, 3, 2, 1, 0))]
    assert dialable(PEER, listed) == [f"{address}/p2p/{PEER}" for address in expected]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "/ip4/8.8.8.8",
        "/ip4/8.8.8.8/tcp/0",
        "/ip4/0.0.0.0/tcp/1",
        "/ip6/::/tcp/1",
        "/ip4/224.0.0.1/tcp/1",
        "/ip4/8.8.8.8/udp/4001/quic-v1",
        "/ip4/8.8.8.8/tcp/4001/ws",
        f"/ip4/8.8.8.8/tcp/4001/p2p/{OTHER}/p2p-circuit",
        f"/ip4/8.8.8.8/tcp/4001/p2p/{OTHER}",
        "/dnsaddr/example.org/tcp/4001",
        f"/p2p/{PEER}",
        "/ip4/8.8.8.8/tcp/1" + "/" * 3000,
    ],
)
def test_what_cannot_be_dialled_is_left_out(address: str) -> None:
    assert dialable(PEER, [address, "/ip4/8.8.8.8/tcp/2"]) == [f"/ip4/8.8.8.8/tcp/2/p2p/{PEER}"]


def test_the_same_address_is_named_once() -> None:
    plain = "/ip4/8.8.8.8/tcp/1"
    assert dialable(PEER, [plain, f"{plain}/p2p/{PEER}", plain]) == [f"{plain}/p2p/{PEER}"]


def test_an_address_with_a_zone() -> None:
    address = "/ip6zone/lo/ip6/fe80::1/tcp/1"
    assert dialable(PEER, [address]) == [f"{address}/p2p/{PEER}"]


def test_nobody_can_be_dialled_under_what_is_no_peer_id() -> None:
    assert dialable("nobody", ["/ip4/8.8.8.8/tcp/1"]) == []


def test_the_network_picks_addresses() -> None:
    network = Libp2pNetwork()
    assert isinstance(network, PicksAddresses)
    assert network.dialable(PEER, ["/ip4/8.8.8.8/tcp/1"]) == [f"/ip4/8.8.8.8/tcp/1/p2p/{PEER}"]
