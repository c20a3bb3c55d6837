"""An owner of searches, as a client is one: a lock around the machine, the driver's threads outside it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from bitswap.cid import CID
from bitswap.clock import SystemClock
from bitswap.network.interface import Network, Peer
from bitswap.options import RoutingOptions
from bitswap.providerdriver import ProviderDriver, Told
from bitswap.providerquerymanager import Outcome, Search
from bitswap.routing import ContentRouting
from tests.routing.routers import SECONDS


class Owner:
    """`connected` are the peers that the driver announced."""

    def __init__(self, network: Network, routing: ContentRouting, **options: object) -> None:
        self.options = RoutingOptions(**options)  # type: ignore[arg-type]
        self.connected: list[Peer] = []
        self._clock = SystemClock()
        self._moved = threading.Condition(threading.Lock())
        self.driver = ProviderDriver(
            network, routing, self.options, report=self.report, connected=self.peer_connected
        )
        self.machine = self.driver.machine
        self.reports = 0

    def report(self, told: Told) -> None:
        with self._moved:
            self.reports += 1
            told(self._clock.now())
            commands = self.machine.commands()
            self._moved.notify_all()
        self.driver.run(commands)

    def peer_connected(self, peer: Peer) -> None:
        self.connected.append(peer)
        self.report(lambda now: self.machine.peer_connected(peer, now))

    def search(self, cid: CID) -> Search:
        made: list[Search] = []
        self.report(lambda now: made.append(self.machine.search(cid, now)))
        return made[0]

    def leave(self, search: Search) -> None:
        self.report(lambda now: self.machine.leave(search, now))

    def wait(self, until: Callable[[], bool]) -> None:
        with self._moved:
            assert self._moved.wait_for(until, SECONDS)

    def outcome(self, search: Search) -> Outcome:
        self.wait(lambda: search.outcome is not None)
        assert search.outcome is not None
        return search.outcome

    def close(self) -> None:
        self.report(lambda now: self.machine.close(now))
        self.driver.close()
        self.driver.join()
