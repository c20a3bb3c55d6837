"""Searches for providers, all of a node together, as one machine (boxo `providerquerymanager`).

There is one query for a block however many search for it: who joins is told what was found before, and the
query lives until the last one has left. The routers are asked by a bounded number of queries at a time, and
who they name is dialled, a bounded number at a time; only who is connected counts. What lost its purpose is
not begun any more, but a router or a dial holds its place until it has really ended.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NamedTuple

from bitswap.cid import CID
from bitswap.deadlines import Deadlines
from bitswap.errors import Cause, Reason
from bitswap.multihash import IDENTITY
from bitswap.network.interface import Peer
from bitswap.options import RoutingOptions
from bitswap.providerquerymanager.commands import Ask, Command, StopAsking
from bitswap.providerquerymanager.dials import Dial, Dials
from bitswap.providerquerymanager.outbox import Outbox
from bitswap.providerquerymanager.query import Phase, Query
from bitswap.providerquerymanager.search import Ended, Outcome, Progress, Search
from bitswap.routing.interface import Provider


class QueryStat(NamedTuple):
    """What was done since the start; the first two say how it stands."""

    searches: int
    """Searches under way."""
    queries: int
    """Blocks that they are for."""
    asked: int
    """Questions to the routers."""
    named: int
    """Providers that they named."""
    connected: int
    """Those of them that were connected, or got connected."""
    failed: int
    """Those that could not be reached."""
    dials: int
    """Addresses dialled."""


class ProviderQueryManager:
    """Not shared between threads; `now` is in seconds and never runs backwards.

    After each call `commands` has what is to be done, `woken` the searches that something has come for, and
    `next_deadline` the time to call `on_deadline`. `looks_up`: LookUp commands can be carried out.
    """

    def __init__(
        self, options: RoutingOptions | None = None, *, self_id: Peer | None = None, looks_up: bool = False
    ) -> None:
        self.options = options or RoutingOptions()
        self._ignored = self.options.ignore_peers | ({self_id} if self_id is not None else frozenset())
        self._ignored_keys = {cid.multihash for cid in self.options.ignore_cids}
        self._outbox = Outbox()
        self._dials = Dials(self.options, self._outbox, looks_up=looks_up)
        self._connected: set[Peer] = set()
        self._queries: dict[bytes, Query] = {}
        self._queued: OrderedDict[Query, None] = OrderedDict()
        # Questions whose end was not told yet; None: nobody waits for it.
        self._asking: dict[int, Query | None] = {}
        # Queries with somebody to dial, in turn.
        self._hungry: OrderedDict[Query, None] = OrderedDict()
        self._deadlines: Deadlines[Query] = Deadlines()
        self._woken: dict[Search, None] = {}
        self._closed = False
        self._asked = self._named = self._reached = self._failed = 0

    # -- searching

    def search(self, cid: CID, now: float, *, limit: int | None = None, owner: Any = None) -> Search:
        """Look for providers, until `limit` of them are connected (at most and by default `max_providers`).

        What cannot be searched for is over from the start: see its outcome.
        """
        most = self.options.max_providers
        search = Search(cid, cid.multihash, min(limit or most, most), owner)
        refusal = self._refusal(search)
        if refusal is not None:
            self._end(search, refusal)
            return search
        query = self._queries.get(search.key)
        if query is None:
            query = Query(cid, search.key, self._outbox.number(), now + self.options.queue_timeout)
            self._queries[search.key] = query
            self._queued[query] = None
            self._deadlines.at(query, query.deadline)
        query.searches[search] = None
        for peer in query.connected:
            search.tell(peer)
        if query.connected:
            self._woken[search] = None
            self._release_satisfied(query)
        self._go_on(query, now)
        return search

    def _refusal(self, search: Search) -> Outcome | None:
        if self._closed:
            return Outcome(search.cid, Ended.CLOSED)
        if search.cid.hash_code == IDENTITY:
            return Outcome(search.cid, Ended.REFUSED, error="its CID holds the block")
        if search.key in self._ignored_keys:
            return Outcome(search.cid, Ended.REFUSED, error="no router is asked for this block")
        if search.key not in self._queries and len(self._queries) >= self.options.max_searches:
            return Outcome(search.cid, Ended.REFUSED, error=f"{len(self._queries)} searches are under way")
        return None

    def leave(self, search: Search, now: float) -> None:
        """Search no more; the last one who leaves ends the query. A second call does nothing."""
        query = self._queries.get(search.key)
        if search.outcome is None and query is not None and search in query.searches:
            self._end(search, query.outcome(search, Ended.LEFT), query)
            self._go_on(query, now)

    def progress(self, search: Search) -> Progress | None:
        """How far it has come; None once it is over."""
        query = self._queries.get(search.key)
        if search.outcome is not None or query is None:
            return None
        return Progress(
            query.phase is Phase.QUEUED,
            query.phase is not Phase.ASKED,
            len(query.named),
            search.told,
            tuple(query.candidates),
            {peer: self._dials.address(peer) for peer in query.dialling},
            dict(query.failed),
        )

    def expected(self, search: Search) -> int:
        """How many providers it may be told of soon."""
        query = self._queries.get(search.key)
        if query is None or search.outcome is not None:
            return 0
        return min(len(query.dialling) + len(query.candidates), search.limit - len(search.told))

    # -- what routers say

    def found(self, number: int, providers: Iterable[Provider], now: float) -> None:
        """Providers of Ask `number`; what comes after nobody waits any more is ignored."""
        query = self._asking.get(number)
        if query is None:
            return
        for provider in providers:
            if query.records >= self.options.max_found or not query.searches:
                break
            query.records += 1
            self._add(query, provider)
        if query.records >= self.options.max_found:
            self._stop_asking(query)
        self._go_on(query, now)

    def _add(self, query: Query, provider: Provider) -> None:
        peer = provider.peer
        if peer in self._ignored or peer in query.connected:
            return
        if peer not in query.named:
            query.named[peer] = None
            self._named += 1
        if peer in self._connected:
            self._publish(query, peer)
        elif peer in query.dialling:
            self._dials.extend(peer, provider.addresses)
        elif peer not in query.failed or provider.addresses:
            query.add(provider, provider.addresses, self.options.max_addresses)

    def asked(self, number: int, error: BaseException | str | None, now: float) -> None:
        """The routers have no more to say to Ask `number`; `error` if they failed."""
        if number not in self._asking:
            return
        query = self._asking.pop(number)
        self._outbox.ended(number)
        if query is not None:
            query.phase = Phase.ASKED
            if error is not None:
                query.error = str(error) or type(error).__name__
            self._go_on(query, now)
        self._ask_next(now)

    # -- what becomes of dials

    def dialled(self, number: int, error: BaseException | str | None, now: float) -> None:
        """How Connect `number` ended. Of a success the network tells as well, before or after."""
        reason = None if error is None else str(error) or type(error).__name__
        self._dial_over(self._dials.dialled(number, reason, now), now)

    def looked_up(
        self, number: int, addresses: Iterable[str], now: float, error: BaseException | str | None = None
    ) -> None:
        """The addresses that LookUp `number` found; `error` if it failed."""
        reason = None if error is None else str(error) or type(error).__name__
        self._dial_over(self._dials.looked_up(number, addresses, reason, now), now)

    def _dial_over(self, dial: Dial | None, now: float) -> None:
        """Somebody was dialled, or cannot be; None: it goes on."""
        if dial is None:
            return
        for query in list(dial.queries):
            if dial.reason is None:
                self._publish(query, dial.peer)
            else:
                query.fail(dial.peer, dial.reason)
                self._failed += 1
            self._go_on(query, now)
        self._dial(now)

    def peer_connected(self, peer: Peer, now: float) -> None:
        """The network is connected to `peer`, whoever dialled."""
        if self._closed or peer in self._connected:
            return
        self._connected.add(peer)
        for query in list(self._queries.values()):
            if peer in query.candidates or peer in query.dialling:
                self._dials.leave(query, peer)
                self._publish(query, peer)
                self._go_on(query, now)
        self._dial(now)

    def peer_disconnected(self, peer: Peer) -> None:
        """The network is not connected to `peer` any more; who was told of it knows that himself."""
        self._connected.discard(peer)

    # -- going on

    def _go_on(self, query: Query, now: float) -> None:
        """Whatever has changed: end the query if it is over, or take its next steps."""
        if self._queries.get(query.key) is not query:
            return
        if not query.searches:
            self._finish(query, Ended.LEFT, now)
        elif query.done:
            self._finish(query, Ended.COMPLETE, now)
        elif query.candidates:
            self._hungry[query] = None
            self._dial(now)
        elif query.phase is Phase.QUEUED:
            self._ask_next(now)

    def _ask_next(self, now: float) -> None:
        """Ask the routers for whoever has waited longest, as far as there are places."""
        while self._queued and len(self._asking) < self.options.max_queries:
            query, _ = self._queued.popitem(last=False)
            query.phase = Phase.ASKING
            query.deadline = now + self.options.timeout
            self._deadlines.remove(query)
            self._deadlines.at(query, query.deadline)
            self._asking[query.number] = query
            self._asked += 1
            self._outbox.put(Ask(query.number, query.cid, self.options.max_found))

    def _stop_asking(self, query: Query) -> None:
        """No more is wanted from the routers; the place is free once they have ended."""
        if query.phase is Phase.ASKING:
            if self._outbox.withdraw(query.number):
                self._asking.pop(query.number, None)
            else:
                self._asking[query.number] = None
                self._outbox.put(StopAsking(query.number))
        query.phase = Phase.ASKED

    def _dial(self, now: float) -> None:
        """Dial those who were named, query by query in turn, as far as there are places."""
        ended: list[Query] = []
        while self._hungry and self._dials.free > 0:
            query, _ = self._hungry.popitem(last=False)
            if self._dial_one(query, now):
                self._hungry[query] = None
            elif query.done:
                ended.append(query)
        for query in ended:
            self._go_on(query, now)

    def _dial_one(self, query: Query, now: float) -> bool:
        """Dial the next of a query; False if it wants nobody dialled for now."""
        if not query.candidates or query.room <= 0:
            return False
        if len(query.dialling) >= self.options.max_query_dials:
            return False
        peer, addresses = next(iter(query.candidates.items()))
        del query.candidates[peer]
        reason = self._dials.begin(query, peer, addresses, now)
        if reason is not None:
            query.fail(peer, reason)
            self._failed += 1
        return True

    def _publish(self, query: Query, peer: Peer) -> None:
        query.connect(peer)
        self._reached += 1
        self._woken.update(query.searches)
        self._release_satisfied(query)

    def _release_satisfied(self, query: Query) -> None:
        for search in [search for search in query.searches if search.satisfied]:
            self._end(search, query.outcome(search, Ended.ENOUGH), query)

    # -- ends

    def _end(self, search: Search, outcome: Outcome, query: Query | None = None) -> None:
        search.outcome = outcome
        self._woken[search] = None
        if query is not None:
            query.searches.pop(search, None)

    def _finish(self, query: Query, ended: Ended, now: float) -> None:
        """Forget a query, and free what it holds."""
        del self._queries[query.key]
        self._queued.pop(query, None)
        self._hungry.pop(query, None)
        self._deadlines.remove(query)
        self._stop_asking(query)
        for peer in list(query.dialling):
            self._dials.leave(query, peer)
            query.fail(peer, Reason(f"{ended.value} while it was dialled", Cause.DIAL_FAILED, now))
        for peer in list(query.candidates):
            words = f"{ended.value} before it could be dialled"
            query.fail(peer, Reason(words, Cause.NOT_CONNECTED, now))
        for search in list(query.searches):
            self._end(search, query.outcome(search, ended), query)
        self._ask_next(now)
        self._dial(now)

    def close(self, now: float) -> None:
        """End every search; no new one begins. A second call does nothing."""
        self._closed = True
        self._queued.clear()
        self._hungry.clear()
        for query in list(self._queries.values()):
            self._finish(query, Ended.CLOSED, now)
        self._connected.clear()

    # -- what is to be done

    def commands(self) -> list[Command]:
        """What is to be done, in order; each command is given once."""
        return self._outbox.take()

    def woken(self) -> list[Search]:
        """The searches that got providers, or their end, since the last call."""
        if not self._woken:
            return []
        woken, self._woken = self._woken, {}
        return list(woken)

    def next_deadline(self) -> float | None:
        """When to call `on_deadline`; None: not until something else happens."""
        return self._deadlines.next()

    def on_deadline(self, now: float) -> None:
        """End what has taken too long."""
        for query in self._deadlines.due(now):
            if query.phase is Phase.QUEUED:
                query.error = "it was never its turn"
            self._finish(query, Ended.TIMED_OUT, now)

    @property
    def stat(self) -> QueryStat:
        searches = sum(len(query.searches) for query in self._queries.values())
        return QueryStat(
            searches,
            len(self._queries),
            self._asked,
            self._named,
            self._reached,
            self._failed,
            self._dials.begun,
        )
