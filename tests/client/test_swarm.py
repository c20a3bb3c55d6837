"""Whole nodes, both halves and the wire between them, under a virtual clock."""

from __future__ import annotations

from itertools import count

import pytest

from bitswap.block import Block
from bitswap.message import Message
from bitswap.options import ClientOptions, ServerOptions
from bitswap.testnet import Fetch, VirtualNetwork, VirtualNode, internet, normal
from bitswap.testutils import cids_of, make_blocks

SEEDS = range(5)


def pair(
    seed: int = 0, *, latency: float = 0.01, **options: object
) -> tuple[VirtualNetwork, VirtualNode, VirtualNode]:
    """A fetching and a serving node, connected."""
    net = VirtualNetwork(seed)
    ours, theirs = net.node("ours", **options), net.node("theirs")
    net.connect(ours, theirs, latency=latency)
    return net, ours, theirs


def check(fetch: Fetch, blocks: list[Block]) -> None:
    """Everything came, once, and with the right data."""
    assert fetch.done
    assert sorted(cids_of(fetch.blocks)) == sorted(cids_of(blocks))
    for block in fetch.blocks:
        block.verify()


def at_rest(*nodes: VirtualNode) -> bool:
    """Nobody wants anything of anybody, and nobody believes so."""
    return all(
        not node.wants.wantlist()
        and not any(node.wants.outstanding(peer) for peer in node.wants.peers())
        and (node.engine is None or not node.engine.peers())
        for node in nodes
    )


