"""Lines over two logarithmic axes as SVG, written by hand so that nothing has to be installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 150, 44, 44
_COLOURS = ("#6b7280", "#2563eb", "#059669", "#d97706", "#7c3aed")


class Line(NamedTuple):
    """Points with positive coordinates, from left to right."""

    name: str
    points: Sequence[tuple[float, float]]


def log_chart(drawn: Sequence[Line], marks: Sequence[tuple[float, str]], title: str) -> str:
    """`marks` are places on the axis below with what stands there."""
    values = [y for line in drawn for _, y in line.points] or [1.0]
    across = _scale([place for place, _ in marks], _LEFT, _WIDTH - _RIGHT)
    levels = _levels(min(values), max(values))
    up = _scale(levels, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="24" font-size="14">{escape(title)}</text>',
        *_grid(marks, across, levels, up),
    ]
    ends: list[float] = []
    for place, line in enumerate(drawn):
        parts += _drawn(line, _COLOURS[place % len(_COLOURS)], across, up, ends)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _grid(
    marks: Sequence[tuple[float, str]],
    across: Callable[[float], float],
    levels: Sequence[float],
    up: Callable[[float], float],
) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    for place, text in marks:
        x = across(place)
        parts.append(f'<path d="M{x:.1f} {_TOP} V{bottom}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{escape(text)}</text>')
    for value in levels:
        y = up(value)
        parts.append(f'<path d="M{_LEFT} {y:.1f} H{right}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,g}</text>')
    return parts


def _drawn(
    line: Line,
    colour: str,
    across: Callable[[float], float],
    up: Callable[[float], float],
    ends: list[float],
) -> list[str]:
    points = [(across(x), up(y)) for x, y in line.points]
    if not points:
        return []
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    y = points[-1][1] + 4
    # Names that would cover each other move down.
    while any(abs(y - other) < 14 for other in ends):
        y += 1
    ends.append(y)
    parts.append(f'<text x="{points[-1][0] + 10:.1f}" y="{y:.1f}" fill="{colour}">{escape(line.name)}</text>')
    return parts


def _scale(values: Sequence[float], start: float, stop: float) -> Callable[[float], float]:
    first, last = log10(min(values)), log10(max(values))
    return lambda value: start + (stop - start) * (log10(value) - first) / ((last - first) or 1.0)


def _levels(low: float, high: float) -> list[float]:
    """Round values, the first at most `low`, the last at least `high`."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    steps = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    first = max(at for at, step in enumerate(steps) if step <= low)
    last = min(at for at, step in enumerate(steps) if step >= high)
    return steps[first : last + 1]
