"""A node of a virtual network that has a router, and what it finds there."""

from __future__ import annotations

from typing import Any

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.options import ClientOptions, RoutingOptions
from bitswap.providerquerymanager.manager import QueryStat
from bitswap.session import Session
from bitswap.testnet import Fetch, VirtualNetwork, VirtualNode, fixed
from bitswap.testnet.router import VirtualRouter
from bitswap.testutils import cids_of
from tests.fetching.swarm import contents, leftovers

KEPT = ("_connected", "_backoffs", "_ignored")
"""What has an entry a connected peer, a dial that failed a moment ago, or is an option."""


class World:
    """A node "ours" that has a router; one way takes 10 ms, a dial 20 ms, an answer of the router 50 ms."""

    def __init__(self, *, client: ClientOptions | None = None, latency: float = 0.05, **routing: Any) -> None:
        self.net = VirtualNetwork(delay=fixed(0.01))
        self.router = VirtualRouter(self.net, latency=fixed(latency))
        self.ours = self.net.node(
            "ours", client=client, routers=[self.router], routing=RoutingOptions(**routing)
        )
        assert self.ours.searches is not None
        self.searches = self.ours.searches

    def holder(self, name: str, blocks: list[Block], *, announced: bool = True) -> VirtualNode:
        node = self.net.node(name)
        node.add(*blocks)
        if announced:
            self.router.announce(name, cids_of(blocks))
        return node

    def neighbours(self, count: int) -> list[VirtualNode]:
        """Nodes that have nothing, connected."""
        nodes = [self.net.node(f"idle-{number}") for number in range(count)]
        for node in nodes:
            self.net.connect(self.ours, node)
        return nodes

    def fetch(self, blocks: list[Block], session: Session | None = None) -> Fetch:
        return self.ours.fetch(cids_of(blocks), session)

    def run(self, seconds: float) -> None:
        self.net.run(seconds=seconds)

    @property
    def now(self) -> float:
        return self.net.clock.now()

    @property
    def stat(self) -> QueryStat:
        return self.searches.manager.stat

    def asked_at(self, cid: CID) -> list[float]:
        """When the router is asked for `cid` from now on; grows."""
        times: list[float] = []
        ask = self.router.ask

        def noted(wanted: CID, *rest: Any) -> Any:
            if wanted == cid:
                times.append(round(self.now, 2))
            return ask(wanted, *rest)

        vars(self.router)["ask"] = noted
        return times

    def assert_nothing_left(self) -> None:
        """No want, search, question, dial or timer is left."""
        self.run(200)
        assert leftovers(self.net) == []
        assert self.router.live == 0
        assert (self.stat.searches, self.stat.queries) == (0, 0)
        assert self.searches.manager.commands() == []
        assert self.ours.wants.next_deadline() is None
        kept = contents(self.ours.wants.searches)
        assert [path for path in kept if not any(name in path for name in KEPT)] == []
