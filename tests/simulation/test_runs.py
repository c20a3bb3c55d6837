"""Runs of scenarios: what they return, what goes wrong in them, and that they can be repeated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bitswap.errors import UsageError
from bitswap.simulation import (
    Blocks,
    Fault,
    Fetching,
    Group,
    Holding,
    Links,
    Result,
    Simulation,
    load_scenario,
    simulate,
)
from bitswap.simulation.result import Progress
from bitswap.testnet import fixed, fixed_rate, normal, uniform

from .scenes import SCENARIOS, scene, star


def test_a_result_has_it_all() -> None:
    result = simulate(scene())
    (node,) = result.nodes
    assert result.complete
    assert (node.name, node.wanted, node.found, node.duplicates) == ("node", 20, 20, 0)
    assert node.seconds == result.seconds == pytest.approx(0.02)
    assert (node.messages_sent, node.messages_received) == (2, 4)
    assert node.bytes_received > 20 * 2000 > node.bytes_sent > 20 * 36
    assert result.bytes >= node.bytes_received + node.bytes_sent
    assert result.progress[0] == (0.0, 0)
    assert result.progress[-1] == (result.seconds, 20)
    json = result.to_json()
    assert json["found"] == json["wanted"] == 20


def test_what_is_late_is_counted_apart() -> None:
    result = simulate(scene(settle=10.0))
    # Cancels of what arrived, since some servers keep what they have served until told.
    assert result.nodes[0].late_messages == 2
    assert result.seconds == pytest.approx(0.02)


def test_seeds() -> None:
    drawn = scene(delay=normal(0.05, 0.02))
    assert simulate(drawn) == simulate(drawn)
    assert simulate(drawn).seconds != simulate(drawn.with_seed(1)).seconds


@pytest.mark.parametrize("pattern", ["all", "one-at-a-time", "batches", "concurrent", "unixfs", "arrivals"])
@pytest.mark.parametrize("sessions", ["one", "each"])
def test_patterns(pattern: str, sessions: str) -> None:
    result = simulate(scene(fetches=(Fetching("node", pattern, sessions=sessions, every=0.5),)))
    assert result.complete
    if pattern == "arrivals":
        assert result.seconds == pytest.approx(19 * 0.5 + 0.02)


def test_blocks_that_nobody_has_are_given_up() -> None:
    holding = Holding("seed", last=15)
    result = simulate(scene(holdings=(holding,), fetches=(Fetching("node", timeout=3.0),)))
    (node,) = result.nodes
    assert not result.complete
    assert (node.found, node.wanted, len(node.missing)) == (15, 20, 5)
    assert node.seconds == pytest.approx(3.0)


def test_a_run_ends_when_its_time_is_up() -> None:
    result = simulate(scene(holdings=(), seconds=5.0))
    assert (result.seconds, result.nodes[0].seconds, result.found) == (5.0, None, 0)


def test_only_named_peers() -> None:
    fetch = Fetching("node", peers="seed", broadcast=False)
    result = simulate(scene(holdings=(Holding("seed", last=15),), fetches=(fetch,)))
    # All of them have said that they lack the rest: there is nothing to wait for.
    assert result.seconds < 0.1
    assert result.nodes[0].found == 15


def test_who_fetched_serves_if_told_to() -> None:
    chain = scene(
        nodes=(Group("seed"), Group("middle"), Group("last")),
        links=(Links("seed", "middle"), Links("middle", "last")),
        fetches=(Fetching("middle", keep=True), Fetching("last")),
        seconds=20.0,
    )
    assert simulate(chain).complete
    alone = replace(chain, fetches=(Fetching("middle"), Fetching("last", timeout=5.0)))
    assert [node.found for node in simulate(alone).nodes] == [20, 0]


def test_nodes_begin_when_they_are_to() -> None:
    fetch = Fetching("node", start=1.0, spread=10.0)
    run = Simulation(scene(nodes=(Group("seed", 2), Group("node", 5)), fetches=(fetch,)))
    result = run.run()
    assert result.complete
    assert 1.0 < result.seconds < 11.1
    assert len({leech._started for leech in run.leeches}) == 5


def test_a_sample_is_another_one_for_every_node() -> None:
    run = Simulation(scene(nodes=(Group("seed", 2), Group("node", 3)), fetches=(Fetching("node", sample=8),)))
    assert len({frozenset(leech._cids) for leech in run.leeches}) == 3
    assert run.run().wanted == 24


def test_random_links_have_their_degree() -> None:
    run = Simulation(
        scene(nodes=(Group("seed", 2), Group("node", 30)), links=(Links("node", "*", degree=4),))
    )
    counts = [len(run.network.neighbours(node)) for node in run.groups["node"]]
    assert min(counts) >= 4
    assert sum(counts) / 30 < 8.5


def test_links_have_delays_and_rates_of_their_own() -> None:
    slow = simulate(star(1, links=(Links("node", "seed", delay=fixed(0.2), rate=fixed_rate(20_000.0)),)))
    # 40,000 bytes of blocks.
    assert slow.seconds == pytest.approx(0.4 + 2.0, rel=0.05)


def test_jitter_slows_and_changes_no_order() -> None:
    result = simulate(star(3, jitter=uniform(0.0, 0.05)))
    assert result.complete
    assert result.seconds > 0.02


def test_stores_that_need_time() -> None:
    groups = (Group("seed", 1, store_latency=0.1), Group("node"))
    result = simulate(scene(nodes=groups, fetches=(Fetching("node", "one-at-a-time"),)))
    assert result.seconds == pytest.approx(20 * 0.12)


@pytest.mark.parametrize("protocol", ["1.1.0", "1.0.0"])
def test_old_peers(protocol: str) -> None:
    """Those of 1.0.0 send bytes without a CID, which are taken for CIDv0."""
    old = Group("seed", 3, protocol=protocol, dont_haves=False)
    mixed = scene(nodes=(old, Group("node")), holdings=(Holding("seed", "random"),), seconds=60.0)
    for version in (0, 1):
        result = simulate(replace(mixed, blocks=Blocks(20, 2000, cid_version=version)))
        assert result.complete == (version == 0 or protocol == "1.1.0")


def test_without_the_wire_the_same_happens() -> None:
    scenario = star(12, delay=normal(0.05, 0.02), holdings=(Holding("seed", "random", copies=3),))
    real, quick = simulate(scenario), simulate(replace(scenario, wire=False))
    assert (real.seconds, real.messages, real.blocks_received) == (
        quick.seconds,
        quick.messages,
        quick.blocks_received,
    )
    assert quick.bytes < real.bytes < 1.5 * quick.bytes


class TestFaults:
    def run(self, *faults: Fault, **changes: object) -> Result:
        scenario = star(3, blocks=Blocks(300, 8000), rate=fixed_rate(100_000.0), seconds=300.0, **changes)
        return simulate(replace(scenario, faults=faults))

    def test_none(self) -> None:
        # 2.4 MB from three peers of 0.1 MB/s.
        assert 8.0 < self.run().seconds < 10.0

    def test_a_link_that_is_cut(self) -> None:
        result = self.run(Fault("cut", "node", "seed", at=2.0, count=1))
        assert result.complete
        assert result.seconds > 10.0

    def test_and_mended(self) -> None:
        mended = self.run(Fault("cut", "node", "seed", at=2.0, count=3, lasts=1.0))
        assert mended.complete
        assert mended.seconds < 15.0

    def test_cut_again_and_again(self) -> None:
        fault = Fault("cut", "node", "seed", at=1.0, count=1, lasts=0.3, every=0.5, until=30.0)
        result = self.run(fault)
        assert result.complete
        assert result.blocks_received <= 306

    def test_a_node_that_leaves(self) -> None:
        left = self.run(Fault("leave", "seed", at=2.0, count=2))
        assert left.complete
        assert left.seconds > 15.0

    def test_everybody_leaves(self) -> None:
        result = self.run(Fault("leave", "seed", at=2.0), fetches=(Fetching("node", timeout=20.0),))
        assert 0 < result.found < 300
        assert result.seconds == pytest.approx(20.0)

    def test_a_node_that_falls_silent(self) -> None:
        muted = self.run(Fault("mute", "seed", at=2.0, count=1))
        assert muted.complete
        assert muted.seconds > 10.0

    def test_a_link_that_gets_slow(self) -> None:
        slow = self.run(Fault("slow", "node", "seed", at=1.0, count=2, rate=5_000.0))
        assert slow.complete
        assert slow.seconds > 15.0
        again = self.run(Fault("slow", "node", "seed", at=1.0, count=2, rate=5_000.0, lasts=2.0))
        assert again.seconds < slow.seconds

    @pytest.mark.timeout(120)
    @pytest.mark.parametrize("seed", range(3))
    def test_everything_together(self, seed: int) -> None:
        """A file with old, quiet and silent nodes, whose links are cut while they exchange."""
        result = simulate(load_scenario(SCENARIOS / "rough.json").with_seed(seed))
        assert result.complete
        assert result.blocks_received < 1.1 * result.found


def test_progress_is_bounded() -> None:
    progress = Progress()
    for number in range(100_000):
        progress.add(float(number // 2), 1)
    points = progress.points(60_000.0)
    assert len(points) < 5000
    assert points[0] == (0.0, 0)
    assert points[-1] == (60_000.0, 100_000)
    assert list(points) == sorted(points)


def test_a_run_can_be_watched() -> None:
    seen: list[tuple[float, int, int]] = []
    scenario = scene(
        nodes=(Group("seed", 2), Group("node", 20)),
        blocks=Blocks(300, 100),
        fetches=(Fetching("node", "one-at-a-time"),),
        wire=False,
    )
    simulate(scenario, watch=lambda now, came, wanted: seen.append((now, came, wanted)))
    assert seen
    assert seen == sorted(seen)
    assert {wanted for _, _, wanted in seen} == {6000}


def test_a_node_is_not_linked_to_itself() -> None:
    run = Simulation(scene())
    node = run.groups["node"][0]
    with pytest.raises(UsageError):
        run.network.connect(node, node)
