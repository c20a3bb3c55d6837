"""Searches, answers, failures and time in any order: nobody is told twice, nothing is left behind."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bitswap.options import RoutingOptions
from bitswap.providerquerymanager import (
    Ask,
    Connect,
    Ended,
    LookUp,
    ProviderQueryManager,
    Search,
    StopAsking,
)
from bitswap.routing import Provider
from tests.routing.world import CIDS

PEERS = [f"peer-{number}" for number in range(6)]
IGNORED = "peer-5"

peers = st.sampled_from(PEERS)
addresses = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=3).map(tuple)
providers = st.lists(st.builds(Provider, peers, addresses), max_size=4)
choice = st.integers(0, 1_000)


def options() -> st.SearchStrategy[RoutingOptions]:
    small = st.integers(1, 3)
    return st.builds(
        RoutingOptions,
        max_providers=small,
        max_queries=small,
        max_searches=st.integers(2, 6),
        max_found=st.integers(1, 8),
        max_addresses=small,
        max_dials=small,
        max_query_dials=small,
        timeout=st.sampled_from([5.0, 10.0]),
        queue_timeout=st.sampled_from([3.0, 30.0]),
        dial_backoff=st.sampled_from([0.5, 5.0]),
        max_backoffs=st.integers(1, 3),
        find_peers=st.booleans(),
        ignore_peers=st.just(frozenset([IGNORED])),
    )


class Searching(RuleBasedStateMachine):
    """Plays those who search, the routers and the network. `told` is what each search got so far."""

    @initialize(chosen=options())
    def begin(self, chosen: RoutingOptions) -> None:
        self.options = chosen
        self.manager = ProviderQueryManager(chosen, self_id="ours", looks_up=True)
        self.now = 0.0
        self.told: dict[Search, list[str]] = {}
        self.asks: dict[int, Ask] = {}
        self.stopped: set[int] = set()
        self.dials: dict[int, Connect] = {}
        self.lookups: dict[int, LookUp] = {}
        self.numbers: set[int] = set()
        self.named: dict[bytes, set[str]] = {}
        self.reached: set[str] = set()

    # -- those who search

    @rule(number=st.integers(0, 7), limit=st.one_of(st.none(), st.integers(0, 4)))
    def search(self, number: int, limit: int | None) -> None:
        self.told[self.manager.search(CIDS[number], self.now, limit=limit)] = []

    @precondition(lambda self: self.told)
    @rule(pick=choice)
    def leave(self, pick: int) -> None:
        search = list(self.told)[pick % len(self.told)]
        over = search.outcome
        self.manager.leave(search, self.now)
        assert search.outcome is over if over else search.outcome.ended is Ended.LEFT

    @precondition(lambda self: self.told)
    @rule(pick=choice)
    def take(self, pick: int) -> None:
        search = list(self.told)[pick % len(self.told)]
        self.told[search] += search.take()

    # -- the routers and the network

    @rule()
    def carry_out(self) -> None:
        for command in self.manager.commands():
            if isinstance(command, StopAsking):
                assert command.number in self.asks
                assert command.number not in self.stopped
                self.stopped.add(command.number)
                continue
            assert command.number not in self.numbers
            self.numbers.add(command.number)
            if isinstance(command, Ask):
                self.asks[command.number] = command
            elif isinstance(command, Connect):
                assert 0 < command.timeout <= self.options.address_timeout
                assert command.peer not in {dial.peer for dial in self.dials.values()}
                self.dials[command.number] = command
            else:
                self.lookups[command.number] = command

    @precondition(lambda self: self.asks)
    @rule(pick=choice, names=providers)
    def found(self, pick: int, names: list[Provider]) -> None:
        number, ask = self.pick(self.asks, pick)
        self.named.setdefault(ask.cid.multihash, set()).update(name.peer for name in names)
        self.manager.found(number, names, self.now)

    @precondition(lambda self: self.asks)
    @rule(pick=choice, error=st.sampled_from([None, "down"]))
    def asked(self, pick: int, error: str | None) -> None:
        number, _ = self.pick(self.asks, pick)
        del self.asks[number]
        self.stopped.discard(number)
        self.manager.asked(number, error, self.now)

    @precondition(lambda self: self.dials)
    @rule(pick=choice, error=st.sampled_from([None, "refused"]), noticed=st.booleans())
    def dialled(self, pick: int, error: str | None, noticed: bool) -> None:
        number, dial = self.pick(self.dials, pick)
        del self.dials[number]
        if error is None:
            self.reached.add(dial.peer)
            if noticed:
                self.manager.peer_connected(dial.peer, self.now)
        self.manager.dialled(number, error, self.now)

    @precondition(lambda self: self.lookups)
    @rule(pick=choice, known=addresses, error=st.sampled_from([None, "down"]))
    def looked_up(self, pick: int, known: tuple[str, ...], error: str | None) -> None:
        number, _ = self.pick(self.lookups, pick)
        del self.lookups[number]
        self.manager.looked_up(number, () if error else known, self.now, error)

    @rule(peer=peers)
    def connected(self, peer: str) -> None:
        self.reached.add(peer)
        self.manager.peer_connected(peer, self.now)

    @rule(peer=peers)
    def disconnected(self, peer: str) -> None:
        self.manager.peer_disconnected(peer)

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 11.0]))
    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (when := self.manager.next_deadline()) is not None and when <= end:
            self.now = max(self.now, when)
            self.manager.on_deadline(self.now)
            later = self.manager.next_deadline()
            assert later is None or later > self.now
        self.now = end

    @staticmethod
    def pick(among: dict[int, Any], pick: int) -> tuple[int, Any]:
        number = list(among)[pick % len(among)]
        return number, among[number]

    # -- what always holds

    @invariant()
    def bounds_hold(self) -> None:
        if not hasattr(self, "manager"):
            return
        stat = self.manager.stat
        assert stat.queries <= self.options.max_searches
        assert len(self.asks) <= self.options.max_queries
        assert len(self.dials) + len(self.lookups) <= self.options.max_dials
        assert stat.searches == sum(search.outcome is None for search in self.told)

    @invariant()
    def nobody_is_told_twice(self) -> None:
        for search, told in getattr(self, "told", {}).items():
            assert len(set(told)) == len(told) <= min(search.limit, self.options.max_providers)
            assert set(told) <= self.named.get(search.cid.multihash, set()) & self.reached
            assert IGNORED not in told

    # -- ends

    def teardown(self) -> None:
        if hasattr(self, "manager"):
            ways = (self.answer_everything, self.leave_everything, self.close_everything)
            ways[len(self.numbers) % len(ways)]()
            self.nothing_is_left()

    def answer_everything(self) -> None:
        """Once the routers have ended and the dials are through, every search is over."""
        for _ in range(10_000):
            self.carry_out()
            if self.dials:
                self.dialled(len(self.numbers), "refused" if len(self.numbers) % 2 else None, True)
            elif self.lookups:
                self.looked_up(0, ("a", "e"), None)
            elif self.asks:
                self.asked(0, None)
            else:
                break
        assert all(search.outcome is not None for search in self.told)

    def leave_everything(self) -> None:
        for search in self.told:
            self.manager.leave(search, self.now)
        assert self.manager.stat.queries == 0
        self.answer_everything()

    def close_everything(self) -> None:
        self.manager.close(self.now)
        assert all(search.outcome is not None for search in self.told)
        self.answer_everything()
        assert self.manager.search(CIDS[0], self.now).outcome is not None

    def nothing_is_left(self) -> None:
        manager = self.manager
        manager.woken()
        assert (manager.stat.searches, manager.stat.queries) == (0, 0)
        assert manager.next_deadline() is None
        assert manager.commands() == []
        assert not any((manager._queries, manager._queued, manager._asking, manager._hungry))
        assert len(manager._dials) == 0
        assert not manager._dials._numbers
        assert len(manager._dials._backoffs) <= self.options.max_backoffs
        for search, told in self.told.items():
            told += search.take()
            assert search.outcome is not None
            assert search.outcome.connected == tuple(told)
        self.nobody_is_told_twice()


TestSearching = Searching.TestCase
TestSearching.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
)
