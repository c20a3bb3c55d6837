"""What carries out searches for providers on a real node: threads that ask routers, threads that dial.

The machine belongs to whoever owns the lock around it. This driver takes its commands, and tells the results
to `report`, which calls the machine with that lock held. None is held while a router or a peer is waited for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Any, Protocol, TypeAlias, runtime_checkable

from bitswap.errors import BitswapError, RemoteError, UsageError
from bitswap.network.interface import Network, Peer
from bitswap.options import RoutingOptions
from bitswap.providerquerymanager import (
    Ask,
    Command,
    Connect,
    LookUp,
    ProviderQueryManager,
    SessionSearches,
    StopAsking,
)
from bitswap.routing.combined import routers_of
from bitswap.routing.interface import ContentRouting, PeerRouting, Provider, RoutingError
from bitswap.routing.threads import Reading, Threads
from bitswap.spans import NOBODY, SpanTracer, span

_log = logging.getLogger(__name__)

Told: TypeAlias = Callable[[float], None]
"""Tells the machine something; to be called with the time, and with the owner's lock held."""


@runtime_checkable
class PicksAddresses(Protocol):
    """A network that knows which addresses it can dial."""

    def dialable(self, peer: Peer, addresses: Sequence[str]) -> Sequence[str]:
        """Those of `peer` that can be dialled, the most promising first, in the form that `connect` takes."""


class ProviderDriver:
    """Asks `routing` and dials through `network`, for the `machine` of one client.

    `report` calls what it is given under the owner's lock, and then has the machine's commands carried out;
    it is called on threads of this driver, and drops what comes after the end. `connected` is told of a peer
    before the machine is. Several routers are asked at once; without any there are no `searches`, and nothing
    to do. Raises UsageError for what is no router.
    """

    def __init__(
        self,
        network: Network,
        routing: ContentRouting | None,
        options: RoutingOptions | None = None,
        *,
        report: Callable[[Told], None],
        connected: Callable[[Peer], None],
        spans: SpanTracer | None = None,
    ) -> None:
        options = options or RoutingOptions()
        self._spans = spans
        self._network = network
        self._options = options
        self._report = report
        self._connected = connected
        self._routers = () if routing is None else routers_of([routing])
        for router in self._routers:
            if not callable(getattr(router, "find_providers", None)):
                raise UsageError(f"{router!r:.200} is no router: it has no find_providers")
        self._lookers = [router for router in self._routers if isinstance(router, PeerRouting)]
        self._lock = threading.Lock()
        self._questions: dict[int, _Question] = {}
        self._lookups: set[Reading[str]] = set()
        self._closed = False
        # Both wait for as many jobs as the machine has places for, so none waits for a thread.
        self._askers = Threads("bitswap-router", options.max_queries * len(self._routers))
        self._dialers = Threads("bitswap-provider-dial", options.max_dials)
        self.machine = ProviderQueryManager(options, self_id=network.self_id, looks_up=bool(self._lookers))
        """Not to be touched without the owner's lock; nor is `searches`, which is over it."""
        self.searches: SessionSearches[Any] | None = SessionSearches(self.machine) if self._routers else None

    def run(self, commands: Iterable[Command]) -> None:
        """Begin to carry these out; does not wait. Not to be called with the owner's lock held."""
        for command in commands:
            if isinstance(command, Ask):
                self._ask(command)
            elif isinstance(command, StopAsking):
                with self._lock:
                    question = self._questions.get(command.number)
                if question is not None:
                    question.stop()
            elif isinstance(command, Connect):
                self._dialers.submit(partial(self._dial, command))
            else:
                self._dialers.submit(partial(self._look_up, command))

    def close(self) -> None:
        """Have everything end; a second call does nothing."""
        with self._lock:
            self._closed = True
            questions = list(self._questions.values())
            lookups = list(self._lookups)
        self._askers.close()
        self._dialers.close()
        for question in questions:
            question.stop()
        for reading in lookups:
            reading.stop()

    def join(self) -> None:
        """Wait until it has; dials end when the network is closed, or with their time."""
        for threads in (self._askers, self._dialers):
            if not threads.join(self._options.close_timeout):
                _log.warning("a router or a dial does not end; its thread is left behind")
        with self._lock:
            left = list(self._questions.values())
        for question in left:
            question.end(None)

    # -- routers

    def _ask(self, command: Ask) -> None:
        question = _Question(self, command)
        with self._lock:
            if self._closed:
                return
            self._questions[command.number] = question
        question.begin()
        for reading in question.readings:
            self._askers.submit(reading.run)

    def _found(self, number: int, item: object) -> None:
        provider = self._checked(item)
        self._report(lambda now: self.machine.found(number, [provider], now))

    def _asked(self, number: int, error: str | None) -> None:
        with self._lock:
            del self._questions[number]
        self._report(lambda now: self.machine.asked(number, error, now))

    def _checked(self, item: object) -> Provider:
        """A provider that can be worked with; raises RoutingError for what none is."""
        if not isinstance(item, Provider) or not isinstance(item.peer, str) or not item.peer:
            raise RoutingError(f"a router named {item!r:.200}, which is no Provider")
        return Provider(item.peer, self._dialable(item.peer, item.addresses))

    def _dialable(self, peer: Peer, addresses: Iterable[object]) -> tuple[str, ...]:
        known = [address for address in addresses if isinstance(address, str)]
        if not isinstance(self._network, PicksAddresses):
            return tuple(known)
        # Where none will do, the attempt at one says why.
        return tuple(self._network.dialable(peer, known)) or tuple(known[:1])

    def _look_up(self, command: LookUp) -> None:
        """On a thread for dials, whose place the look-up has: one router after the other, until one knows."""
        peer, most = command.peer, self._options.max_addresses
        addresses: list[str] = []
        errors: list[Exception | None] = []
        for router in self._lookers:
            reading = Reading(partial(router.find_peer, peer), most, addresses.append, errors.append)
            with self._lock:
                if self._closed:
                    return
                self._lookups.add(reading)
            reading.run()
            with self._lock:
                self._lookups.discard(reading)
            if addresses:
                break
        found = self._dialable(peer, islice(addresses, most))
        failed = _said(error for error in errors if error is not None)
        self._report(
            lambda now: self.machine.looked_up(command.number, found, now, None if found else failed)
        )

    # -- dials

    def _dial(self, command: Connect) -> None:
        failure: Exception | None = None
        try:
            there = self._network.connect(command.address, command.timeout)
            if there != command.peer:
                failure = RemoteError(f"{there} is there", peer=command.peer)
        except Exception as error:
            failure = error
        if failure is None:
            self._connected(command.peer)
        self._report(lambda now: self.machine.dialled(command.number, failure, now))


