"""Searches for providers that end in the middle, and whatever else may happen to them."""

from __future__ import annotations

from random import Random

import pytest

from bitswap.errors import RemoteError
from bitswap.testnet import VirtualNode
from bitswap.testnet.router import address_of
from bitswap.testutils import make_blocks
from tests.fetching.routed import World
from tests.fetching.swarm import arrives

pytestmark = pytest.mark.timeout(60)


class TestEnds:
    @pytest.mark.parametrize("seconds", [0.0, 0.03, 0.055, 0.075, 0.085, 0.1])
    def test_a_session_that_ends_in_the_middle_leaves_nothing(self, seconds: float) -> None:
        world = World()
        blocks = make_blocks(30)
        for name in "bcd":
            world.holder(name, blocks)
        session = world.ours.session()
        world.fetch(blocks, session)
        world.run(seconds)
        world.ours.close_session(session)
        assert world.stat.searches == 0
        world.assert_nothing_left()

    def test_one_of_two_sessions_ends(self) -> None:
        world = World()
        blocks = make_blocks(1)
        world.holder("b", blocks)
        session = world.ours.session()
        world.fetch(blocks, session)
        fetch = world.fetch(blocks)
        world.run(0.03)
        world.ours.close_session(session)
        arrives(world.net, fetch, blocks, within=1)
        assert world.router.questions == 1

    def test_a_block_that_is_added_ends_its_search(self) -> None:
        world = World(latency=5.0)
        blocks = make_blocks(1)
        fetch = world.fetch(blocks)
        world.run(0.1)
        assert world.router.live == 1
        world.ours.add(*blocks)
        assert fetch.done
        assert (world.router.live, world.stat.searches) == (0, 0)

    def test_the_node_is_closed(self) -> None:
        world = World(latency=5.0)
        fetch = world.fetch(make_blocks(50))
        world.run(0.1)
        world.ours.wants.close_all(world.now)
        world.ours.pump()
        assert fetch.done
        world.assert_nothing_left()


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_blocks_come_and_nothing_is_left(seed: int) -> None:
    """Providers come and go, some cannot be dialled, routers fail for a while, sessions end."""
    random = Random(seed)
    world = World(latency=random.choice([0.0, 0.05, 2.0]), search_interval=random.choice([5.0, 60.0]))
    blocks = make_blocks(60, seed=str(seed))
    absent = make_blocks(5, seed=f"absent {seed}")
    world.neighbours(random.randrange(8))
    nodes = [
        world.holder(f"n{number}", random.sample(blocks, 30), announced=random.random() < 0.7)
        for number in range(5)
    ]
    world.holder("all", blocks)
    for name in random.sample("01234", 2):
        world.searches.refusing.add(address_of(f"n{name}"))

    def fails(error: Exception | None) -> None:
        world.router.failure = error

    def cut(node: VirtualNode) -> None:
        world.net.disconnect(world.ours, node)

    for node in nodes:
        world.net.at(random.uniform(0, 10), cut, node)
    if random.random() < 0.5:
        world.net.at(random.uniform(0, 1), fails, RemoteError("down"))
        world.net.at(random.uniform(1, 5), fails, None)
    sessions = [world.ours.session() for _ in range(3)]
    fetches = [world.fetch(random.sample(blocks, 40), session) for session in sessions]
    extra = world.fetch(absent, sessions[0])
    world.net.at(random.uniform(0, 3), world.ours.close_session, sessions[2])
    assert world.net.run(lambda: all(fetch.done for fetch in fetches[:2]), seconds=400)
    assert [len(fetch.blocks) for fetch in fetches[:2]] == [40, 40]
    assert not extra.done
    for session in sessions:
        world.ours.close_session(session)
    world.assert_nothing_left()
