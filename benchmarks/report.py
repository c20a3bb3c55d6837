"""Figures as a table of text that is also one of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """Nanoseconds an item."""

    name: str
    boxo: float | None = None
    compiled: float | None = None
    pure: float | None = None


def ratio(slow: float | None, fast: float | None) -> float | None:
    return slow / fast if slow is not None and fast is not None else None


def table(rows: Sequence[Row], *, boxo: bool) -> list[str]:
    """Lines; without the columns that are about boxo unless `boxo`."""
    names = ["operation", "boxo", "compiled", "pure", "boxo / compiled", "pure / compiled"]
    cells = [
        [
            row.name,
            figure(row.boxo),
            figure(row.compiled),
            figure(row.pure),
            times(ratio(row.boxo, row.compiled)),
            times(ratio(row.pure, row.compiled)),
        ]
        for row in rows
    ]
    if not boxo:
        names, cells = [*_without(names)], [[*_without(line)] for line in cells]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [_line(names, widths), _line(rule, widths), *(_line(line, widths) for line in cells)]


def figure(value: float | None) -> str:
    """Three digits are as much as a figure is worth."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.1f}"


def times(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}x" if value >= 9.95 else f"{value:.1f}x"


def _without(line: Sequence[str]) -> Sequence[str]:
    return [cell for i, cell in enumerate(line) if i not in (1, 4)]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *figures = cells
    padded = [name.ljust(widths[0])]
    padded += [cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=True)]
    return f"| {' | '.join(padded)} |"