class _Question:
    """An Ask that is being answered, by every router on a thread of its own."""

    def __init__(self, driver: ProviderDriver, command: Ask) -> None:
        self._driver = driver
        self._number = command.number
        self._lock = threading.Lock()
        self._left = len(driver._routers)
        self._errors: list[Exception] = []
        cid, limit = command.cid, command.limit
        self._span = span(driver._spans, "ProviderQueryManager.FindProvidersAsync", cid=cid)
        starts = [partial(router.find_providers, cid, limit) for router in driver._routers]
        self.readings = [Reading(start, limit, self._found, self._done) for start in starts]

    def begin(self) -> None:
        with self._lock:
            self._span.__enter__()

    def end(self, error: BaseException | None) -> None:
        """It is over, or nobody is going to hear of its end; a second call does nothing."""
        with self._lock:
            spanned, self._span = self._span, NOBODY
            spanned.__exit__(None if error is None else type(error), error, None)

    def _found(self, item: object) -> None:
        if self._span and isinstance(item, Provider):
            with self._lock:
                self._span.event("FoundProvider", peer=item.peer)
        self._driver._found(self._number, item)

    def _done(self, error: Exception | None) -> None:
        if error is not None and not isinstance(error, (BitswapError, OSError)):
            _log.error("a router failed in a way that it does not foresee", exc_info=error)
        with self._lock:
            self._left -= 1
            if error is not None:
                self._errors.append(error)
            last = not self._left
        if last:
            self.end(next(iter(self._errors), None))
            self._driver._asked(self._number, _said(self._errors))

    def stop(self) -> None:
        for reading in self.readings:
            reading.stop()


def _said(errors: Iterable[Exception]) -> str | None:
    return "; ".join(str(error) or type(error).__name__ for error in errors) or None
