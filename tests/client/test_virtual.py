"""The virtual network itself: time, order, rates, cuts, and that a seed repeats a run."""

from __future__ import annotations

import random

import pytest

from bitswap.errors import UsageError
from bitswap.testnet import VirtualNetwork, fixed, internet, normal
from bitswap.testutils import cids_of, make_blocks


def test_delays_are_never_negative() -> None:
    rng = random.Random(1)
    assert fixed(0.5)(rng) == 0.5
    assert all(normal(0.0, 1.0)(rng) >= 0 for _ in range(100))
    way = internet(0.06, 0.0, medium=0.14, large=0.74, medium_share=0.3, large_share=0.3)
    drawn = [round(way(rng), 2) for _ in range(1000)]
    assert set(drawn) == {0.06, 0.2, 0.8}
    assert 200 < drawn.count(0.2) < 400
    assert 200 < drawn.count(0.8) < 400


def test_events_happen_in_order_and_time_passes_without_them() -> None:
    net = VirtualNetwork()
    seen: list[object] = []
    net.at(2.0, lambda: seen.append("late"))
    net.at(1.0, lambda: seen.append("first"))
    net.at(1.0, lambda: seen.append("second"))
    assert net.run(lambda: "second" in seen)
    assert (seen, net.clock.now()) == (["first", "second"], 1.0)
    assert not net.run(seconds=0.5)
    assert (len(seen), net.clock.now()) == (2, 1.5)
    assert not net.run(lambda: False, seconds=10)
    assert (seen[-1], net.clock.now()) == ("late", 11.5)


def test_a_node_has_one_name() -> None:
    net = VirtualNetwork()
    net.node("x")
    with pytest.raises(UsageError):
        net.node("x")


def test_latency_and_rate_are_those_of_the_link() -> None:
    net = VirtualNetwork()
    ours, theirs = net.node(), net.node()
    net.connect(ours, theirs, latency=0.05, rate=100_000)
    (block,) = make_blocks(1, 100_000)
    theirs.add(block)
    fetch = ours.fetch([block.cid])
    assert net.run(lambda: fetch.done)
    assert fetch.finished_at == pytest.approx(0.1 + 1.0, rel=0.01)
    assert net.link(theirs, ours).bytes > 100_000
    assert net.link(ours, theirs).messages == 1


def test_what_is_under_way_is_lost_with_the_link() -> None:
    net = VirtualNetwork()
    ours, theirs = net.node(), net.node()
    net.connect(ours, theirs, latency=1.0)
    (block,) = make_blocks(1)
    theirs.add(block)
    fetch = ours.fetch([block.cid])
    net.run(seconds=1.5)
    net.disconnect(ours, theirs)
    assert not net.run(lambda: fetch.done, seconds=30)
    net.connect(ours, theirs, latency=1.0)
    assert net.run(lambda: fetch.done, seconds=3)


def history(seed: int) -> tuple[object, ...]:
    net = VirtualNetwork(seed, delay=normal(0.05, 0.03))
    nodes = [net.node() for _ in range(6)]
    blocks = make_blocks(60, 3000)
    for block in blocks:
        net.random.choice(nodes[1:]).add(block)
    net.mesh()
    fetch = nodes[0].fetch(cids_of(blocks))
    assert net.run(lambda: fetch.done)
    return fetch.finished_at, cids_of(fetch.blocks), net.events


def test_a_seed_repeats_a_run() -> None:
    assert history(3) == history(3)
    assert history(3) != history(4)
