"""boxo's benchmark scenarios with boxo's own figures (boxo `bitswap/benchmarks_test.go`).

The figures were measured with boxo 0.43 on its virtual network, in real time on two cores: seconds, messages
that the fetcher sent and received, and blocks that it received; for several fetchers their means. Delays,
rates and distributions are boxo's: delays drawn once for each direction of a connection, a token bucket for
each direction with a rate, a sender that never waits for its messages to leave. Only the fetchers are linked
to the others, because seeds have nothing to say to each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bitswap.simulation.result import Result
from bitswap.simulation.runner import simulate
from bitswap.simulation.scenario import Blocks, Fetching, Group, Holding, Links, Scenario
from bitswap.testnet.delays import Delay, fixed, internet
from bitswap.testnet.rates import Rate, normal_rate

ROOT, STANDARD, LARGE = 800, 8000, 256 * 1024
_SETTLE = 30.0
_TEN_MS = fixed(0.01)


class Figures(NamedTuple):
    """What one run of a scenario cost its fetchers, on average."""

    seconds: float
    sent: float
    received: float
    blocks: float


@dataclass(frozen=True)
class Cell:
    """A scenario, what boxo needs for it, and how many blocks a fetcher wants."""

    scenario: Scenario
    boxo: Figures
    wanted: int
    drawn: bool = False
    """Whether delays, rates or holders are drawn at random, so that one run is not like the next."""

    @property
    def most_blocks(self) -> int:
        """At most 1 % or two blocks too many may come."""
        return self.wanted + max(self.wanted // 100, 2)


def measure(cell: Cell, seed: int) -> tuple[Figures, Result]:
    """Run a cell; boxo's way of counting is up to the moment when the last block came."""
    result = simulate(cell.scenario.with_seed(seed))
    fetchers = result.nodes
    count = len(fetchers)
    seconds = [result.seconds if node.seconds is None else node.seconds for node in fetchers]
    return (
        Figures(
            sum(seconds) / count,
            sum(node.messages_sent for node in fetchers) / count,
            sum(node.messages_received for node in fetchers) / count,
            sum(node.blocks_received for node in fetchers) / count,
        ),
        result,
    )


def cells() -> Sequence[Cell]:
    """The whole matrix, in boxo's order."""
    return [*_fixed_delay(), *_old_peers(), *_data_centre(), *_real_world()]


def _scenario(
    name: str,
    seeds: Group,
    holding: str,
    pattern: str,
    blocks: Blocks,
    *,
    fetchers: int = 1,
    delay: Delay = _TEN_MS,
    rate: Rate | None = None,
) -> Scenario:
    return Scenario(
        name=name,
        nodes=(seeds, Group("fetcher", fetchers)),
        links=(Links("fetcher", seeds.name),),
        blocks=blocks,
        holdings=(_holding(holding, seeds.name, blocks.count),),
        fetches=(Fetching("fetcher", pattern),),
        delay=delay,
        rate=rate,
        paced=False,
        settle=_SETTLE,
    )