class TestTwoNodes:
    @pytest.mark.parametrize("size", [0, 1, 1024, 1025, 300_000, 2 * 1024 * 1024])
    def test_one_block_takes_one_round_trip(self, size: int) -> None:
        net, ours, theirs = pair()
        (block,) = make_blocks(1, size)
        theirs.add(block)
        fetch = ours.fetch([block.cid])
        assert net.run(lambda: fetch.done)
        check(fetch, [block])
        assert fetch.finished_at == pytest.approx(0.02)
        assert (ours.sent, theirs.sent) == (1, 1)

    def test_want_first_and_block_later(self) -> None:
        net, ours, theirs = pair()
        (block,) = make_blocks(1)
        fetch = ours.fetch([block.cid])
        assert not net.run(lambda: fetch.done, seconds=0.5)
        theirs.add(block)
        assert net.run(lambda: fetch.done, seconds=0.02)

    def test_connected_later(self) -> None:
        net = VirtualNetwork()
        ours, theirs = net.node(), net.node()
        blocks = make_blocks(100)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of(blocks))
        net.run(seconds=20)
        net.connect(ours, theirs)
        assert net.run(lambda: fetch.done, seconds=0.1)
        check(fetch, blocks)

    @pytest.mark.parametrize("size", [16, 1000, 20_000])
    def test_five_thousand_blocks_in_one_call(self, size: int) -> None:
        net, ours, theirs = pair()
        blocks = make_blocks(5000, size)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of(blocks))
        assert net.run(lambda: fetch.done)
        check(fetch, blocks)
        assert fetch.session.duplicates == 0
        assert theirs.largest_wantlist["ours"] <= 1000
        net.run(seconds=10)
        assert at_rest(ours, theirs)

    @pytest.mark.slow
    def test_fifty_thousand_blocks_in_one_call(self) -> None:
        net, ours, theirs = pair(serves=False)
        blocks = make_blocks(50_000, 32)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of(blocks))
        assert net.run(lambda: fetch.done, seconds=100)
        check(fetch, blocks)
        assert theirs.largest_wantlist["ours"] <= 1000

    def test_a_server_that_holds_few_wants(self) -> None:
        """What a server cannot keep is asked again, so nothing stalls at its cap."""
        net = VirtualNetwork()
        ours = net.node("ours")
        theirs = net.node("theirs", server=ServerOptions(max_wantlist_entries=64, min_wantlist_entries=64))
        net.connect(ours, theirs)
        blocks = make_blocks(1000, 500)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of(blocks))
        assert net.run(lambda: fetch.done, seconds=60)
        check(fetch, blocks)

    def test_a_server_that_drops_wants_without_a_word(self) -> None:
        net = VirtualNetwork()
        ours = net.node("ours")
        server = ServerOptions(max_wantlist_entries=64, min_wantlist_entries=64, send_dont_haves=False)
        theirs = net.node("theirs", server=server)
        net.connect(ours, theirs)
        blocks = make_blocks(300, 500)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of(blocks))
        assert net.run(lambda: fetch.done, seconds=120)
        check(fetch, blocks)

    def test_both_fetch_from_each_other(self) -> None:
        net, ours, theirs = pair()
        first, second = make_blocks(500, 2000, "first"), make_blocks(500, 2000, "second")
        ours.add(*first)
        theirs.add(*second)
        fetches = [ours.fetch(cids_of(second)), theirs.fetch(cids_of(first))]
        assert net.run(lambda: all(fetch.done for fetch in fetches))
        check(fetches[0], second)
        check(fetches[1], first)

    def test_an_endless_source_is_read_as_far_as_needed(self) -> None:
        net, ours, theirs = pair(client=ClientOptions(window_blocks=50))
        blocks = make_blocks(1000, 100)
        theirs.add(*blocks)
        read = count()

        def source() -> object:
            for block in blocks:
                next(read)
                yield block.cid

        fetch = ours.fetch(source(), pause=0.01)  # type: ignore[arg-type]
        net.run(lambda: len(fetch.blocks) >= 200)
        assert next(read) <= len(fetch.blocks) + 51
        assert net.run(lambda: fetch.done)
        check(fetch, blocks)

    def test_repeated_cids_come_once(self) -> None:
        net, ours, theirs = pair()
        blocks = make_blocks(10)
        theirs.add(*blocks)
        fetch = ours.fetch([*cids_of(blocks), *cids_of(blocks)])
        assert net.run(lambda: fetch.done)
        check(fetch, blocks)

    def test_two_requests_for_the_same(self) -> None:
        net, ours, theirs = pair()
        blocks = make_blocks(50)
        theirs.add(*blocks)
        session = ours.session()
        fetches = [
            ours.fetch(cids_of(blocks), session),
            ours.fetch(cids_of(blocks), session),
            ours.fetch(cids_of(blocks)),
        ]
        assert net.run(lambda: all(fetch.done for fetch in fetches))
        for fetch in fetches:
            check(fetch, blocks)
        assert ours.wants.stat().blocks_received == 50


class TestSlowConsumer:
    def test_holds_no_more_than_its_window(self) -> None:
        options = ClientOptions(window_blocks=100)
        net, ours, theirs = pair(client=options)
        blocks = make_blocks(2000, 1000)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of(blocks), pause=0.01)
        assert net.run(lambda: fetch.done)
        check(fetch, blocks)
        assert fetch.most_held <= 100
        assert fetch.finished_at == pytest.approx(20.0, rel=0.1)

    def test_nor_more_bytes(self) -> None:
        options = ClientOptions(window_bytes=4_000_000)
        net, ours, theirs = pair(client=options)
        blocks = make_blocks(60, 1_000_000)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of(blocks), pause=0.1)
        net.run(lambda: len(fetch.blocks) > 20)
        fetch.most_held = 0
        assert net.run(lambda: fetch.done)
        check(fetch, blocks)
        assert fetch.most_held <= 4

    def test_does_not_hold_others_up(self) -> None:
        net, ours, theirs = pair()
        slow, quick = make_blocks(500, 1000, "slow"), make_blocks(500, 1000, "quick")
        theirs.add(*slow, *quick)
        first = ours.fetch(cids_of(slow), pause=1.0)
        second = ours.fetch(cids_of(quick))
        assert net.run(lambda: second.done, seconds=1.0)
        assert not first.done


