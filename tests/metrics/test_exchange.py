"""What a real exchange leaves in the metrics of both sides."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from bitswap import Bitswap, Block, Client, RemoteError, Server
from bitswap._core import implementations
from bitswap.aio import Bitswap as AsyncBitswap
from bitswap.blockstore import MemoryBlockstore
from bitswap.clock import VirtualClock
from bitswap.errors import UsageError
from bitswap.message import Message, WantType
from bitswap.metrics import Metrics
from bitswap.metrics.sends import answers_timed, wants_timed
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.testnet import LoopbackHub
from bitswap.testutils import cids_of, make_blocks
from tests.libp2p.nodes import send
from tests.metrics.scraping import Side, metrics, scrape
from tests.metrics.test_tracer import Silent

pytestmark = pytest.mark.timeout(120)
SECONDS = 30.0


@contextmanager
def exchanged(blocks: Sequence[Block], *, tcp: bool = False) -> Iterator[tuple[Side, Side]]:
    """Sides of a node that has fetched `blocks`, and of the one that had them; both are closed by then."""
    ours, theirs = Side(), Side()
    with LoopbackHub() as hub:
        networks = (
            (Libp2pNetwork(), Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"]))
            if tcp
            else (hub.network("ours"), hub.network("theirs"))
        )
        with (
            Bitswap(networks[1], MemoryBlockstore(), metrics=theirs.metrics) as holder,
            Bitswap(networks[0], MemoryBlockstore(), metrics=ours.metrics) as node,
        ):
            holder.add_blocks(blocks)
            node.connect(networks[1].addrs[0])
            assert len(list(node.get_blocks(cids_of(blocks), timeout=SECONDS))) == len(blocks)
            assert ours.now["blocks_received"] == len(blocks), "before whoever waits gets them"
            assert ours.now.histogram("recv_all_blocks_bytes")[0] == len(blocks)
            if tcp:
                assert ours.now["exchange_bitswap_requests_in_flight"] >= 1
                assert theirs.now["exchange_bitswap_requests_in_flight"] >= 1
    yield ours, theirs


@pytest.mark.parametrize("tcp", [False, True], ids=["loopback", "tcp"])
def test_a_fetch(tcp: bool) -> None:
    blocks = [
        *make_blocks(6, 50, "a"),
        *make_blocks(5, 1000, "b"),
        *make_blocks(4, 200_000, "c"),
        *make_blocks(3, 262_158, "d"),
    ]
    total = sum(map(len, blocks))
    with exchanged(blocks, tcp=tcp) as (ours, theirs):
        found, served = ours.now, theirs.now
    assert found.histogram("recv_all_blocks_bytes") == (18, total)
    below = [found[f'recv_all_blocks_bytes_bucket{{le="{edge}"}}'] for edge in ("64", "1024", "16384")]
    above = [found[f'recv_all_blocks_bytes_bucket{{le="{edge}"}}'] for edge in ("262144", "262159")]
    assert (below, above) == ([6, 11, 11], [15, 18])
    assert found.histogram("recv_dup_blocks_bytes") == (0, 0)
    assert (found["blocks_received"], found["wantlist_total"], found["want_blocks_total"]) == (18, 0, 0)
    assert found.histogram("sent_all_blocks_bytes") == found.histogram("send_times") == (0, 0)
    assert served["blocks_received"] == 0
    messages, size = served.histogram("sent_all_blocks_bytes")
    assert size == total, "only blocks were asked for"
    assert served.histogram("send_times")[0] == messages >= 1
    assert all(
        served[name] == 0
        for name in ("pending_tasks", "active_tasks", "pending_block_tasks", "active_block_tasks")
    )
    bodies, size = found.histogram("exchange_bitswap_response_bytes")
    asked = found["exchange_bitswap_wantlists_total"]
    if not tcp:
        assert (bodies, asked) == (0, 0), "the network inside the process tells nothing"
        return
    assert bodies == messages
    assert total < size < total + 18 * 100
    assert asked == served.histogram("exchange_bitswap_response_bytes")[0] >= 1
    assert found.histogram("exchange_bitswap_wantlists_seconds")[0] == asked
    assert 18 <= found["exchange_bitswap_wantlists_items_total"] <= 36, "wants, and cancels once they are due"
    assert served["exchange_bitswap_wantlists_total"] == 0, "answers are no wantlists"
    assert found["exchange_bitswap_requests_in_flight"] == 0, "it is closed"


def test_two_nodes_may_share_one_object() -> None:
    with metrics() as (told, registry), LoopbackHub() as hub:
        with (
            Bitswap(hub.network("theirs"), MemoryBlockstore(), metrics=told) as holder,
            Bitswap(hub.network("ours"), MemoryBlockstore(), metrics=told) as node,
        ):
            blocks = make_blocks(5, 2000)
            holder.add_blocks(blocks)
            node.connect("/loopback/theirs")
            list(node.get_blocks(cids_of(blocks), timeout=SECONDS))
            with node.getter() as one, holder.getter() as other:
                one.want(cids_of(make_blocks(3, seed="absent")))
                other.want(cids_of(make_blocks(4, seed="absent")))
                assert scrape(registry)["wantlist_total"] == 7
        hub.close()
        found = scrape(registry)
    assert found.histogram("recv_all_blocks_bytes") == (5, 10_000)
    assert found.histogram("sent_all_blocks_bytes")[1] >= 10_000
    assert (found["wantlist_total"], found["blocks_received"]) == (0, 5)


def test_blocks_that_come_twice_and_blocks_nobody_asked_for() -> None:
    mine, strange = make_blocks(2, 300, "mine"), make_blocks(3, 7, "strange")
    store = MemoryBlockstore()
    store.put_many(mine)
    with metrics() as (told, registry), LoopbackHub() as hub:
        with Bitswap(hub.network("node"), store, metrics=told):
            peer = hub.network("peer")
            peer.start(Silent())
            peer.connect("/loopback/node")
            message = Message()
            for block in (*mine, *strange):
                message.add_block(block)
            assert send(peer, "node", message) is None
        found = scrape(registry)
    assert found.histogram("recv_all_blocks_bytes") == (5, 621)
    assert found.histogram("recv_dup_blocks_bytes") == (2, 600)
    assert found["blocks_received"] == 5


def test_a_client_alone_and_a_server_alone() -> None:
    blocks = make_blocks(3, 4000)
    store = MemoryBlockstore()
    store.put_many(blocks)
    ours, theirs = Side(), Side()
    with LoopbackHub() as hub:
        network = hub.network("theirs")
        with (
            Server(network, store, metrics=theirs.metrics) as server,
            Client(hub.network("ours"), metrics=ours.metrics) as client,
        ):
            network.start(server)
            client.network.start(client)
            client.network.connect("/loopback/theirs")
            assert len(list(client.get_blocks(cids_of(blocks), timeout=SECONDS))) == 3
    assert ours.now.histogram("recv_all_blocks_bytes") == (3, 12_000)
    assert theirs.now.histogram("sent_all_blocks_bytes")[1] == 12_000


async def _fetch(side: Side) -> None:
    (block,) = make_blocks(1, 500)
    with LoopbackHub() as hub, Bitswap(hub.network("theirs"), MemoryBlockstore()) as holder:
        holder.add_block(block)
        async with AsyncBitswap(hub.network("ours"), MemoryBlockstore(), metrics=side.metrics) as node:
            await node.connect("/loopback/theirs")
            await node.get_block(block.cid, timeout=SECONDS)


def test_the_node_for_asyncio() -> None:
    side = Side()
    asyncio.run(_fetch(side))
    assert side.now.histogram("recv_all_blocks_bytes") == (1, 500)


class Clocked:
    """Metrics that write down what they are told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def answers_sent(self, size: int, seconds: float) -> None:
        self.told.append(("sent", size, seconds))

    def answers_failed(self, seconds: float) -> None:
        self.told.append(("failed", seconds))

    def wants_sent(self, entries: int, seconds: float) -> None:
        self.told.append(("wants", entries, seconds))


