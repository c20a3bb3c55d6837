"""Numbers of the fetching half's machine, by itself and in virtual swarms."""

from __future__ import annotations

from bitswap.deadlines import Deadlines
from bitswap.message import Message
from bitswap.metrics import ClientGauges
from bitswap.options import ClientOptions
from bitswap.peermanager import PeerManager
from bitswap.testnet import VirtualNetwork
from bitswap.testutils import cids_of, make_blocks
from tests.client.harness import Harness
from tests.metrics.scraping import metrics, scrape

NOTHING = ClientGauges(0, 0, 0, 0, 0, 0)


def test_wants_are_counted_once_however_many_want_them_and_are_asked() -> None:
    net = Harness("p", "q")
    blocks = make_blocks(6)
    cids = cids_of(blocks)
    assert net.machine.gauges() == NOTHING
    first = net.want(cids[:4], peers=["p"], broadcast=False)
    second = net.want(cids[2:], peers=["q"], broadcast=False)
    net.sent()
    assert net.machine.gauges() == NOTHING._replace(wantlist_total=6, want_blocks_total=6)
    net.answer("p", dont_haves=cids[:1])
    found = net.machine.gauges()
    assert (found.wantlist_total, found.want_blocks_total) == (5, 5), "nobody else may be asked"
    net.answer("p", blocks=blocks[1:3])
    found = net.machine.gauges()
    assert (found.wantlist_total, found.want_blocks_total, found.blocks_received) == (3, 3, 2)
    net.machine.close(first, net.now)
    assert net.machine.gauges().wantlist_total == 3
    net.machine.close(second, net.now)
    net.sent()
    assert net.machine.gauges() == NOTHING._replace(blocks_received=2)


def test_haves_count_where_somebody_waits() -> None:
    net = Harness(*(f"p{index}" for index in range(6)))
    cids = cids_of(make_blocks(3))
    subscription = net.want(cids)
    net.sent()
    net.answer("p1", haves=[*cids[:2], *cids_of(make_blocks(2, seed="never wanted"))])
    assert net.machine.gauges().haves_received == 2
    net.machine.close(subscription, net.now)
    net.answer("p2", haves=cids)
    assert net.machine.gauges().haves_received == 2


def test_a_broadcast_counts_once_it_was_sent() -> None:
    names = [f"p{index}" for index in range(6)]
    peers = PeerManager(ClientOptions(), Deadlines())
    asks = [(cid, 1) for cid in cids_of(make_blocks(3))]
    for name in names:
        peers.connected(name)
        peers.want_haves(name, asks, dont_have=False)
    peers.want_haves("p0", [(cid, 1) for cid in cids_of(make_blocks(5, seed="asked"))], dont_have=True)
    peers.want_blocks("p1", [(cid, 1) for cid in cids_of(make_blocks(5, seed="blocks"))])
    outgoing = peers.outgoing(0.0)
    assert [message.entry_count for _, message, _ in outgoing] == [8, 8, 3, 3, 3, 3]
    assert peers.wanthaves_broadcast == 0
    for _, _, queue in outgoing[:4]:
        peers.message_sent(queue, 0.0)
    for _, _, queue in outgoing[4:]:
        peers.message_failed(queue, 0.0)
    assert peers.wanthaves_broadcast == 4 * 3
    peers.disconnected("p0")
    assert peers.wanthaves_broadcast == 4 * 3, "what was sent stays counted"
    for _, _, queue in peers.outgoing(60.0):
        peers.message_sent(queue, 60.0)
    for _, _, queue in outgoing[4:]:
        peers.touch(queue)
    for _, _, queue in peers.outgoing(60.0):
        peers.message_sent(queue, 60.0)
    assert peers.wanthaves_broadcast == 6 * 3


def test_peers_left_out_count_once_a_round() -> None:
    net = Harness(*(f"p{index}" for index in range(6)))
    subscription = net.want(cids_of(make_blocks(2)), peers=["p0"], broadcast=False)
    patience = net.options.dont_have_timeout
    net.wait(patience * 0.9)
    assert net.machine.gauges().bcast_skips_total == 0
    net.wait(patience * 0.2)
    assert net.machine.gauges().bcast_skips_total == 5, "p0 is silent, and the five others are not asked"
    net.answer("p0", haves=cids_of(make_blocks(1)))
    net.want(cids_of(make_blocks(1, seed="more")), subscription.session)
    assert net.machine.gauges().bcast_skips_total == 5
    net.wait(60.0)
    assert net.machine.gauges().bcast_skips_total in range(10, 30, 5)
    assert subscription.missing


def test_in_a_virtual_swarm() -> None:
    net = VirtualNetwork(seed=1)
    ours, holder = net.node(), net.node()
    for other in (holder, *(net.node() for _ in range(5))):
        net.connect(ours, other)
    blocks = make_blocks(20, 5000)
    holder.add(*blocks)
    with metrics() as (told, registry):
        end = told.watch_client(ours.wants.gauges)
        fetch = ours.fetch(cids_of(blocks))
        during = scrape(registry)
        assert net.run(lambda: fetch.done)
        after = scrape(registry)
        end()
        ended = scrape(registry)
    assert (during["wantlist_total"], during["blocks_received"], during["haves_received"]) == (20, 0, 0)
    for found in (after, ended):
        assert (found["wantlist_total"], found["want_blocks_total"], found["blocks_received"]) == (0, 0, 20)
        assert 0 <= found["haves_received"] <= 20


def test_many_wants_at_many_peers_are_counted_in_one_look() -> None:
    """The gauge is the number of different CIDs, also where two sessions ask two peers for one block."""
    net = Harness("p", "q")
    cids = cids_of(make_blocks(100))
    net.want(cids, peers=["p"], broadcast=False)
    net.want(cids, peers=["q"], broadcast=False)
    sent = net.sent()
    assert sum(len(said.blocks) for said in sent.values()) == 200
    assert net.machine.gauges().want_blocks_total == 100


def test_an_empty_message_changes_nothing() -> None:
    net = Harness("p")
    net.machine.message_received("p", Message(), net.now)
    assert net.machine.gauges() == NOTHING