class TestManyNodes:
    @pytest.mark.parametrize("seed", SEEDS)
    @pytest.mark.parametrize("peers", [2, 3, 12])
    def test_everybody_has_everything(self, seed: int, peers: int) -> None:
        net = VirtualNetwork(seed, delay=normal(0.05, 0.02))
        ours = net.node("ours")
        seeds = [net.node() for _ in range(peers)]
        blocks = make_blocks(500, 8000)
        for node in seeds:
            node.add(*blocks)
            net.connect(ours, node, rate=2_000_000)
        fetch = ours.fetch(cids_of(blocks))
        assert net.run(lambda: fetch.done)
        check(fetch, blocks)
        assert fetch.session.duplicates <= 5
        # 4 MB, which one of them alone would need 2 s for.
        assert fetch.finished_at is not None
        assert fetch.finished_at < 2.0 / peers + 0.8
        net.run(seconds=10)
        assert at_rest(ours, *seeds)

    @pytest.mark.parametrize("seed", SEEDS)
    @pytest.mark.parametrize("peers", [2, 9])
    def test_every_block_with_one_peer(self, seed: int, peers: int) -> None:
        net = VirtualNetwork(seed, delay=normal(0.05, 0.02))
        ours = net.node("ours")
        seeds = [net.node() for _ in range(peers)]
        blocks = make_blocks(300, 8000)
        for block in blocks:
            net.random.choice(seeds).add(block)
        net.mesh()
        fetch = ours.fetch(cids_of(blocks))
        assert net.run(lambda: fetch.done, seconds=5)
        check(fetch, blocks)
        assert fetch.session.duplicates == 0
        net.run(seconds=10)
        assert at_rest(ours, *seeds)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_everybody_fetches_from_everybody(self, seed: int) -> None:
        net = VirtualNetwork(seed, delay=normal(0.05, 0.02))
        nodes = [net.node() for _ in range(12)]
        blocks = make_blocks(120, 2000)
        for place, block in enumerate(blocks):
            nodes[place % 12].add(block)
        net.mesh()
        fetches = []
        for node in nodes:
            missing = [cid for cid in cids_of(blocks) if cid not in node.blocks]
            fetches.append(node.fetch(missing))
        assert net.run(lambda: all(fetch.done for fetch in fetches))
        assert all(len(fetch.blocks) == 110 for fetch in fetches)

    def test_a_large_swarm(self) -> None:
        """All fetch from one that they all know, and from each other as they get it (boxo LargeSwarm)."""
        net = VirtualNetwork(5, delay=internet(0.06, 0.02, medium=0.14, medium_share=0.3))
        nodes = [net.node() for _ in range(60)]
        blocks = make_blocks(4, 1000)
        nodes[0].add(*blocks)
        net.mesh()
        fetches = [node.fetch(cids_of(blocks)) for node in nodes[1:]]
        assert net.run(lambda: all(fetch.done for fetch in fetches), seconds=20)
        for fetch in fetches:
            check(fetch, blocks)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_fast_peers_bring_more(self, seed: int) -> None:
        net = VirtualNetwork(seed)
        ours, fast, slow = net.node("ours"), net.node("fast"), net.node("slow")
        blocks = make_blocks(1000, 20_000)
        for node, rate in ((fast, 10_000_000), (slow, 1_000_000)):
            node.add(*blocks)
            net.connect(ours, node, rate=rate)
        fetch = ours.fetch(cids_of(blocks))
        assert net.run(lambda: fetch.done)
        check(fetch, blocks)
        peers = fetch.session.peers.statistics()
        assert peers["fast"].blocks > 5 * peers["slow"].blocks
        # 20 MB at 11 MB/s together; the slow one alone would take 20 s.
        assert fetch.finished_at is not None
        assert fetch.finished_at < 4.0

    @pytest.mark.parametrize("seed", SEEDS)
    def test_old_peers(self, seed: int) -> None:
        """Peers that know neither HAVE nor DONT_HAVE, with half of the blocks each."""
        net = VirtualNetwork(seed)
        ours = net.node("ours")
        old = [net.node(legacy=True), net.node(legacy=True)]
        blocks = make_blocks(60, 4000)
        old[0].add(*blocks[:40])
        old[1].add(*blocks[20:])
        net.mesh()
        fetch = ours.fetch(cids_of(blocks))
        assert net.run(lambda: fetch.done, seconds=30)
        check(fetch, blocks)