@pytest.mark.parametrize("implementation", sorted(implementations()))
def test_times_and_sizes_of_sends(implementation: str) -> None:
    make = implementations()[implementation].Message
    clock, notes = VirtualClock(), Clocked()
    outcomes: list[BaseException | None] = []
    answer, asking, empty = make(), make(), make()
    blocks = make_blocks(3, 100)
    answer.add_block(blocks[0])
    answer.add_have(blocks[1].cid)
    asking.add_entry(blocks[0].cid, 1, WantType.BLOCK, True)
    asking.cancel(blocks[1].cid)
    done = answers_timed(notes, answer, clock.now, outcomes.append)  # type: ignore[arg-type]
    clock.advance(2.5)
    done(None)
    error = RemoteError("no")
    done = answers_timed(notes, answer, clock.now, outcomes.append)  # type: ignore[arg-type]
    clock.advance(1.5)
    done(error)
    done = wants_timed(notes, asking, clock.now, outcomes.append)  # type: ignore[arg-type]
    clock.advance(0.5)
    done(error)
    assert wants_timed(notes, empty, clock.now, outcomes.append) == outcomes.append  # type: ignore[arg-type]
    assert outcomes == [None, error, error]
    size = answer.size()
    assert 100 < size < 150
    assert notes.told == [("sent", size, 2.5), ("failed", 1.5), ("wants", 2, 0.5)]


class Quiet(Metrics):
    """Overrides nothing."""


class Broken(Metrics):
    def blocks_received(self, sizes: Sequence[int]) -> None:
        raise RuntimeError("broken")

    def answers_sent(self, size: int, seconds: float) -> None:
        raise RuntimeError("broken")


@pytest.mark.parametrize("told", [Quiet(), Broken()], ids=["quiet", "broken"])
def test_metrics_of_ones_own_need_not_care_for_everything(
    told: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Bitswap(Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"]), MemoryBlockstore(), metrics=told) as holder,
        Bitswap(Libp2pNetwork(), MemoryBlockstore(), metrics=told) as node,
    ):
        (block,) = make_blocks(1)
        holder.add_block(block)
        node.connect(holder.network.addrs[0])
        assert node.get_block(block.cid, timeout=SECONDS) == block
    assert ("the metrics failed" in caplog.text) == isinstance(told, Broken)


def test_a_network_is_observed_from_its_start_on() -> None:
    with metrics() as (told, _):
        network = Libp2pNetwork()
        assert network.gauges() == (0,)
        network.observe(told)
        network.start(Silent())
        try:
            with pytest.raises(UsageError):
                network.observe(told)
        finally:
            network.close()
