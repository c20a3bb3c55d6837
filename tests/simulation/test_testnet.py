"""The virtual network under the simulations: rates, order, pacing, cuts, and nodes made in numbers."""

from __future__ import annotations

from random import Random

import pytest

from bitswap.message import Message
from bitswap.options import ServerOptions
from bitswap.testinstance import virtual_instances
from bitswap.testnet import (
    TokenBucket,
    VirtualNetwork,
    VirtualNode,
    fixed,
    fixed_rate,
    normal_rate,
    uniform,
)
from bitswap.testutils import cids_of, make_blocks


class TestTokenBucket:
    def test_begins_empty(self) -> None:
        assert TokenBucket(100.0, now=5.0).take(50, 5.0) == pytest.approx(0.5)

    def test_fills_while_nothing_is_taken(self) -> None:
        bucket = TokenBucket(100.0, now=0.0)
        assert bucket.take(30, 0.5) == 0.0
        assert bucket.take(30, 0.5) == pytest.approx(0.1)

    def test_holds_one_second(self) -> None:
        bucket = TokenBucket(100.0, now=0.0)
        assert bucket.take(100, 60.0) == 0.0
        assert bucket.take(100, 60.0) == pytest.approx(1.0)

    def test_the_next_one_waits_behind(self) -> None:
        bucket = TokenBucket(100.0, now=0.0)
        assert [bucket.take(100, 0.0) for _ in range(3)] == pytest.approx([1.0, 2.0, 3.0])
        assert bucket.take(100, 3.0) == pytest.approx(1.0)


def test_rates_are_positive() -> None:
    rng = Random(1)
    assert fixed_rate(7.0)(rng) == 7.0
    assert all(normal_rate(1.0, 100.0)(rng) >= 1.0 for _ in range(1000))
    assert all(0.1 <= uniform(0.1, 0.2)(rng) <= 0.2 for _ in range(100))


def arrivals(network: VirtualNetwork, target: VirtualNode) -> list[tuple[float, bytes]]:
    """When each message reaches `target` from now on, and the first block in it."""
    found: list[tuple[float, bytes]] = []

    def receive(peer: str, message: Message) -> None:
        found.append((network.clock.now(), message.blocks()[0].data))

    target.message_received = receive  # type: ignore[method-assign]
    return found


def send_each(network: VirtualNetwork, sender: VirtualNode, peer: str, count: int, size: int) -> list[float]:
    """Send blocks one by one, all at once; returns when each had left, filled while time passes."""
    left: list[float] = []
    for block in make_blocks(count, size):
        message = Message()
        message.add_block(block)
        network.send(sender, peer, message, lambda error: left.append(network.clock.now()))
    return left


@pytest.mark.parametrize("wire", [True, False])
def test_a_rate_spreads_messages(wire: bool) -> None:
    network = VirtualNetwork(delay=fixed(0.1), rate=fixed_rate(1000.0), wire=wire)
    first, second = network.node("first"), network.node("second")
    network.connect(first, second)
    found = arrivals(network, second)
    left = send_each(network, first, "second", 3, 1000)
    assert left == []
    network.run(seconds=10)
    assert [when for when, _ in found] == pytest.approx([1.1, 2.1, 3.1], rel=0.05)
    assert left == pytest.approx([1.0, 2.0, 3.0], rel=0.05)
    assert network.messages == first.sent + 3 == 3
    assert network.bytes == first.bytes_sent == second.bytes_received
    assert 3000 <= network.bytes < 3300


def test_without_pacing_a_sender_goes_on_at_once() -> None:
    network = VirtualNetwork(delay=fixed(0.1), rate=fixed_rate(1000.0), paced=False)
    first, second = network.node("first"), network.node("second")
    network.connect(first, second)
    found = arrivals(network, second)
    left = send_each(network, first, "second", 3, 1000)
    network.run(seconds=10)
    assert left == [0.0, 0.0, 0.0]
    assert [when for when, _ in found] == pytest.approx([1.1, 2.1, 3.1], rel=0.05)


def test_jitter_and_shorter_ways_change_no_order() -> None:
    network = VirtualNetwork(3, delay=fixed(0.1), jitter=uniform(0.0, 1.0))
    first, second = network.node("first"), network.node("second")
    network.connect(first, second)
    found = arrivals(network, second)
    send_each(network, first, "second", 20, 100)
    network.link(first, second).latency = 0.0
    send_each(network, first, "second", 20, 100)
    network.run(seconds=10)
    times = [when for when, _ in found]
    assert times == sorted(times)
    assert len(set(times)) > 3
    assert [data for _, data in found] == [block.data for block in make_blocks(20, 100)] * 2


def test_a_message_to_nobody_fails() -> None:
    network, (first, _) = virtual_instances(2, connected=False)
    errors: list[BaseException | None] = []
    network.send(first, "node-1", Message(), errors.append)
    assert errors == []
    network.run(seconds=1)
    assert isinstance(errors[0], ConnectionError)


def test_a_message_that_has_not_left_fails_with_the_link() -> None:
    network, (first, second) = virtual_instances(2, rate=fixed_rate(10.0))
    errors: list[BaseException | None] = []
    message = Message()
    message.add_block(make_blocks(1, 1000)[0])
    network.send(first, "node-1", message, errors.append)
    network.disconnect(first, second, "cut")
    network.run(seconds=200)
    assert [type(error) for error in errors] == [type(errors[0])]
    assert isinstance(errors[0], ConnectionError)
    assert second.received == 0


def test_events_can_be_given_what_they_need() -> None:
    network = VirtualNetwork()
    seen: list[int] = []
    network.at(1.0, seen.append, 3)
    network.run(seconds=2)
    assert seen == [3]


def test_virtual_instances() -> None:
    network, nodes = virtual_instances(5, seed=4, delay=fixed(0.03), server=ServerOptions(task_workers=1))
    assert [node.name for node in nodes] == [f"node-{index}" for index in range(5)]
    assert [len(network.neighbours(node)) for node in nodes] == [4] * 5
    blocks = make_blocks(10)
    nodes[4].add(*blocks)
    fetch = nodes[0].fetch(cids_of(blocks), peers=[nodes[4]])
    assert network.run(lambda: fetch.done)
    assert fetch.finished_at == pytest.approx(0.06)


def test_a_store_serves_as_many_answers_at_a_time_as_it_has_workers() -> None:
    def seconds(workers: int) -> float:
        network = VirtualNetwork(delay=fixed(0.0))
        seed = network.node("seed", store_latency=1.0, server=ServerOptions(task_workers=workers))
        block = make_blocks(1, 5000)[0]
        seed.add(block)
        fetches = []
        for _ in range(4):
            node = network.node()
            network.connect(seed, node)
            fetches.append(node.fetch([block.cid]))
        assert network.run(lambda: all(fetch.done for fetch in fetches))
        return network.clock.now()

    assert [seconds(workers) for workers in (1, 2, 4)] == pytest.approx([4.0, 2.0, 1.0])


def test_what_is_kept_is_served() -> None:
    network = VirtualNetwork()
    seed, middle, last = network.node("seed"), network.node("middle"), network.node("last")
    network.connect(seed, middle)
    network.connect(middle, last)
    blocks = make_blocks(50, 3000)
    seed.add(*blocks)
    waiting = last.fetch(cids_of(blocks))
    came: list[int] = []
    network.run(seconds=1)
    fetch = middle.fetch(cids_of(blocks), keep=True, came=came.append)
    assert network.run(lambda: waiting.done, seconds=5)
    assert fetch.done
    assert sum(came) == 50
