"""Swarms made up by a seed: old, mute, slow and leaving peers. Nothing may stall, nothing be left behind."""

from __future__ import annotations

from random import Random

import pytest

from bitswap.block import Block
from bitswap.options import ClientOptions, ServerOptions
from bitswap.testnet import Fetch, VirtualNetwork, VirtualNode, internet
from bitswap.testutils import cids_of, make_blocks
from tests.sizes import LONG

RUNS = 400 if LONG else 40
SECONDS = 400.0  # virtual


class Swarm:
    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        shares = (rng.random() / 2, rng.random() / 3)
        delay = internet(0.05, 0.03, medium=0.2, large=1.0, medium_share=shares[0], large_share=shares[1])
        self.net = VirtualNetwork(seed, delay=delay)
        self.options = ClientOptions(
            max_outstanding_wants=rng.choice([10, 100, 1000]),
            refill_wants=rng.choice([1, 8]),
            window_blocks=rng.choice([5, 50, 4096]),
            discovery_wants=rng.choice([1, 4, 64]),
            initial_window=rng.choice([1, 16, 128]),
            few_peers=rng.choice([1, 3, 10]),
        )
        self.ours = self.net.node("ours", client=self.options)
        self.others = [self.other() for _ in range(rng.randrange(1, 10))]
        self.blocks = make_blocks(rng.randrange(1, 200), rng.choice([10, 1000, 1025, 20_000]), str(seed))
        for block in self.blocks:
            for node in rng.sample(self.others, rng.randrange(1, len(self.others) + 1)):
                node.add(block)
        self.net.mesh()

    def other(self) -> VirtualNode:
        rng = self.rng
        server = ServerOptions(
            max_wantlist_entries=rng.choice([16, 64, 16_384]),
            min_wantlist_entries=16,
            send_dont_haves=rng.random() < 0.85,
        )
        return self.net.node(server=server, legacy=rng.random() < 0.15)

    def disturb(self) -> None:
        """Cut connections for a while, and have some peers answer nothing for some time."""
        rng, net = self.rng, self.net
        if rng.random() < 0.4:
            self.flap()
        for node in self.others:
            if rng.random() < 0.1:
                node.mute = True
                net.at(rng.random() * 10, lambda node=node: setattr(node, "mute", False))  # type: ignore[misc]

    def flap(self) -> None:
        node = self.rng.choice(self.others)
        self.net.disconnect(self.ours, node, "flap")
        self.net.at(self.rng.random(), lambda: self.net.connect(self.ours, node))
        if self.net.clock.now() < 5:
            self.net.at(self.rng.random(), self.flap)

    def fetches(self) -> list[tuple[Fetch, list[Block]]]:
        made = []
        for _ in range(self.rng.randrange(1, 4)):
            part = self.rng.sample(self.blocks, self.rng.randrange(1, len(self.blocks) + 1))
            made.append((self.ours.fetch(cids_of(part), pause=self.rng.choice([0, 0, 0.01])), part))
        return made


@pytest.mark.parametrize("seed", range(RUNS))
def test_everything_comes_and_nothing_stays(seed: int) -> None:
    swarm = Swarm(seed)
    fetches = swarm.fetches()
    swarm.disturb()
    assert swarm.net.run(lambda: all(fetch.done for fetch, _ in fetches), seconds=SECONDS)
    for fetch, part in fetches:
        assert sorted(cids_of(fetch.blocks)) == sorted(cids_of(part))
    for node in swarm.others:
        assert node.largest_wantlist.get("ours", 0) <= swarm.options.max_outstanding_wants
    swarm.net.run(seconds=130)
    ours = swarm.ours.wants
    assert ours.wantlist() == []
    assert [ours.outstanding(peer) for peer in ours.peers()] == [0] * len(ours.peers())
    for node in swarm.others:
        assert node.engine is not None
        assert node.engine.wantlist_for_peer("ours") == []


def test_two_sessions_want_the_same_while_a_newcomer_takes_over() -> None:
    """What one session moves to another peer stays with the first for the other session."""
    net = VirtualNetwork()
    ours, first, second = net.node("ours"), net.node("first"), net.node("second")
    blocks = make_blocks(400, 8000)
    for node in (first, second):
        node.add(*blocks)
    net.connect(ours, first, rate=200_000)
    fetches = [ours.fetch(cids_of(blocks)), ours.fetch(cids_of(blocks[200:]))]
    net.run(seconds=1)
    net.connect(ours, second, rate=200_000)
    net.run(seconds=0.1)
    fetches[0].close()
    assert net.run(lambda: fetches[1].done, seconds=20)
    assert len(fetches[1].blocks) == 200
    assert fetches[1].session.duplicates <= 2
