"""What is said of a block that routers are asked for."""

from __future__ import annotations

import pytest

from bitswap.cid import CID
from bitswap.errors import RemoteError
from bitswap.explanation import Sought, State
from bitswap.testutils import cids_of, make_blocks
from tests.fetching.routed import World

pytestmark = pytest.mark.timeout(60)


class TestExplaining:
    def explained(self, world: World, cid: CID, seconds: float) -> tuple[State, Sought, list[str]]:
        world.run(seconds)
        told = world.ours.wants.explain(cid, world.now)
        (wait,) = told.waits
        assert wait.sought is not None
        assert told.record()["waits"][0]["sought"]["found"] == wait.sought.found
        return told.state, wait.sought, str(told).splitlines()

    def test_step_by_step(self) -> None:
        world = World()
        blocks = make_blocks(1)
        world.holder("b", blocks)
        world.router.announce("gone", cids_of(blocks))
        world.fetch(blocks)
        state, sought, lines = self.explained(world, blocks[0].cid, 0.01)
        assert (state, sought.over, sought.asking) == (State.SOUGHT, False, True)
        assert "  searched for at routers now: nobody was named yet" in lines
        state, sought, lines = self.explained(world, blocks[0].cid, 0.05)
        assert (sought.found, sought.dialling) == (2, {"b": "/virtual/b", "gone": "/virtual/gone"})
        assert "  b: named by a router, being dialled at /virtual/b" in lines
        state, sought, lines = self.explained(world, blocks[0].cid, 0.015)
        assert (state, sought.connected) == (State.ASKED, ("b",))
        assert any(line.startswith("  b: asked for the block") for line in lines)

    def test_a_search_in_vain(self) -> None:
        world = World(find_peers=False)
        blocks = make_blocks(1)
        world.router.announce("gone", cids_of(blocks))
        world.fetch(blocks)
        state, sought, lines = self.explained(world, blocks[0].cid, 4)
        assert (state, sought.over, sought.found) == (State.NO_PEERS, True, 1)
        assert "  gone: could not be dialled: /virtual/gone: connection refused" in lines
        assert "  searched for at routers 3.9 s ago: 1 named, 1 not reached" in lines
        assert lines[-1].endswith("in 1.1 s routers may be asked again")

    def test_one_that_waits_for_others(self) -> None:
        world = World(latency=5.0)
        blocks = make_blocks(5)
        world.fetch(blocks)
        world.run(1)
        told = world.ours.wants.explain(blocks[4].cid, world.now)
        assert "routers are asked once they have answered for others" in str(told)

    def test_nobody_named_and_a_router_that_fails(self) -> None:
        world = World()
        blocks = make_blocks(1)
        world.router.failure = RemoteError("the router is down")
        world.fetch(blocks)
        _, sought, lines = self.explained(world, blocks[0].cid, 1)
        assert sought.error == "the router is down"
        assert "  searched for at routers 0.9 s ago (the router is down): nobody was named" in lines
