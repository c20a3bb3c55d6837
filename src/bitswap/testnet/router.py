"""A router in a virtual network, and what carries out a node's searches there (boxo `mockrouting`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from bitswap.cid import CID
from bitswap.errors import RemoteError
from bitswap.network.interface import Peer
from bitswap.providerquerymanager import Ask, Connect, LookUp, ProviderQueryManager, StopAsking
from bitswap.routing import Provider
from bitswap.testnet.delays import Delay, fixed

if TYPE_CHECKING:
    from bitswap.testnet.node import VirtualNode
    from bitswap.testnet.virtual import VirtualNetwork

_SCHEME = "/virtual/"


def address_of(name: Peer) -> str:
    """Where the node of this name can be dialled."""
    return _SCHEME + name


class VirtualRouter:
    """Knows who has what, as far as it was announced; a virtual network can have several.

    `latency` is drawn for each question before its first result, `interval` before each further one, in
    seconds. `failure` is raised by each question after that, and `unknown` peers it cannot look up.
    """

    def __init__(
        self, network: VirtualNetwork, *, latency: Delay | None = None, interval: Delay | None = None
    ) -> None:
        self.network = network
        self.failure: Exception | None = None
        self.questions = 0
        """Questions asked so far."""
        self.live = 0
        """Those that are being answered."""
        self.most_live = 0
        self.lookups = 0
        self.peers: dict[Peer, tuple[str, ...]] = {}
        """Addresses that `find_peer` knows beside those in the records."""
        self._records: dict[bytes, dict[Peer, tuple[str, ...]]] = {}
        self._latency = latency or fixed(0.05)
        self._interval = interval or fixed(0.0)

    def announce(self, peer: Peer, cids: Iterable[CID], addresses: Sequence[str] | None = None) -> None:
        """`peer` is a provider of these, at its address in the virtual network unless others are given."""
        known = (address_of(peer),) if addresses is None else tuple(addresses)
        for cid in cids:
            self._records.setdefault(cid.multihash, {})[peer] = known

    def withdraw(self, peer: Peer, cids: Iterable[CID]) -> None:
        for cid in cids:
            self._records.get(cid.multihash, {}).pop(peer, None)

    def ask(
        self,
        cid: CID,
        limit: int,
        found: Callable[[Provider], None],
        done: Callable[[Exception | None], None],
    ) -> Question:
        """Answer a question in time: `found` for each result, then `done` once."""
        return Question(self, self._providers(cid)[:limit], found, done)

    def _providers(self, cid: CID) -> list[Provider]:
        return [Provider(peer, known) for peer, known in self._records.get(cid.multihash, {}).items()]

    def draw(self, *, first: bool) -> float:
        """Seconds until the next result of a question."""
        return (self._latency if first else self._interval)(self.network.random)

    def find_peer(self, peer: Peer) -> tuple[str, ...]:
        """Addresses of a peer, without delay."""
        self.lookups += 1
        if self.failure is not None:
            raise self.failure
        return self.peers.get(peer, ())


class Question:
    """A question that a router is answering."""

    def __init__(
        self,
        router: VirtualRouter,
        providers: list[Provider],
        found: Callable[[Provider], None],
        done: Callable[[Exception | None], None],
    ) -> None:
        self._router = router
        self._providers = providers[::-1]
        self._found = found
        self._done: Callable[[Exception | None], None] | None = done
        router.questions += 1
        router.live += 1
        router.most_live = max(router.most_live, router.live)
        router.network.at(router.draw(first=True), self._step)

    def stop(self) -> None:
        """It ends at once, with what it has."""
        self._end(None)

    def _step(self) -> None:
        if self._done is None:
            return
        if self._router.failure is not None:
            self._end(self._router.failure)
        elif self._providers:
            self._found(self._providers.pop())
            self._router.network.at(self._router.draw(first=False), self._step)
        else:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            self._router.live -= 1
            done(error)


class VirtualSearches:
    """Carries out what the searches of one node want done, in virtual time.

    `dial` is drawn for each dial; nobody is reached under an address that no node of the network has, nor
    under those in `refusing`. `changed` is called after whatever may have moved the machine.
    """

    def __init__(
        self,
        node: VirtualNode,
        manager: ProviderQueryManager,
        routers: Sequence[VirtualRouter],
        *,
        dial: Delay | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self.node = node
        self.manager = manager
        self.dials: list[str] = []
        """Addresses dialled so far."""
        self.refusing: set[str] = set()
        self._routers = list(routers)
        self._dial = dial or fixed(0.02)
        self._changed = changed
        self._network = routers[0].network
        self._questions: dict[int, list[Question]] = {}
        self._timer: float | None = None

    def pump(self) -> None:
        """Begin what is to be done, and set the timer; to be called after every call of the machine."""
        while commands := self.manager.commands():
            for command in commands:
                if isinstance(command, Ask):
                    self._ask(command)
                elif isinstance(command, StopAsking):
                    for question in self._questions.get(command.number, ()):
                        question.stop()
                elif isinstance(command, Connect):
                    self._connect(command)
                else:
                    self._look_up(command)
        self._set_timer()

    def _now(self) -> float:
        return self._network.clock.now()

    def _moved(self) -> None:
        self.pump()
        if self._changed is not None:
            self._changed()

    # -- routers

    def _ask(self, command: Ask) -> None:
        left = len(self._routers)
        errors: list[Exception] = []

        def found(provider: Provider) -> None:
            self.manager.found(command.number, [provider], self._now())
            self._moved()

        def done(error: Exception | None) -> None:
            nonlocal left
            left -= 1
            if error is not None:
                errors.append(error)
            if not left:
                self._questions.pop(command.number, None)
                self.manager.asked(command.number, "; ".join(map(str, errors)) or None, self._now())
                self._moved()

        self._questions[command.number] = [
            router.ask(command.cid, command.limit, found, done) for router in self._routers
        ]

    def _look_up(self, command: LookUp) -> None:
        self._network.at(self._routers[0].draw(first=True), self._looked_up, command)

    def _looked_up(self, command: LookUp) -> None:
        addresses: list[str] = []
        errors: list[Exception] = []
        for router in self._routers:
            try:
                addresses += router.find_peer(command.peer)
            except Exception as error:
                errors.append(error)
        failure = errors[0] if errors and not addresses else None
        self.manager.looked_up(command.number, addresses, self._now(), failure)
        self._moved()

    # -- dials

    def _connect(self, command: Connect) -> None:
        self.dials.append(command.address)
        seconds = self._dial(self._network.random)
        if seconds > command.timeout:
            error = RemoteError(f"no answer in {command.timeout:g} s", peer=command.peer)
            self._network.at(command.timeout, self._dialled, command, error)
        else:
            self._network.at(seconds, self._dialled, command, None)

    def _dialled(self, command: Connect, failure: Exception | None) -> None:
        peer, address = command.peer, command.address
        target = self._network.nodes.get(address.removeprefix(_SCHEME))
        if failure is not None:
            pass
        elif not address.startswith(_SCHEME):
            failure = RemoteError("no address is known", peer=peer)
        elif target is None or address in self.refusing:
            failure = RemoteError("connection refused", peer=peer)
        elif target.name != peer:
            failure = RemoteError(f"{target.name} is there", peer=peer)
        else:
            self._network.connect(self.node, target)
            self.manager.peer_connected(peer, self._now())
        self.manager.dialled(command.number, failure, self._now())
        self._moved()

    # -- time

    def _set_timer(self) -> None:
        when = self.manager.next_deadline()
        if when is not None and (self._timer is None or when < self._timer):
            self._timer = when
            self._network.at(when - self._now(), self._on_timer, when)

    def _on_timer(self, when: float) -> None:
        if self._timer == when:
            self._timer = None
        self.manager.on_deadline(self._now())
        self._moved()