def _holding(kind: str, nodes: str, count: int) -> Holding:
    if kind == "overlap1":
        return Holding(nodes, "ranges", ranges=((0, 3 * count // 4), (count // 4, count)))
    if kind == "overlap2":
        return Holding(nodes, "overlap")
    return Holding(nodes, "random" if kind == "one" else "all")


_FIXED = (
    ("3N AllToAll OneAtATime", 3, 100, "all", "one-at-a-time", (3.452, 162, 103, 101)),
    ("3N AllToAll BigBatch", 3, 100, "all", "all", (0.058, 6, 35, 101)),
    ("3N Overlap1 OneAtATime", 3, 100, "overlap1", "one-at-a-time", (3.984, 209, 130, 100)),
    ("3N Overlap3 OneAtATime", 3, 100, "overlap2", "one-at-a-time", (4.496, 370, 228, 101)),
    ("3N Overlap3 BatchBy10", 3, 100, "overlap2", "batches", (0.796, 76, 50, 101)),
    ("3N Overlap3 AllConcurrent", 3, 100, "overlap2", "concurrent", (0.107, 11, 38, 102)),
    ("3N Overlap3 BigBatch", 3, 100, "overlap2", "all", (0.085, 9, 38, 101)),
    ("3N Overlap3 UnixfsFetch", 3, 100, "overlap2", "unixfs", (0.147, 14, 40, 101)),
    ("10N AllToAll OneAtATime", 10, 100, "all", "one-at-a-time", (3.799, 351, 204, 108)),
    ("10N AllToAll BatchFetchBy10", 10, 100, "all", "batches", (0.434, 188, 102, 108)),
    ("10N AllToAll BigBatch", 10, 100, "all", "all", (0.047, 26, 42, 108)),
    ("10N AllToAll AllConcurrent", 10, 100, "all", "concurrent", (0.071, 36, 60, 109)),
    ("10N AllToAll UnixfsFetch", 10, 100, "all", "unixfs", (0.109, 26, 44, 108)),
    ("10N AllToAll UnixfsFetchLarge", 10, 1000, "all", "unixfs-large", (0.884, 98, 368, 1008)),
    ("10N OnePeerPerBlock OneAtATime", 10, 100, "one", "one-at-a-time", (6.612, 1634, 851, 100)),
    ("10N OnePeerPerBlock BigBatch", 10, 100, "one", "all", (0.110, 53, 60, 100)),
    ("10N OnePeerPerBlock UnixfsFetch", 10, 100, "one", "unixfs", (0.279, 105, 63, 100)),
    ("200N AllToAll BigBatch", 200, 20, "all", "all", (2.026, 398, 206, 218)),
)

_OLD = (
    ("OldBitswap Overlap3 OneAtATime", "overlap2", "one-at-a-time", (0.475, 23, 11, 11)),
    ("OldBitswap AllToAll OneAtATime", "all", "one-at-a-time", (0.274, 19, 11, 11)),
    ("OldBitswap Overlap3 AllConcurrent", "overlap2", "concurrent", (0.044, 6, 6, 14)),
)

_RealWorld = tuple[str, dict[str, float], tuple[float, float], tuple[float, float, float, float]]
_REAL_WORLD: tuple[_RealWorld, ...] = (
    ("RealWorld Fast", {}, (1.25e6, 3e5), (2.543, 598, 664, 498)),
    (
        "RealWorld AverageVariableSpeed",
        {"medium": 0.14, "medium_share": 0.3, "large": 0.74, "large_share": 0.3},
        (5e5, 8e4),
        (5.026, 897, 883, 591),
    ),
    (
        "RealWorld SlowVariableSpeed",
        {"medium": 0.14, "medium_share": 0.3, "large": 3.94, "large_share": 0.3},
        (1e5, 1.65e4),
        (8.710, 1495, 702, 599),
    ),
)


def _fixed_delay() -> Iterator[Cell]:
    for name, nodes, count, holding, pattern, boxo in _FIXED:
        size = LARGE if pattern == "unixfs-large" else STANDARD
        scenario = _scenario(name, Group("seed", nodes - 1), holding, pattern, Blocks(count, size, ROOT))
        yield Cell(scenario, Figures(*boxo), count, drawn=holding == "one")


def _old_peers() -> Iterator[Cell]:
    for name, holding, pattern, boxo in _OLD:
        seeds = Group("seed", 2, protocol="1.1.0", dont_haves=False)
        yield Cell(_scenario(name, seeds, holding, pattern, Blocks(10, STANDARD, ROOT)), Figures(*boxo), 10)


def _data_centre() -> Iterator[Cell]:
    seeds = Group("seed", 2, store_latency=0.025)
    near, rate = internet(0.005, 0.003), normal_rate(1.25e8, 3e6)
    small, large = Blocks(100, LARGE, ROOT), Blocks(1000, LARGE)
    yield Cell(
        _scenario("Datacenter 3N UnixfsFetch", seeds, "all", "unixfs", small, delay=near, rate=rate),
        Figures(0.709, 64, 101, 101),
        100,
        drawn=True,
    )
    seeds = Group("seed", 3, store_latency=0.025)
    yield Cell(
        _scenario(
            "Datacenter 3 leech x 3 seed UnixfsFetchLarge",
            seeds,
            "all",
            "unixfs-large",
            large,
            fetchers=3,
            delay=near,
            rate=rate,
        ),
        Figures(4.781, 643, 1011, 1001),
        1000,
        drawn=True,
    )


def _real_world() -> Iterator[Cell]:
    for name, ways, rate, boxo in _REAL_WORLD:
        scenario = _scenario(
            name,
            Group("seed", 299),
            "all",
            "all",
            Blocks(200, STANDARD, ROOT),
            delay=internet(0.06, 0.02, **ways),
            rate=normal_rate(*rate),
        )
        yield Cell(scenario, Figures(*boxo), 200, drawn=True)
