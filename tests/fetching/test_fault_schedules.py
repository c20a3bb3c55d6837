"""Whatever goes wrong: what is near comes, once; nothing is stored twice; nothing stays wanted."""

from __future__ import annotations

import pytest

from tests.fetching.schedules import CountingStore, Schedule
from tests.fetching.swarm import at_peers, came, contents, leftovers
from tests.sizes import LONG

SEEDS = range(3000 if LONG else 100)
SECONDS = 600.0
"""Virtual ones, after the trouble is over: some rounds at the longest pause."""


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("seed", SEEDS)
def test_everything_comes_once_and_nothing_stays(seed: int) -> None:
    schedule = Schedule(seed, most_servers=60 if seed % 10 == 0 else 11)
    net = schedule.net
    schedule.over()
    assert schedule.run(SECONDS, schedule.is_done)
    for node, fetch, part in schedule.fetches:
        came(fetch, part)
        assert isinstance(node.blocks, CountingStore)
        assert node.blocks.puts == dict.fromkeys((block.cid for block in part), 1)
        for other in net.nodes.values():
            assert other.largest_wantlist.get(node.name, 0) <= node.wants.options.max_outstanding_wants + 24
    schedule.run(130)
    assert leftovers(net) == []
    assert all(at_peers(net, node) == {} for node in schedule.fetchers)


@pytest.mark.parametrize("seed", SEEDS[::10])
def test_a_seed_tells_the_same_story_each_time(seed: int) -> None:
    def story() -> tuple[object, ...]:
        schedule = Schedule(seed, most_servers=60 if seed % 10 == 0 else 11)
        schedule.over()
        schedule.run(SECONDS, schedule.is_done)
        contained = [contents(node.wants) for node in schedule.fetchers]
        return schedule.net.events, schedule.net.bytes, schedule.net.clock.now(), contained

    assert story() == story()
