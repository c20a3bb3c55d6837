"""Networks for tests: closed at the end, and no thread may be left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import NetworkOptions
from tests.libp2p.nodes import Node, join
from tests.libp2p.puppet import Puppet, Received


@pytest.fixture
def make_node() -> Iterator[Callable[..., Node]]:
    """Makes started networks on a loopback port of the system's choice."""
    networks: list[Libp2pNetwork] = []

    def make(
        *,
        listen: tuple[str, ...] = ("/ip4/127.0.0.1/tcp/0",),
        security: tuple[str, ...] = ("tls",),
        options: NetworkOptions | None = None,
        **more: object,
    ) -> Node:
        network = Libp2pNetwork(listen, security=security, options=options, **more)  # type: ignore[arg-type]
        receiver = Received()
        networks.append(network)
        network.start(receiver)
        return network, receiver

    yield make
    for network in networks:
        network.close()
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("bitswap-")]
    assert not left, f"threads are left: {left}"


@pytest.fixture
def make_puppet() -> Iterator[Callable[..., Puppet]]:
    """Makes peers under the test's control."""
    puppets: list[Puppet] = []

    def make(address: str, **more: object) -> Puppet:
        puppet = Puppet(address, **more)  # type: ignore[arg-type]
        puppets.append(puppet)
        return puppet

    yield make
    for puppet in puppets:
        puppet.close()


@pytest.fixture
def friends(make_node: Callable[..., Node]) -> tuple[Node, Node]:
    """A node, and a friend that is connected to it."""
    node, friend = make_node(), make_node()
    join(friend, node)
    return node, friend
