"""Dials of providers: a bounded number, one a peer for all queries, address after address.

A peer whose addresses all failed is looked up once where a router can do that, and dialled again only at
addresses that are new. Addresses that failed are left alone for some seconds.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from bitswap.errors import Cause, Reason
from bitswap.network.interface import Peer
from bitswap.options import RoutingOptions
from bitswap.providerquerymanager.commands import Connect, LookUp
from bitswap.providerquerymanager.outbox import Outbox
from bitswap.providerquerymanager.query import Query

_SHOWN = 3  # addresses that a reason names


class Dial:
    """One peer that is being dialled."""

    __slots__ = ("addresses", "failures", "looked_up", "number", "peer", "queries", "reason", "trying")

    def __init__(self, peer: Peer, addresses: Iterable[str]) -> None:
        self.peer = peer
        self.addresses = deque(addresses)
        """Those to be tried yet."""
        self.failures: dict[str, str] = {}
        """Those that failed, and why."""
        self.trying = ""
        self.looked_up = False
        self.number = 0
        """Of the command that is under way; there is always one until the dial is over."""
        self.queries: dict[Query, None] = {}
        """Who waits for it; nobody perhaps, then it ends with the attempt that is under way."""
        self.reason: Reason | None = None
        """Why it failed, once it is over; None if it succeeded."""


class _Backoff(NamedTuple):
    until: float
    failures: Mapping[str, str]
    reason: Reason


class Dials:
    """The dials that are under way."""

    def __init__(self, options: RoutingOptions, outbox: Outbox, *, looks_up: bool) -> None:
        self._options = options
        self._outbox = outbox
        self._looks_up = looks_up and options.find_peers
        self._dials: dict[Peer, Dial] = {}
        self._numbers: dict[int, Dial] = {}
        self._backoffs: OrderedDict[Peer, _Backoff] = OrderedDict()
        self.begun = 0
        """Attempts at an address that were begun."""

    def __len__(self) -> int:
        return len(self._dials)

    @property
    def free(self) -> int:
        """How many more may be begun."""
        return self._options.max_dials - len(self._dials)

    def begin(self, query: Query, peer: Peer, addresses: tuple[str, ...], now: float) -> Reason | None:
        """Dial a peer, or take part in a dial that is under way; returns why that is of no use, if it is."""
        if query.deadline <= now:
            return Reason("time ran out before it could be dialled", Cause.NOT_CONNECTED, now)
        dial = self._dials.get(peer)
        if dial is None:
            wanted = list(addresses or (peer,))
            known = self._backoffs.get(peer)
            if known is not None and known.until > now:
                wanted = [address for address in wanted if address not in known.failures]
                if not wanted:
                    return known.reason
            dial = self._dials[peer] = Dial(peer, wanted)
            dial.queries[query] = None
            self._go_on(dial, now)
        else:
            dial.queries[query] = None
            self.extend(peer, addresses)
        query.dialling[peer] = None
        return None

    def extend(self, peer: Peer, addresses: Iterable[str]) -> None:
        """Have a dial try these as well, if it is under way."""
        dial = self._dials.get(peer)
        if dial is None:
            return
        for address in addresses:
            new = address not in dial.failures and address not in dial.addresses and address != dial.trying
            if new and len(dial.failures) + len(dial.addresses) < self._options.max_addresses:
                dial.addresses.append(address)

    def is_dialling(self, peer: Peer) -> bool:
        return peer in self._dials

    def address(self, peer: Peer) -> str:
        """Where it is being dialled; empty if nowhere at the moment."""
        dial = self._dials.get(peer)
        return "" if dial is None or dial.trying in dial.failures else dial.trying

    def leave(self, query: Query, peer: Peer) -> None:
        """`query` does not wait for it any more."""
        dial = self._dials.get(peer)
        if dial is not None:
            dial.queries.pop(query, None)
            if not dial.queries and self._outbox.withdraw(dial.number):
                self._remove(dial)

    def dialled(self, number: int, error: str | None, now: float) -> Dial | None:
        """How an attempt ended; returns the dial if that is its end."""
        dial = self._numbers.pop(number, None)
        if dial is None:
            return None
        if error is None:
            self._remove(dial)
            return dial
        dial.failures[dial.trying] = error
        return None if dial.queries and self._go_on(dial, now) else self._fail(dial, now)

    def looked_up(self, number: int, addresses: Iterable[str], error: str | None, now: float) -> Dial | None:
        """Where the routers say that a peer is; returns the dial if that is its end."""
        dial = self._numbers.pop(number, None)
        if dial is None:
            return None
        new = [address for address in addresses if address not in dial.failures]
        dial.addresses.extend(islice(dict.fromkeys(new), self._options.max_addresses))
        if error is not None:
            dial.failures["looking it up"] = error
        return None if dial.queries and self._go_on(dial, now) else self._fail(dial, now)

    def _go_on(self, dial: Dial, now: float) -> bool:
        """Begin the next attempt; False if there is none."""
        left = max(query.deadline for query in dial.queries) - now
        if left <= 0:
            return False
        dial.number = self._outbox.number()
        if dial.addresses:
            dial.trying = dial.addresses.popleft()
            limit = min(self._options.address_timeout, left)
            self._outbox.put(Connect(dial.number, dial.peer, dial.trying, limit))
            self.begun += 1
        elif self._looks_up and not dial.looked_up:
            dial.looked_up = True
            self._outbox.put(LookUp(dial.number, dial.peer, left))
        else:
            return False
        self._numbers[dial.number] = dial
        return True

    def _fail(self, dial: Dial, now: float) -> Dial:
        self._remove(dial)
        dial.reason = Reason(_words(dial), Cause.DIAL_FAILED, now)
        self._backoffs[dial.peer] = _Backoff(
            now + self._options.dial_backoff, dict(dial.failures), dial.reason
        )
        self._backoffs.move_to_end(dial.peer)
        while len(self._backoffs) > self._options.max_backoffs:
            self._backoffs.popitem(last=False)
        return dial

    def _remove(self, dial: Dial) -> None:
        self._numbers.pop(dial.number, None)
        self._dials.pop(dial.peer, None)


def _words(dial: Dial) -> str:
    """Where it was tried to reach the peer, and what came of that."""
    said = []
    for address, error in islice(dial.failures.items(), _SHOWN):
        said.append(error if address == dial.peer or address in error else f"{address}: {error}")
    if len(dial.failures) > _SHOWN:
        said.append(f"and {len(dial.failures) - _SHOWN} more")
    return f"could not be dialled: {'; '.join(said)}"