class TestCancelling:
    def test_withdraws_what_was_asked(self) -> None:
        net, ours, theirs = pair()
        absent = cids_of(make_blocks(30))
        fetch = ours.fetch(absent)
        net.run(seconds=0.5)
        assert theirs.engine is not None
        assert len(theirs.engine.wantlist_for_peer("ours")) == 30
        fetch.cancel(absent[:10])
        net.run(seconds=0.5)
        assert sorted(theirs.engine.wantlist_for_peer("ours")) == sorted(absent[10:])
        fetch.close()
        net.run(seconds=ours.wants.options.cancel_delay + 0.1)
        assert at_rest(ours, theirs)

    def test_leaves_what_another_request_wants(self) -> None:
        net, ours, theirs = pair()
        blocks = make_blocks(20)
        session = ours.session()
        first = ours.fetch(cids_of(blocks), session)
        second = ours.fetch(cids_of(blocks[10:]), session)
        net.run(seconds=0.5)
        first.close()
        net.run(seconds=0.5)
        theirs.add(*blocks)
        assert net.run(lambda: second.done)
        check(second, blocks[10:])
        assert ours.wants.stat().blocks_received == 10

    def test_in_the_middle(self) -> None:
        net, ours, theirs = pair()
        blocks = make_blocks(3000, 20_000)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of(blocks))
        net.run(lambda: len(fetch.blocks) > 100)
        fetch.close()
        net.run(seconds=10)
        assert at_rest(ours, theirs)

    def test_own_blocks_end_the_search(self) -> None:
        net, ours, theirs = pair()
        blocks = make_blocks(5)
        fetch = ours.fetch(cids_of(blocks))
        net.run(seconds=3.0)
        ours.add(*blocks)
        assert fetch.done
        net.run(seconds=1.0)
        assert at_rest(ours, theirs)


class TestFailing:
    def test_dont_have_everywhere(self) -> None:
        net = VirtualNetwork()
        ours = net.node("ours")
        others = [net.node(f"p{index}") for index in range(6)]
        blocks = make_blocks(20)
        for node in others:
            node.add(*blocks[:15])
        net.mesh()
        fetch = ours.fetch(cids_of(blocks), peers=others, broadcast=False)
        assert net.run(lambda: fetch.done, seconds=1)
        assert sorted(cids_of(fetch.blocks)) == sorted(cids_of(blocks[:15]))
        assert sorted(fetch.missing) == sorted(cids_of(blocks[15:]))
        assert fetch.reasons == {node.name: "answered DONT_HAVE" for node in others}

    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_peer_lost_on_the_way(self, seed: int) -> None:
        net = VirtualNetwork(seed, delay=normal(0.02, 0.01))
        ours = net.node("ours")
        others = [net.node(f"p{index}") for index in range(3)]
        blocks = make_blocks(2000, 2000)
        for node in others:
            node.add(*blocks)
        net.mesh()
        fetch = ours.fetch(cids_of(blocks))
        net.run(lambda: len(fetch.blocks) > 300)
        net.disconnect(ours, others[seed % 3], "cut")
        lost_at = net.clock.now()
        assert net.run(lambda: fetch.done)
        check(fetch, blocks)
        assert net.clock.now() - lost_at < 1.0

    def test_the_only_peer_lost_on_the_way(self) -> None:
        net, ours, theirs = pair()
        blocks = make_blocks(2000, 20_000)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of(blocks), peers=[theirs], broadcast=False)
        net.run(lambda: len(fetch.blocks) > 300)
        net.disconnect(ours, theirs, "cut")
        assert fetch.done
        assert fetch.lost
        assert fetch.reasons == {"theirs": "connection lost: cut"}
        assert len(fetch.blocks) + len(fetch.missing) == 2000

    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_peer_that_falls_silent(self, seed: int) -> None:
        net = VirtualNetwork(seed)
        ours, silent, other = net.node("ours"), net.node("silent"), net.node("other")
        blocks = make_blocks(1000, 2000)
        silent.add(*blocks)
        other.add(*blocks)
        net.mesh(ours, silent)
        net.mesh(ours, other)
        fetch = ours.fetch(cids_of(blocks))
        net.run(lambda: len(fetch.blocks) > 100)
        silent.mute = True
        assert net.run(lambda: fetch.done, seconds=10)
        check(fetch, blocks)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_peers_come_and_go(self, seed: int) -> None:
        net = VirtualNetwork(seed, delay=normal(0.03, 0.02))
        ours = net.node("ours")
        others = [net.node() for _ in range(6)]
        blocks = make_blocks(800, 3000)
        for block in blocks:
            for node in net.random.sample(others, 2):
                node.add(block)
        net.mesh()

        def flap() -> None:
            node = net.random.choice(others)
            net.disconnect(ours, node, "flap")
            net.at(net.random.random() / 10, lambda: net.connect(ours, node))
            if not fetch.done:
                net.at(net.random.random() / 20, flap)

        fetch = ours.fetch(cids_of(blocks))
        flap()
        assert net.run(lambda: fetch.done, seconds=120)
        check(fetch, blocks)
        net.run(seconds=10)
        assert at_rest(ours)


