"""Who holds what, and in which requests it is fetched."""

from __future__ import annotations

from random import Random

import pytest

from bitswap.cid import CID
from bitswap.simulation import Fetching, Holding
from bitswap.simulation.holdings import hold
from bitswap.simulation.patterns import rounds
from bitswap.testinstance import virtual_instances
from bitswap.testutils import cids_of, make_blocks

BLOCKS = make_blocks(100)
CIDS = cids_of(BLOCKS)


def held(holding: Holding, count: int, seed: int = 0) -> list[set[int]]:
    """The numbers of the blocks that each of `count` nodes has."""
    _, nodes = virtual_instances(count, connected=False)
    hold(holding, BLOCKS, nodes, Random(seed))
    return [{CIDS.index(cid) for cid in node.blocks} for node in nodes]


def test_all() -> None:
    assert held(Holding("x", first=10, last=20), 3) == [set(range(10, 20))] * 3


def test_overlap() -> None:
    even, odd = held(Holding("x", "overlap"), 2)
    thirds = set(range(0, 100, 3))
    assert even == thirds | set(range(0, 100, 2))
    assert odd == thirds | set(range(1, 100, 2))


def test_ranges() -> None:
    assert held(Holding("x", "ranges", ranges=((0, 75), (25, 100))), 2) == [
        set(range(75)),
        set(range(25, 100)),
    ]


@pytest.mark.parametrize("copies", [1, 3])
def test_random(copies: int) -> None:
    nodes = held(Holding("x", "random", copies=copies), 9)
    assert sorted(number for node in nodes for number in node) == sorted(list(range(100)) * copies)
    assert all(2 <= len(node) <= 50 for node in nodes)
    assert nodes == held(Holding("x", "random", copies=copies), 9)
    assert nodes != held(Holding("x", "random", copies=copies), 9, seed=1)


def sizes(pattern: str, cids: list[CID], **options: int) -> list[list[int]]:
    made = [list(requests) for requests in rounds(Fetching("x", pattern, **options), cids)]  # type: ignore[arg-type]
    assert [cid for requests in made for request in requests for cid in request] == cids
    return [[len(request) for request in requests] for requests in made]


def test_patterns() -> None:
    assert sizes("all", CIDS) == [[100]]
    assert sizes("one-at-a-time", CIDS) == [[1]] * 100
    assert sizes("concurrent", CIDS) == [[1] * 100]
    assert sizes("arrivals", CIDS) == [[1] * 100]
    assert sizes("batches", CIDS, batch=30) == [[30], [30], [30], [10]]
    assert sizes("unixfs", CIDS) == [[1], [10], [89]]
    assert sizes("unixfs-large", CIDS) == [[1], [10], [89]]


def test_unixfs_large() -> None:
    cids = cids_of(make_blocks(1000))
    assert sizes("unixfs-large", cids) == [[1], [10], [89], *[[10] * 5] * 18]
    assert sizes("unixfs-large", cids[:225], batch=50, parallel=2) == [[1], [10], [89], [50, 50], [25]]


@pytest.mark.parametrize("count", [0, 1, 5, 11, 12])
def test_patterns_of_few_blocks(count: int) -> None:
    for pattern in ("all", "one-at-a-time", "batches", "concurrent", "unixfs", "unixfs-large"):
        sizes(pattern, CIDS[:count])
