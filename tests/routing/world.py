"""Searches for providers in virtual time: one node, a router, and peers to be found."""

from __future__ import annotations

from bitswap.cid import CID
from bitswap.options import RoutingOptions
from bitswap.providerquerymanager import ProviderQueryManager, Search
from bitswap.testnet import VirtualNetwork, fixed
from bitswap.testnet.router import VirtualRouter, VirtualSearches
from bitswap.testutils import cids_of, make_blocks

CIDS = cids_of(make_blocks(64))


class World:
    """Providers come 1 ms apart, a dial takes 1 ms unless said otherwise; `peers` are announced for CIDS."""

    def __init__(
        self,
        peers: int = 10,
        *,
        apart: float = 0.001,
        dial: float = 0.001,
        looks_up: bool = False,
        **options: object,
    ) -> None:
        self.net = VirtualNetwork(delay=fixed(0.0))
        self.options = RoutingOptions(**options)  # type: ignore[arg-type]
        self.router = VirtualRouter(self.net, latency=fixed(apart), interval=fixed(apart))
        self.manager = ProviderQueryManager(self.options, self_id="ours", looks_up=looks_up)
        self.node = self.net.node("ours", serves=False)
        self.peers = [self.net.node(f"peer-{number}", serves=False).name for number in range(peers)]
        self.searches = VirtualSearches(self.node, self.manager, [self.router], dial=fixed(dial))
        for peer in self.peers:
            self.router.announce(peer, CIDS)

    @property
    def now(self) -> float:
        return self.net.clock.now()

    def search(self, cid: CID = CIDS[0], limit: int | None = None) -> Search:
        search = self.manager.search(cid, self.now, limit=limit)
        self.searches.pump()
        return search

    def leave(self, search: Search) -> None:
        self.manager.leave(search, self.now)
        self.searches.pump()

    def close(self) -> None:
        self.manager.close(self.now)
        self.searches.pump()

    def run(self, seconds: float) -> None:
        self.net.run(seconds=seconds)

    def finish(self, *searches: Search) -> None:
        """Let time pass until all of these are over."""
        assert self.net.run(lambda: all(search.outcome is not None for search in searches))

    def assert_nothing_left(self) -> None:
        """All searches are over, and what they began has ended."""
        self.run(60)
        assert self.router.live == 0
        assert self.manager.stat.searches == self.manager.stat.queries == 0
        assert self.manager.commands() == []
        assert self.manager.next_deadline() is None