def test_unasked_blocks_are_counted_and_dropped() -> None:
    net, ours, theirs = pair()
    blocks = make_blocks(5)
    message = Message()
    for block in blocks:
        message.add_block(block)
    net.send(theirs, "ours", message, lambda error: None)
    net.run(seconds=1)
    assert ours.wants.unwanted("theirs") == 5
    assert ours.wants.stat().blocks_received == 5
    assert not ours.blocks


def test_duplicates_are_counted() -> None:
    """A block that two peers send, because the first was silent for long."""
    net = VirtualNetwork()
    ours, slow, other = net.node("ours"), net.node("slow"), net.node("other")
    (block,) = make_blocks(1, 50_000)
    slow.add(block)
    other.add(block)
    net.connect(ours, slow, latency=4.0)
    net.connect(ours, other, latency=2.9)
    fetch = ours.fetch([block.cid])
    assert net.run(lambda: fetch.done)
    net.run(seconds=30)
    assert fetch.session.duplicates == 1
    assert ours.wants.stat().dup_blocks_received == 1
    assert ours.wants.stat().dup_data_received == 50_000


def test_wants_at_a_peer_are_bounded_over_all_requests() -> None:
    net, ours, theirs = pair()
    absent = cids_of(make_blocks(3000))
    blocks = make_blocks(100, 100, "present")
    theirs.add(*blocks)
    lost = [ours.fetch(absent[start : start + 100]) for start in range(0, 3000, 100)]
    fetch = ours.fetch(cids_of(blocks))
    assert net.run(lambda: fetch.done, seconds=5)
    check(fetch, blocks)
    net.run(seconds=60)
    assert theirs.largest_wantlist["ours"] <= 1000
    for request in lost:
        request.close()
    net.run(seconds=10)
    assert at_rest(ours, theirs)


def test_no_message_for_every_block() -> None:
    """Cancels of what arrived travel with wants."""
    net, ours, theirs = pair()
    blocks = make_blocks(200, 1000)
    theirs.add(*blocks)
    session = ours.session()
    for block in blocks:
        fetch = ours.fetch([block.cid], session)
        assert net.run(lambda fetch=fetch: fetch.done)  # type: ignore[misc]
    assert ours.sent == 200
    net.run(seconds=2)
    assert ours.sent == 201
