"""boxo's benchmark scenarios: at least as good in every cell, and the same for the same seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from bitswap.simulation.comparison import COUNTS, Row, compare, report, text, worst
from bitswap.simulation.matrix import Cell, Figures, cells, measure

CELLS = {cell.scenario.name: cell for cell in cells()}
DRAWN = [name for name, cell in CELLS.items() if cell.drawn and "Datacenter" not in name]
QUICK = ["10N AllToAll BatchFetchBy10", "10N OnePeerPerBlock OneAtATime", "RealWorld SlowVariableSpeed"]


def test_the_matrix_is_boxos() -> None:
    assert len(CELLS) == 26
    assert sum(name[0].isdigit() for name in CELLS) == 18
    large = CELLS["10N AllToAll UnixfsFetchLarge"].scenario
    assert (large.blocks.count, large.blocks.size, large.blocks.root_size) == (1000, 256 * 1024, 800)
    assert [group.count for group in CELLS["RealWorld Fast"].scenario.nodes] == [299, 1]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", CELLS)
def test_nothing_is_lost(name: str) -> None:
    row = compare(CELLS[name], seed=1)
    assert row.complete
    assert row.lost == ()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", DRAWN)
def test_nor_by_chance(name: str) -> None:
    assert worst(CELLS[name], range(2, 6)).lost == ()


@pytest.mark.parametrize("name", QUICK)
def test_a_seed_gives_the_same_again(name: str) -> None:
    first, second = (measure(CELLS[name], 7)[1] for _ in range(2))
    assert first == second


def test_another_seed_gives_something_else() -> None:
    first, second = (measure(CELLS["RealWorld Fast"], seed)[1] for seed in (7, 8))
    assert first.seconds != second.seconds


def test_neither_hash_seeds_nor_the_compiled_core_change_anything() -> None:
    """Sets of CIDs are iterated in another order in every process; and a machine may have no compiler."""
    code = (
        "import json, sys\n"
        "from bitswap.simulation.matrix import cells, measure\n"
        "for cell in cells():\n"
        "    if cell.scenario.name in sys.argv[1:]:\n"
        "        print(json.dumps(measure(cell, 7)[1].to_json()))\n"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code, *QUICK],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "BITSWAP_PURE": pure},
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        for hash_seed, pure in (("1", "0"), ("2", "0"), ("3", "1"))
    ]
    assert outputs[0] == outputs[1] == outputs[2]
    assert len([json.loads(line) for line in outputs[0].splitlines()]) == len(QUICK)


def row(ours: tuple[float, float, float, float], boxo: tuple[float, float, float, float], wanted: int) -> Row:
    cell = Cell(CELLS["3N AllToAll BigBatch"].scenario, Figures(*boxo), wanted)
    return Row(cell, Figures(*ours), late_blocks=0, late_messages=0, complete=True)


@pytest.mark.parametrize(
    ("ours", "boxo", "lost"),
    [
        ((1, 10, 10, 100), (1, 10, 10, 100), ()),
        ((1.1, 10, 10, 100), (1, 10, 10, 100), ("seconds",)),
        ((1, 11, 12, 100), (1, 10, 10, 100), ("sent", "received")),
        ((1, 10, 10, 102), (1, 10, 10, 108), ()),
        ((1, 10, 10, 101), (1, 10, 10, 100), ("blocks",)),
        # More than two too many is too much, whatever boxo needs.
        ((1, 10, 10, 103), (1, 10, 10, 108), ("blocks",)),
    ],
)
def test_what_lost_means(
    ours: tuple[float, float, float, float], boxo: tuple[float, float, float, float], lost: tuple[str, ...]
) -> None:
    assert row(ours, boxo, 100).lost == lost


def test_of_many_blocks_one_in_a_hundred_may_be_too_many() -> None:
    assert row((1, 1, 1, 1010), (1, 1, 1, 2000), 1000).lost == ()
    assert row((1, 1, 1, 1011), (1, 1, 1, 2000), 1000).lost == ("blocks",)


def test_what_is_not_complete_has_lost_everything() -> None:
    good = row((1, 1, 1, 100), (1, 1, 1, 100), 100)
    assert Row(good.cell, good.ours, 0, 0, complete=False).lost == COUNTS


def test_the_page_marks_what_is_lost() -> None:
    won, lost = row((1, 1, 1, 100), (2, 2, 2, 100), 100), row((3, 1, 1, 100), (2, 2, 2, 100), 100)
    page = report([won], 5, [], range(5, 8))
    assert "seed 5. No cell is lost." in page
    assert "0.50" in page
    page = report([won, lost], 5, [lost], range(5, 8))
    assert "Lost: 3N AllToAll BigBatch: seconds" in page
    assert page.count("(1.50) **lost**") == 2
    assert "!" in text([lost])
    assert "!" not in text([won])
