"""Whole nodes that exchange blocks: what comes, what is counted, what stays wanted."""

from __future__ import annotations

import pytest

from bitswap.message import Message
from bitswap.options import ServerOptions
from bitswap.testnet import VirtualNetwork, VirtualNode
from bitswap.testutils import cids_of, make_blocks
from tests.fetching.swarm import arrives, at_peers, came, leftovers, swarm
from tests.sizes import LONG

pytestmark = pytest.mark.usefixtures("implementation")


def served(node: VirtualNode) -> tuple[int, int]:
    """Blocks and bytes that a node has sent."""
    assert node.engine is not None
    return node.engine.stat.blocks_sent, node.engine.stat.data_sent


def fetched(node: VirtualNode) -> tuple[int, int]:
    stat = node.wants.stat()
    return stat.blocks_received, stat.data_received


def account(node: VirtualNode, peer: VirtualNode) -> tuple[int, int, int, float]:
    """Bytes sent to and received from a peer, blocks exchanged, and the debt ratio."""
    assert node.engine is not None
    receipt = node.engine.ledger_for_peer(peer.name)
    return receipt.sent, receipt.recv, receipt.exchanged, receipt.value


@pytest.mark.parametrize(("nodes", "count"), [(100 if LONG else 40, 2), (10, 100), (2, 100)])
def test_a_swarm_fetches_what_one_of_it_has(nodes: int, count: int) -> None:
    """Everybody asks everybody and gives on what it has got."""
    net, (first, *others) = swarm(nodes, server=ServerOptions(task_workers=5))
    blocks = make_blocks(count, 4000)
    first.add(*blocks)
    fetches = [node.fetch(cids_of(blocks), keep=True) for node in others]
    assert net.run(lambda: all(fetch.done for fetch in fetches), seconds=30)
    for node, fetch in zip(others, fetches, strict=True):
        came(fetch, blocks)
        assert node.blocks.keys() == first.blocks.keys()
    net.run(seconds=10)
    assert leftovers(net) == []


def test_a_block_from_somebody_who_was_not_asked_is_taken_by_whoever_waits() -> None:
    """Even from a peer that the node does not know as connected: what counts is the data."""
    net = VirtualNetwork()
    lone = net.node("lone")
    blocks = make_blocks(5, 4)
    fetch = lone.fetch(cids_of(blocks))
    net.run(seconds=0.02)
    message = Message()
    message.add_block(blocks[4])
    lone.message_received("stranger", message)
    assert fetch.blocks == blocks[4:]
    assert lone.wants.wantlist() == cids_of(blocks[:4])
    assert lone.wants.peers() == []


def test_after_an_exchange_everybody_has_counted_it_and_nobody_wants_anything() -> None:
    net, (giver, taker, bystander) = swarm(3)
    (block,) = make_blocks(1, 4)
    giver.add(block)
    fetch = taker.fetch([block.cid])
    arrives(net, fetch, [block], within=5)
    assert taker.wants.wantlist() == []
    net.run(seconds=5)
    assert leftovers(net) == []
    assert [served(node) for node in (giver, taker, bystander)] == [(1, 4), (0, 0), (0, 0)]
    assert [fetched(node) for node in (giver, taker, bystander)] == [(0, 0), (1, 4), (0, 0)]


class TestWhatStaysWanted:
    def test_nothing_of_a_request_that_is_given_up(self) -> None:
        net, (ours, other) = swarm(2)
        absent = cids_of(make_blocks(20))
        for count in (1, 10):
            fetch = ours.fetch(absent[:count])
            net.run(seconds=0.05)
            assert at_peers(net, ours) == {other.name: count}
            fetch.close()
            assert ours.wants.wantlist() == []
            net.run(seconds=0.1)
            assert leftovers(net) == []

    def test_what_another_request_wants(self) -> None:
        net, (ours, other) = swarm(2)
        absent = cids_of(make_blocks(11))
        ours.fetch(absent[:1])
        fetch = ours.fetch(absent[1:])
        net.run(seconds=0.05)
        assert set(ours.wants.wantlist()) == set(absent)
        assert at_peers(net, ours) == {other.name: 11}
        fetch.close()
        net.run(seconds=0.1)
        assert ours.wants.wantlist() == absent[:1]
        assert other.engine is not None
        assert other.engine.wantlist_for_peer(ours.name) == absent[:1]


class TestAccounts:
    def test_one_way(self) -> None:
        net, (giver, taker) = swarm(2)
        (block,) = make_blocks(1, 4)
        giver.add(block)
        arrives(net, taker.fetch([block.cid]), [block])
        net.run(seconds=1)
        assert account(giver, taker) == (4, 0, 1, 4.0)
        assert account(taker, giver) == (0, 4, 1, 0.0)

    def test_both_ways(self) -> None:
        net, (one, other) = swarm(2)
        blocks = make_blocks(2, 4)
        one.add(blocks[0])
        other.add(blocks[1])
        arrives(net, other.fetch([blocks[0].cid]), blocks[:1])
        arrives(net, one.fetch([blocks[1].cid]), blocks[1:])
        net.run(seconds=1)
        assert account(one, other) == account(other, one) == (4, 4, 2, 4 / 5)


class TestANodeThatOnlyFetches:
    def test_gets_blocks_and_gives_none(self) -> None:
        net = VirtualNetwork()
        whole, half = net.node("whole"), net.node("half", serves=False)
        net.connect(whole, half)
        theirs, ours = make_blocks(2, 100)
        whole.add(theirs)
        half.add(ours)
        arrives(net, half.fetch([theirs.cid]), [theirs], within=5)
        fetch = whole.fetch([ours.cid])
        assert not net.run(lambda: fetch.done, seconds=30)
        assert fetched(half) == (1, 100)
        assert fetched(whole) == (0, 0)
        fetch.close()
        net.run(seconds=5)
        assert leftovers(net) == []

    def test_hears_of_its_own_blocks(self) -> None:
        net = VirtualNetwork()
        half = net.node(serves=False)
        (block,) = make_blocks(1)
        fetch = half.fetch([block.cid])
        half.add(block)
        assert fetch.done
        came(fetch, [block])
