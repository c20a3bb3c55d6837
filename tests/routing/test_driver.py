"""Searches on real threads: routers of every temper, dials over a loopback network and over libp2p."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from bitswap import Bitswap
from bitswap.blockstore import MemoryBlockstore
from bitswap.errors import UsageError
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.providerdriver import ProviderDriver
from bitswap.providerquerymanager import Ended, SearchFailure
from bitswap.routing import CombinedRouting, ContentRouting, Provider, StaticRouting
from bitswap.testnet import LoopbackHub
from tests.routing.owner import Owner
from tests.routing.routers import SECONDS, Locating, Scripted, Stubborn, Waiting
from tests.routing.world import CIDS

pytestmark = pytest.mark.timeout(90)

Make = Callable[..., Owner]


class Quiet:
    """Hears what a network says and does nothing."""

    def peer_connected(self, peer: str) -> None: ...

    def peer_disconnected(self, peer: str, reason: BaseException | None) -> None: ...


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        for name in ("alice", "bob"):
            hub.network(name).start(Quiet())  # type: ignore[arg-type]
        yield hub


@pytest.fixture
def make(hub: LoopbackHub) -> Iterator[Make]:
    ours = hub.network("ours")
    ours.start(Quiet())  # type: ignore[arg-type]
    with ExitStack() as stack:

        def owner(routing: ContentRouting, **options: object) -> Owner:
            made = Owner(ours, routing, **options)
            stack.callback(made.close)
            return made

        yield owner
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("bitswap-router", "bitswap-provider"))]


def at(name: str) -> Provider:
    return Provider(name, (f"/loopback/{name}",))


def test_providers_are_found_and_connected(make: Make) -> None:
    owner = make(StaticRouting([at("alice"), at("bob")]))
    outcome = owner.outcome(search := owner.search(CIDS[0]))
    assert sorted(search.take()) == sorted(outcome.connected) == ["alice", "bob"]
    assert outcome.ended is Ended.COMPLETE
    assert sorted(owner.connected) == ["alice", "bob"]


def test_who_cannot_be_reached_is_told_with_the_reason(make: Make) -> None:
    owner = make(StaticRouting([at("nobody"), Provider("odd", ("nonsense",)), Provider("carol")]))
    outcome = owner.outcome(owner.search(CIDS[0]))
    assert outcome.failure is SearchFailure.DIALS_FAILED
    assert outcome.failed["nobody"] == "could not be dialled: nobody listens at /loopback/nobody"
    assert "nonsense is not an address of this network" in outcome.failed["odd"]
    assert "carol is not an address" in outcome.failed["carol"]
    assert owner.connected == []


def test_somebody_else_answers(make: Make) -> None:
    owner = make(StaticRouting([Provider("alice", ("/loopback/bob",))]))
    outcome = owner.outcome(owner.search(CIDS[0]))
    assert outcome.failed == {"alice": "could not be dialled: /loopback/bob: bob is there"}
    assert owner.connected == []


def test_a_peer_without_a_working_address_is_looked_up(make: Make) -> None:
    lost = Locating(places={})
    knowing = Locating(Provider("alice", ("/loopback/old",)), places={"alice": ["/loopback/alice"]})
    owner = make(CombinedRouting(lost, knowing))
    assert owner.outcome(owner.search(CIDS[0])).connected == ("alice",)
    assert lost.looked_up == knowing.looked_up == ["alice"]


def test_nobody_knows_where_a_peer_is(make: Make) -> None:
    owner = make(Locating(at("gone")))
    outcome = owner.outcome(owner.search(CIDS[0]))
    assert outcome.failed["gone"].endswith("looking it up: gone is not known here")


def test_routers_are_asked_at_once(make: Make) -> None:
    slow = Stubborn(at("bob"))
    owner = make(CombinedRouting(slow, StaticRouting([at("alice")])))
    search = owner.search(CIDS[0])
    owner.wait(lambda: "alice" in search.told)
    assert search.outcome is None
    slow.go.set()
    assert owner.outcome(search).connected == ("alice", "bob")


@pytest.mark.parametrize("error", [OSError("down"), RuntimeError("a bug"), KeyError()])
def test_a_router_that_fails(make: Make, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    owner = make(Scripted(error=error))
    outcome = owner.outcome(owner.search(CIDS[0]))
    assert outcome.failure is SearchFailure.ROUTING_FAILED
    assert outcome.error == (str(error) or type(error).__name__)
    assert ("does not foresee" in caplog.text) == (not isinstance(error, OSError))


def test_what_is_no_router_is_refused(make: Make) -> None:
    for odd in (object(), "/ip4/127.0.0.1/tcp/1", [StaticRouting()]):
        with pytest.raises(UsageError, match="find_providers"):
            make(odd)


@pytest.mark.parametrize("nonsense", [None, "alice", ("alice", ()), Provider(7), Provider("")])  # type: ignore[arg-type]
def test_a_router_that_names_nonsense(make: Make, nonsense: Provider) -> None:
    owner = make(Scripted(at("alice"), nonsense, at("bob")))
    outcome = owner.outcome(owner.search(CIDS[0]))
    assert outcome.connected == ("alice",)
    assert "no Provider" in (outcome.error or "")


def test_without_a_router_there_is_nothing_to_do(hub: LoopbackHub) -> None:
    before = threading.active_count()
    driver = ProviderDriver(hub.network("ours"), None, report=lambda told: None, connected=lambda peer: None)
    assert driver.searches is None
    driver.run(driver.machine.commands())
    driver.close()
    driver.join()
    assert threading.active_count() == before


def test_addresses_that_are_no_text_are_left_out(make: Make) -> None:
    owner = make(Scripted(Provider("alice", (7, b"/loopback/alice", "/loopback/alice"))))  # type: ignore[arg-type]
    assert owner.outcome(owner.search(CIDS[0])).connected == ("alice",)


def test_leaving_ends_a_router_that_can_be_closed(make: Make) -> None:
    router = Waiting(at("alice"))
    owner = make(router)
    search = owner.search(CIDS[0])
    assert router.stream.waits.wait(SECONDS)
    owner.leave(search)
    assert router.stream.closed.wait(SECONDS)


def test_a_router_that_cannot_be_closed_keeps_its_place_but_nobody_waiting(make: Make) -> None:
    router = Stubborn(at("alice"))
    owner = make(router, max_queries=1)
    first = owner.search(CIDS[0])
    assert router.waits.wait(SECONDS)
    owner.leave(first)
    assert first.outcome is not None
    second = owner.search(CIDS[1])
    assert second.outcome is None
    router.go.set()
    assert owner.outcome(second).connected == ("alice",)
    assert first.take() == []


def test_enough_ends_the_router(make: Make) -> None:
    router = Waiting(at("alice"))
    owner = make(router, max_providers=1)
    assert owner.outcome(owner.search(CIDS[0])).ended is Ended.ENOUGH
    assert router.stream.closed.wait(SECONDS)


def test_a_thread_for_each_query_and_no_more(make: Make) -> None:
    router = Scripted(at("alice"))
    owner = make(router, max_queries=2, max_dials=1)
    searches = [owner.search(cid) for cid in CIDS[:20]]
    for search in searches:
        assert owner.outcome(search).connected == ("alice",)
    assert len(router.asked) == 20
    assert len(owner.driver._askers._threads) <= 2
    assert len(owner.driver._dialers._threads) <= 1


def test_closing_ends_whatever_goes_on(make: Make) -> None:
    waiting, stubborn = Waiting(at("alice")), Stubborn()
    owner = make(CombinedRouting(waiting, stubborn))
    search = owner.search(CIDS[0])
    assert waiting.stream.waits.wait(SECONDS)
    assert stubborn.waits.wait(SECONDS)
    threading.Thread(target=owner.close).start()
    assert waiting.stream.closed.wait(SECONDS)
    assert owner.outcome(search).ended is Ended.CLOSED
    stubborn.go.set()


def test_a_router_that_never_ends_is_left_behind(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    router = Stubborn()
    owner = make(router, close_timeout=0.001)
    owner.search(CIDS[0])
    assert router.waits.wait(SECONDS)
    owner.close()
    assert "does not end" in caplog.text
    router.go.set()
    assert owner.driver._askers.join(SECONDS)


# -- over libp2p


@pytest.fixture
def server() -> Iterator[Bitswap]:
    with Bitswap(Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"]), MemoryBlockstore()) as node:
        yield node


@pytest.fixture
def owner_of() -> Iterator[Make]:
    with ExitStack() as stack:

        def owner(routing: ContentRouting, **options: object) -> Owner:
            network = Libp2pNetwork()
            network.start(Quiet())  # type: ignore[arg-type]
            made = Owner(network, routing, **options)
            stack.callback(made.close)
            stack.callback(network.close)
            return made

        yield owner


def test_a_real_provider(server: Bitswap, owner_of: Make) -> None:
    peer = server.network.self_id
    address = server.network.addrs[0].removesuffix(f"/p2p/{peer}")
    listed = ("/ip4/127.0.0.1/udp/4001/quic-v1", "/ip4/127.0.0.1/tcp/1", address)
    owner = owner_of(StaticRouting([Provider(peer, listed)]))
    assert owner.outcome(owner.search(CIDS[0])).connected == (peer,)
    assert owner.connected == [peer]


def test_a_provider_that_cannot_be_dialled_at_all(server: Bitswap, owner_of: Make) -> None:
    peer = server.network.self_id
    owner = owner_of(StaticRouting([Provider(peer, ("/ip4/127.0.0.1/udp/4001/quic-v1",))]))
    outcome = owner.outcome(owner.search(CIDS[0]))
    assert "is not a plain TCP address" in outcome.failed[peer]


def test_a_provider_nobody_knows_an_address_of(server: Bitswap, owner_of: Make) -> None:
    peer = server.network.self_id
    owner = owner_of(Scripted(Provider(peer)))
    assert f"no address of {peer} is known" in owner.outcome(owner.search(CIDS[0])).failed[peer]


def test_closing_the_network_ends_a_dial(owner_of: Make) -> None:
    """192.0.2.1 is nobody's (RFC 5737): depending on the system the dial waits, or fails at once."""
    peer = Libp2pNetwork().self_id
    owner = owner_of(StaticRouting([Provider(peer, ("/ip4/192.0.2.1/tcp/1",))]), address_timeout=60.0)
    search = owner.search(CIDS[0])
    owner.wait(lambda: owner.machine.stat.dials == 1)
    owner.driver._network.close()
    assert peer in owner.outcome(search).failed
