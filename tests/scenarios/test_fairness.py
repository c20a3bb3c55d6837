"""Many peers over one line of a given rate: who is served when, and how much of it each gets."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from bitswap.block import Block
from bitswap.message import Message
from bitswap.options import KIB, MIB, ServerOptions
from tests.decision.support import Node
from tests.scenarios.uplink import Uplink

pytestmark = pytest.mark.usefixtures("implementation")

RATE = 100e6
"""Bytes a second."""
WANTS = 1024
STEADY = ServerOptions(adaptive=False)
GROWING = ServerOptions()
OPTIONS = pytest.mark.parametrize("options", [STEADY, GROWING], ids=["steady", "growing"])


@cache
def blocks(size: int) -> list[Block]:
    return [Block.of(number.to_bytes(2, "big") * (size // 2)) for number in range(WANTS)]


def node_with(options: ServerOptions, salt: int = 7, size: int = 4 * KIB) -> Node:
    node = Node(options, stored="", salt=salt)
    node.store = {item.cid: item for item in blocks(size)}
    return node


def want(node: Node, peer: str, count: int = WANTS, size: int = 4 * KIB) -> None:
    message = Message()
    for place, item in enumerate(blocks(size)[:count]):
        message.add_entry(item.cid, WANTS - place)
    node.receive(peer, message)


def jain(shares: list[float]) -> float:
    """1 when all are equal, 1/n when one has everything."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


BUSY = [f"busy {number}" for number in range(19)]


class TestANewcomerWithOneWant:
    """Beside nineteen peers that want 1,024 blocks each, of which eight messages leave at a time."""

    @OPTIONS
    @pytest.mark.parametrize("after", [19, 40, 100])
    def test_is_next_however_long_the_others_have_been_served(
        self, options: ServerOptions, after: int
    ) -> None:
        node = node_with(options)
        uplink = Uplink(node, RATE, senders=8)
        for peer in BUSY:
            want(node, peer)
        for _ in range(after):
            assert uplink.step()
        taken, sent = len(uplink.taken), len(uplink.sent)
        want(node, "newcomer", 1)
        while "newcomer" not in dict(uplink.sent[sent:]):
            assert uplink.step()
        assert uplink.taken[taken] == "newcomer"
        # The line is shared equally, so its small message passes the large ones that had begun.
        assert len(uplink.sent) - sent <= 8

    def test_is_among_the_first_when_all_come_at_once(self) -> None:
        node = node_with(GROWING)
        uplink = Uplink(node, RATE, senders=1)
        for peer in [*BUSY, "newcomer"]:
            want(node, peer, 1 if peer == "newcomer" else WANTS)
        for _ in range(20):
            assert uplink.step()
        assert Counter(uplink.taken) == Counter([*BUSY, "newcomer"])

    @OPTIONS
    def test_is_next_each_time_it_comes_again(self, options: ServerOptions) -> None:
        node = node_with(options)
        uplink = Uplink(node, RATE, senders=8)
        for peer in BUSY:
            want(node, peer)
        for _ in range(40):
            assert uplink.step()
        for _ in range(10):
            taken, sent = len(uplink.taken), len(uplink.sent)
            want(node, "light", 1)
            while "light" not in dict(uplink.sent[sent:]):
                assert uplink.step()
            assert uplink.taken[taken] == "light"


@OPTIONS
def test_eight_peers_that_never_read_take_nothing_from_the_ninth(options: ServerOptions) -> None:
    """Its messages are the same, and leave at the same times, as when it is alone and a round is long."""
    options = replace(options, max_round_bytes=32 * MIB)
    deaf = [f"deaf {number}" for number in range(8)]

    def times(*others: str) -> list[tuple[float, int]]:
        node = node_with(options)
        uplink = Uplink(node, RATE, deaf=deaf)
        for peer in [*others, "ninth"]:
            want(node, peer)
        start, left = node.now, []
        while uplink.step():
            left.append((node.now - start, uplink.sent[-1][1]))
        assert {peer for peer, _ in uplink.sent} == {"ninth"}
        assert sorted(envelope.peer for envelope in uplink.stuck) == sorted(others)
        assert node.engine.wantlist_for_peer("ninth") == []
        return left

    assert times(*deaf) == times()


def test_the_more_peers_are_served_the_smaller_are_the_messages() -> None:
    """Peers that take nothing count for ten seconds; then who takes something has large ones, as if alone."""
    node = node_with(ServerOptions(max_round_bytes=1 * MIB))
    uplink = Uplink(node, RATE, deaf=["deaf 0", "deaf 1", "deaf 2"])
    for peer in ("deaf 0", "deaf 1", "deaf 2", "ninth"):
        want(node, peer)

    def largest(steps: int) -> int:
        sent = len(uplink.sent)
        for _ in range(steps):
            assert uplink.step()
        return max(size for _, size in uplink.sent[sent:])

    assert 256 * KIB <= largest(6) < 264 * KIB
    node.clock.advance(10.1)
    assert largest(3) >= 512 * KIB


@OPTIONS
@pytest.mark.parametrize("senders", [None, 8, 1], ids=["all-at-once", "eight", "one"])
def test_equal_peers_get_equal_shares(options: ServerOptions, senders: int | None) -> None:
    """Until the first of them has all it wants, and after a few rounds of equal messages at any time.

    While messages grow some have had one that is twice as long as the one that others still wait for.
    """
    peers = [f"peer {number}" for number in range(20)]
    node = node_with(options)
    uplink = Uplink(node, RATE, senders=senders)
    for peer in peers:
        want(node, peer)
    while len(node.engine.peers()) == len(peers):
        assert uplink.step()
        if not options.adaptive and len(uplink.sent) >= 10 * len(peers):
            assert jain(uplink.shares(peers)) >= 0.99
    assert jain(uplink.shares(peers)) >= 0.99
    uplink.drain()
    assert uplink.bytes == dict.fromkeys(peers, WANTS * 4 * KIB)


def test_a_drain_takes_as_long_as_the_line_needs() -> None:
    """Nothing that holds a peer back leaves the line idle."""
    node = node_with(GROWING)
    uplink = Uplink(node, RATE)
    for peer in BUSY:
        want(node, peer)
    start = node.now
    uplink.drain()
    assert node.now - start == pytest.approx(19 * WANTS * 4 * KIB / RATE)
    assert max(size for _, size in uplink.sent) <= MIB + 4 * KIB


def test_peers_that_stop_reading_large_messages_leave_room_for_all_others() -> None:
    """Each reads fast until its messages are large; together they hold half of what may be under way."""
    node = node_with(ServerOptions(max_total_outstanding_bytes=4 * MIB, max_round_bytes=32 * MIB))
    peers = [f"peer {number}" for number in range(32)]
    for peer in peers:
        want(node, peer)
    held: dict[str, int] = {}
    while (taken := node.take()) is not None:
        envelope, message = taken
        if envelope.block_bytes < 512 * KIB and held.get(envelope.peer, 0) == 0 and len(held) < 4:
            node.engine.envelope_sent(envelope, node.now)
        else:
            held[envelope.peer] = message.size()
    assert held.keys() == set(peers)
    assert sorted(held.values())[-4:] == [512 * KIB] * 4
    want(node, "light", 1)
    newcomer = node.take()
    assert newcomer is not None
    assert newcomer[0].peer == "light"
