"""Small scenarios for these tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bitswap.simulation import Blocks, Fetching, Group, Holding, Links, Scenario, load_scenario

SCENARIOS = Path(__file__).parent.parent.parent / "scenarios"


def scene(**changes: Any) -> Scenario:
    """Two seeds with twenty blocks, and a node that fetches them."""
    parts: dict[str, Any] = {
        "name": "scene",
        "nodes": (Group("seed", 2), Group("node")),
        "blocks": Blocks(20, 2000),
        "holdings": (Holding("seed"),),
        "fetches": (Fetching("node"),),
    }
    return Scenario(**{**parts, **changes})


def scaled(name: str, factor: int, *, nodes: int | None = None, **changes: Any) -> Scenario:
    """A scenario file with so many times fewer nodes in large groups, blocks and seconds of joining.

    `nodes`: another factor for the nodes.
    """
    fewer = nodes or factor
    whole = load_scenario(SCENARIOS / name)
    blocks = whole.blocks.count // factor

    def part(number: int | None) -> int | None:
        return None if number is None else number // factor

    return replace(
        whole,
        nodes=tuple(
            replace(group, count=group.count // fewer if group.count > 10 else group.count)
            for group in whole.nodes
        ),
        blocks=replace(whole.blocks, count=blocks),
        holdings=tuple(
            replace(holding, first=holding.first // factor, last=part(holding.last))
            for holding in whole.holdings
        ),
        fetches=tuple(
            replace(fetch, sample=part(fetch.sample), spread=fetch.spread / factor) for fetch in whole.fetches
        ),
        **changes,
    )


def star(seeds: int, **changes: Any) -> Scenario:
    """One node with connections to so many seeds, which have none among each other."""
    return scene(
        **{"nodes": (Group("seed", seeds), Group("node")), "links": (Links("node", "seed"),), **changes}
    )
