"""Progress over time as an SVG drawing, written by hand so that nothing has to be installed.

There is no PNG: every browser, and every office program of these years, shows SVG.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

from bitswap.simulation.result import Result

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 24, 48, 56
_COLOURS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2")
_TICKS = 6
_MOST_POINTS = 600


def progress_svg(results: Sequence[Result]) -> str:
    """Blocks that have come over virtual time, a line for each run."""
    end = max((result.seconds for result in results), default=0.0) or 1.0
    most = max((result.wanted for result in results), default=0) or 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        *_axes(end, most),
    ]
    for place, result in enumerate(results):
        colour = _COLOURS[place % len(_COLOURS)]
        path = " ".join(
            f"{_x(when, end):.1f},{_y(count, most):.1f}" for when, count in _steps(result.progress)
        )
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        label = escape(f"{result.scenario}, seed {result.seed}: {result.seconds:.3f} s")
        y = 20 + 16 * place
        parts.append(f'<text x="{_LEFT}" y="{y}" fill="{colour}">{label}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _steps(points: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """A line that stands still until blocks come; of very many points only some."""
    step = max(len(points) // _MOST_POINTS, 1)
    chosen = [*points[:-1:step], points[-1]] if points else []
    line: list[tuple[float, int]] = []
    for when, count in chosen:
        if line and line[-1][1] != count:
            line.append((when, line[-1][1]))
        line.append((when, count))
    return line


def _axes(end: float, most: int) -> list[str]:
    x_end, y_end = _x(end, end), _y(most, most)
    bottom = _HEIGHT - _BOTTOM
    parts = [f'<path d="M{_LEFT} {y_end:.1f} V{bottom} H{x_end:.1f}" fill="none" stroke="#444"/>']
    for value in _ticks(end):
        x = _x(value, end)
        parts.append(f'<path d="M{x:.1f} {y_end:.1f} V{bottom}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>')
    for value in _ticks(float(most)):
        y = _y(value, most)
        parts.append(f'<path d="M{_LEFT} {y:.1f} H{x_end:.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,g}</text>')
    middle = (_LEFT + x_end) / 2
    parts.append(f'<text x="{middle:.1f}" y="{_HEIGHT - 16}" text-anchor="middle">seconds</text>')
    parts.append(
        f'<text x="20" y="{(y_end + bottom) / 2:.1f}" text-anchor="middle" '
        f'transform="rotate(-90 20 {(y_end + bottom) / 2:.1f})">blocks</text>'
    )
    return parts


def _ticks(most: float) -> list[float]:
    """Round numbers from 0 to `most`, some six of them."""
    rough = most / _TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    return [round(step * number, 12) for number in range(ceil(most / step + 1e-9)) if step * number <= most]


def _x(seconds: float, end: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * seconds / end


def _y(count: float, most: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * count / most
