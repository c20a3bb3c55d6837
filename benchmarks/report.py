"""Figures as a table of text that is also one of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.goals import goal


class Row(NamedTuple):
    """Nanoseconds an item."""

    name: str
    boxo: float | None = None
    compiled: float | None = None
    pure: float | None = None


def ratio(slow: float | None, fast: float | None) -> float | None:
    return slow / fast if slow is not None and fast is not None else None


def beside_boxo(rows: Sequence[Row]) -> list[str]:
    """Lines of figures, ratios, goals."""
    names = ["operation", "boxo", "compiled", "pure", "boxo / compiled", "pure / compiled", "goal", ""]
    lines = []
    for row in rows:
        boxo, pure = ratio(row.boxo, row.compiled), ratio(row.pure, row.compiled)
        aim = goal(row.name)
        cells = [row.name, figure(row.boxo), figure(row.compiled), figure(row.pure)]
        lines.append([*cells, times(boxo), times(pure), str(aim), aim.verdict(boxo, pure)])
    return table(names, lines, words=2)


def side_by_side(rows: Sequence[Row]) -> list[str]:
    """Lines of figures and their ratio, without boxo."""
    return table(
        ["operation", "compiled", "pure", "pure / compiled"],
        [
            [row.name, figure(row.compiled), figure(row.pure), times(ratio(row.pure, row.compiled))]
            for row in rows
        ],
    )


def table(names: Sequence[str], cells: Sequence[Sequence[str]], *, words: int = 0) -> list[str]:
    """Lines; the first column and the last `words` are words, the others figures."""
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    texts = {0, *range(len(names) - words, len(names))}
    rule = ["-" * width if i in texts else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    return [_line(line, widths, texts) for line in (names, rule, *cells)]


def figure(value: float | None) -> str:
    """Three digits are as much as a figure is worth."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.1f}"


def times(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}x" if value >= 9.95 else f"{value:.1f}x"


def _line(cells: Sequence[str], widths: Sequence[int], texts: set[int]) -> str:
    padded = [
        cell.ljust(width) if i in texts else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"
