"""The swarms of `scenarios/`, with smaller numbers."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

from bitswap.simulation import Fetching, Holding, Result, simulate

from .scenes import scaled

pytestmark = pytest.mark.skipif(importlib.util.find_spec("tomllib") is None, reason="no tomllib before 3.11")


def messages_per_block(result: Result) -> float:
    (node,) = result.nodes
    return (node.messages_sent + node.messages_received) / node.found


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(3))
def test_a_swarm_hands_everything_on(seed: int) -> None:
    result = simulate(scaled("swarm.toml", 10, nodes=50, seed=seed))
    assert len(result.nodes) == 99
    assert result.complete
    assert result.blocks_received <= 1.03 * result.found


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(3))
def test_much_is_found_with_few_messages_among_many_peers(seed: int) -> None:
    result = simulate(scaled("thousand-peers.toml", 5, seed=seed))
    assert result.found >= 0.98 * result.wanted
    assert result.blocks_received <= 1.01 * result.found
    assert messages_per_block(result) <= 20


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(3))
def test_what_ten_peers_hold_is_found_where_the_rest_is_nowhere(seed: int) -> None:
    """The whole form is `bitswap simulate scenarios/thousand-peers-nowhere.toml`."""
    result = simulate(scaled("thousand-peers-nowhere.toml", 5, seed=seed))
    assert result.nodes[0].found == 120 == 0.6 * result.wanted
    assert result.blocks_received <= 1.01 * result.found
    assert messages_per_block(result) <= 20


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(3))
def test_also_where_a_third_is_nowhere(seed: int) -> None:
    """What nobody has is looked for again and again, and must not drown what is there."""
    whole = scaled("thousand-peers.toml", 5, seed=seed)
    held = (Holding("holder", "random", last=120), Holding("other", "random", first=120, last=140))
    result = simulate(replace(whole, holdings=held, fetches=(Fetching("fetcher", sample=200, timeout=20.0),)))
    assert result.found >= 0.98 * 140
    assert messages_per_block(result) <= 20


@pytest.mark.timeout(120)
def test_small_blocks_are_not_sent_by_everybody() -> None:
    """A small block is the answer to whoever asks if it is there: of a hundred peers few are asked."""
    whole = scaled("thousand-peers.toml", 5)
    everybody = (Holding("holder"), Holding("other"))
    single = Fetching("fetcher", "one-at-a-time")
    small = replace(whole.blocks, count=50, size=500)
    result = simulate(replace(whole, blocks=small, holdings=everybody, fetches=(single,)))
    assert result.complete
    assert result.blocks_received <= 52
