"""Real nodes that fetch from providers which routers name: threads and all, over the loopback network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from bitswap import Bitswap, Client, Timeout
from bitswap.blockstore import MemoryBlockstore
from bitswap.errors import Cause, Closed
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import ClientOptions, RoutingOptions
from bitswap.routing import ContentRouting, Provider, RoutingError, StaticRouting
from bitswap.testnet import LoopbackHub
from bitswap.testutils import cids_of, make_blocks
from tests.client.waiting import until
from tests.routing.routers import SECONDS, Scripted, Stubborn, Waiting

pytestmark = pytest.mark.timeout(90)
BLOCKS = make_blocks(200)
BLOCK = BLOCKS[0]

MakeClient = Callable[..., Client]


def at(name: str) -> Provider:
    return Provider(name, (f"/loopback/{name}",))


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """With nodes "alice" and "bob", who have all blocks."""
    with LoopbackHub() as hub, ExitStack() as stack:
        for name in ("alice", "bob"):
            store = MemoryBlockstore()
            store.put_many(BLOCKS)
            stack.enter_context(Bitswap(hub.network(name), store))
        yield hub


@pytest.fixture
def client_of(hub: LoopbackHub) -> Iterator[MakeClient]:
    with ExitStack() as stack:

        def make(routing: ContentRouting, client: ClientOptions | None = None, **options: object) -> Client:
            network = hub.network("ours")
            made = Client(
                network,
                client,
                routing=routing,
                routing_options=RoutingOptions(**options),  # type: ignore[arg-type]
            )
            stack.callback(made.close)
            network.start(made)
            return made

        yield make
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("bitswap-router", "bitswap-provider"))]


def failure(client: Client) -> Timeout:
    """What a request for BLOCK fails with once the search for it is over."""
    with client.new_session() as session, session.getter() as getter:
        getter.want([BLOCK.cid])

        def over() -> bool:
            (wait,) = session.explain(BLOCK.cid).waits
            return wait.sought is not None and wait.sought.over

        until(over)
        with pytest.raises(Timeout) as raised:
            getter.take(timeout=0.001)
    return raised.value


def test_blocks_of_a_provider(client_of: MakeClient) -> None:
    router = Scripted(at("alice"))
    client = client_of(router)
    assert client.get_block(BLOCK.cid, timeout=SECONDS) == BLOCK
    with client.new_session() as session:
        came = list(session.get_blocks(cids_of(BLOCKS), timeout=SECONDS))
    assert len(came) == len(BLOCKS)
    assert session.stats.peers["alice"].blocks == len(BLOCKS)
    assert router.asked == [BLOCK.cid]


def test_many_requests_at_once_share_a_search(client_of: MakeClient) -> None:
    router = Stubborn(at("alice"), at("bob"))
    client = client_of(router)
    with ThreadPoolExecutor(8) as pool:
        wanted = [pool.submit(client.get_block, BLOCK.cid, SECONDS) for _ in range(8)]
        assert router.waits.wait(SECONDS)
        until(lambda: client._providers.machine.stat.searches == 8)
        router.go.set()
        assert [future.result() for future in wanted] == [BLOCK] * 8
    assert client._providers.machine.stat.asked == 1


def test_who_cannot_be_dialled(client_of: MakeClient) -> None:
    error = failure(client_of(StaticRouting([at("nobody")]), find_peers=False))
    assert error.cause is Cause.DIAL_FAILED
    assert {peer: reason.cause for peer, reason in error.reasons.items()} == {"nobody": Cause.DIAL_FAILED}
    assert "nobody: could not be dialled: nobody listens at /loopback/nobody" in str(error)
    assert error.search is not None
    assert error.search.cause is Cause.DIAL_FAILED


def test_nobody_is_named(client_of: MakeClient) -> None:
    error = failure(client_of(Scripted()))
    assert (error.cause, error.reasons) == (Cause.NO_PROVIDERS, {})
    assert str(error).endswith("no providers were found")


def test_a_router_that_fails(client_of: MakeClient) -> None:
    error = failure(client_of(Scripted(error=RoutingError("the router is down"))))
    assert error.cause is Cause.ROUTING_FAILED
    assert str(error).endswith("the routers failed: the router is down")


def test_a_session_that_ends_stops_the_router(client_of: MakeClient) -> None:
    router = Waiting()
    client = client_of(router)
    session = client.new_session()
    getter = session.getter()
    getter.want([BLOCK.cid])
    assert router.stream.waits.wait(SECONDS)
    session.close()
    assert router.stream.closed.wait(SECONDS)
    assert client._providers.machine.stat.searches == 0


def test_a_node_that_is_closed_in_the_middle(hub: LoopbackHub) -> None:
    router = Waiting()
    node = Bitswap(hub.network("whole"), MemoryBlockstore(), routing=router)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(node.get_block, BLOCK.cid)
        assert router.stream.waits.wait(SECONDS)
        node.close()
        with pytest.raises(Closed):
            waits.result()
    assert router.stream.closed.is_set()


def test_a_node_that_stores_what_a_provider_gave(hub: LoopbackHub) -> None:
    store = MemoryBlockstore()
    with Bitswap(hub.network("whole"), store, routing=StaticRouting([at("alice"), at("bob")])) as node:
        assert len(list(node.get_blocks(cids_of(BLOCKS), timeout=SECONDS))) == len(BLOCKS)
        assert store.has(BLOCK.cid)


def test_over_libp2p() -> None:
    store = MemoryBlockstore()
    store.put_many(BLOCKS)
    with Bitswap(Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"]), store) as server:
        dead = f"/ip4/127.0.0.1/tcp/1/p2p/{server.network.self_id}"
        routing = StaticRouting([dead, *server.network.addrs])
        with Bitswap(Libp2pNetwork(), MemoryBlockstore(), routing=routing) as node:
            assert len(list(node.get_blocks(cids_of(BLOCKS), timeout=SECONDS))) == len(BLOCKS)


def test_time_runs_out_before_the_router_has_answered(client_of: MakeClient) -> None:
    router = Waiting()
    client = client_of(router)
    with client.new_session() as session, session.getter() as getter:
        getter.want([BLOCK.cid])
        assert router.stream.waits.wait(SECONDS)
        with pytest.raises(Timeout, match="routers are still asked for providers") as raised:
            getter.take(timeout=0.001)
    assert raised.value.cause is Cause.NO_PROVIDERS
