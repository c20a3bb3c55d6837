"""The matrix beside boxo's figures: which cells are won, which are lost, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bitswap.simulation.matrix import Cell, Figures, measure
from bitswap.simulation.table import markdown_table, text_table

COUNTS = ("seconds", "sent", "received", "blocks")
_HEAD = ("scenario", "seconds", "messages sent", "messages received", "blocks received", "afterwards")
_NOTHING = 1e-9  # virtual time is a sum of floats


@dataclass(frozen=True)
class Row:
    """One scenario as it ran here."""

    cell: Cell
    ours: Figures
    late_blocks: float
    late_messages: float
    complete: bool

    @property
    def lost(self) -> tuple[str, ...]:
        """The counts in which boxo is better; of blocks at most 1 % or two may be too many in any case."""
        found = [
            name
            for name, mine, theirs in zip(COUNTS, self.ours, self.cell.boxo, strict=True)
            if mine > theirs + _NOTHING
        ]
        if self.ours.blocks > self.cell.most_blocks and "blocks" not in found:
            found.append("blocks")
        return tuple(found) if self.complete else COUNTS


def compare(cell: Cell, seed: int) -> Row:
    """Run a cell and set it beside boxo's figures."""
    ours, result = measure(cell, seed)
    count = len(result.nodes)
    return Row(
        cell,
        ours,
        late_blocks=sum(node.late_blocks for node in result.nodes) / count,
        late_messages=sum(node.late_messages for node in result.nodes) / count,
        complete=result.complete,
    )


def worst(cell: Cell, seeds: Sequence[int]) -> Row:
    """The worst of each figure over some seeds, as one row."""
    rows = [compare(cell, seed) for seed in seeds]
    return Row(
        cell,
        Figures(*(max(figures) for figures in zip(*(row.ours for row in rows), strict=True))),
        late_blocks=max(row.late_blocks for row in rows),
        late_messages=max(row.late_messages for row in rows),
        complete=all(row.complete for row in rows),
    )


def text(rows: Sequence[Row]) -> str:
    """A table for a terminal."""
    return text_table(_HEAD, [_cells(row, "!") for row in rows])


def markdown(rows: Sequence[Row]) -> str:
    return markdown_table(_HEAD, [_cells(row, "**lost**") for row in rows])


def _cells(row: Row, mark: str) -> list[str]:
    cells = [row.cell.scenario.name]
    formats: tuple[Callable[[float], str], ...] = (_seconds, _count, _count, _count)
    for name, mine, theirs, shown in zip(COUNTS, row.ours, row.cell.boxo, formats, strict=True):
        words = f"{shown(mine)} / {shown(theirs)}"
        words += f" of {row.cell.wanted}" if name == "blocks" else f" ({mine / theirs:.2f})"
        cells.append(f"{words} {mark}" if name in row.lost else words)
    cells.append(f"{_count(row.late_blocks)}, {_count(row.late_messages)}")
    return cells


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _count(value: float) -> str:
    return f"{value:.0f}"


def report(rows: Sequence[Row], seed: int, drawn: Sequence[Row], seeds: Sequence[int]) -> str:
    """The page about the matrix: what was run, the table, the worst of several seeds."""
    lost = [f"{row.cell.scenario.name}: {', '.join(row.lost)}" for row in (*rows, *drawn) if row.lost]
    verdict = "No cell is lost." if not lost else "Lost: " + "; ".join(lost) + "."
    return _PAGE.format(
        seed=seed,
        table=markdown(rows),
        drawn=markdown(drawn),
        first=seeds[0],
        last=seeds[-1],
        verdict=verdict,
        count=len(rows),
    )


_PAGE = """# The matrix

boxo's {count} benchmark scenarios, run with our nodes on both sides in virtual time. Written by `python -m
tests.matrix`; seed {seed}. {verdict}

Each cell is ours / boxo's (ratio). A cell is lost where ours is more than boxo's; of blocks also where more
than 1 % or two blocks (whichever is more) came above the number wanted. boxo's figures are of boxo 0.43 on
its own virtual network, in real time on two cores, so its seconds hold some computing too; ours hold none.

- N: nodes; one fetches, the others have the blocks (8,000 bytes, the first 800; "Large" and "Datacenter"
  256 KiB).
- AllToAll: every seed has everything. Overlap1: two seeds with 75 blocks each, 50 in common. Overlap3: both
  have every third block, the others are divided. OnePeerPerBlock: each block at one random seed.
- OneAtATime: a request a block, one after the other. BatchBy10: ten at a time. AllConcurrent: a request a
  block, all at once. BigBatch: one request. UnixfsFetch: 1, 10, the rest; Large: 1, 10, 89, then rounds of
  5 x 10.
- Way: 10 ms. RealWorld: 300 nodes, 60 ms +- 20, in the two slower ones 30 % of the ways 140 ms longer and
  30 % 740 or 3,940 ms; 1.25 MB/s +- 0.3, 0.5 +- 0.08, 0.1 +- 0.0165 a connection. Datacenter: 5 ms +- 3,
  125 MB/s +- 3, 25 ms to read from a store.
- Messages and blocks are those of the fetcher until the last block came, as boxo counts; with three
  fetchers their means. Afterwards: blocks and messages that came or went in the 30 s after that.
- Nothing waits for a link to be free (`paced = false`), as on boxo's network; messages are encoded, decoded
  and verified.

{table}

## Where chance decides

Of seeds {first} to {last} the worst of each figure, for the scenarios in which delays, rates or holders are
drawn.

{drawn}
"""
