"""Whole nodes that find providers through routers, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from bitswap.block import Block
from bitswap.options import ClientOptions, RoutingOptions
from bitswap.providerquerymanager import Outcome
from bitswap.session import Session
from bitswap.testnet import VirtualNetwork, VirtualNode, fixed
from bitswap.testnet.router import VirtualRouter, address_of
from bitswap.testutils import cids_of, make_blocks
from tests.fetching.swarm import arrives, contents, givers, leftovers

pytestmark = pytest.mark.timeout(60)


class World:
    """A node "ours" that has a router, and connects to nobody by itself. One way takes 10 ms."""

    def __init__(self, *, client: ClientOptions | None = None, latency: float = 0.05, **routing: Any) -> None:
        self.net = VirtualNetwork(delay=fixed(0.01))
        self.router = VirtualRouter(self.net, latency=fixed(latency))
        self.options = RoutingOptions(**routing)
        self.ours = self.node("ours", client=client)

    def node(self, name: str, *, client: ClientOptions | None = None) -> VirtualNode:
        return self.net.node(name, client=client, routers=[self.router], routing=self.options)

    def holder(self, name: str, blocks: list[Block], *, announced: bool = True) -> VirtualNode:
        node = self.net.node(name)
        node.add(*blocks)
        if announced:
            self.router.announce(name, cids_of(blocks))
        return node

    def connected(self, *nodes: VirtualNode) -> None:
        for node in nodes:
            self.net.connect(self.ours, node)

    def run(self, seconds: float) -> None:
        self.net.run(seconds=seconds)

    @property
    def dials(self) -> list[str]:
        assert self.ours.searches is not None
        return self.ours.searches.dials

    def outcome(self, session: Session) -> Outcome:
        assert session.providers.outcome is not None
        return session.providers.outcome

    def assert_nothing_left(self) -> None:
        """No want, search, question, dial or timer is left."""
        self.run(200)
        assert leftovers(self.net) == []
        assert self.router.live == 0
        searches = self.ours.wants.searches
        assert searches is not None
        assert searches.manager.stat.searches == searches.manager.stat.queries == 0
        assert searches.manager.commands() == []
        assert self.ours.wants.next_deadline() is None
        assert [path for path in contents(searches) if "_sessions" in path or "_queries" in path] == []


def test_a_provider_is_found_dialled_and_asked() -> None:
    world = World()
    blocks = make_blocks(10)
    world.holder("b", blocks)
    session = world.ours.session()
    fetch = world.ours.fetch(cids_of(blocks), session)
    arrives(world.net, fetch, blocks, within=1)
    assert givers(session) == {"b": 10}
    # Who had one was asked for the others.
    assert (world.router.questions, world.dials) == (1, [address_of("b")])
    world.ours.close_session(session)
    world.assert_nothing_left()
