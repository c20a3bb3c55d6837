"""Metrics of several workers in Prometheus's text format: every series gets the label `worker`."""

from __future__ import annotations

from collections.abc import Mapping


def merged(texts: Mapping[int, str]) -> str:
    """`texts` by number of the worker; a family of series stands together, as the format asks."""
    heads: dict[str, list[str]] = {}
    series: dict[str, list[str]] = {}
    for number, text in texts.items():
        family, new = "", False
        for line in text.splitlines():
            if line.startswith(("# HELP ", "# TYPE ")):
                name = line.split(" ", 3)[2]
                if name != family:
                    family, new = name, name not in heads
                if new:
                    heads.setdefault(family, []).append(line)
            elif line and not line.startswith("#"):
                series.setdefault(family, []).append(_labelled(line, number))
    lines = [line for family, found in series.items() for line in (*heads.get(family, ()), *found)]
    return "".join(f"{line}\n" for line in lines)


def _labelled(line: str, number: int) -> str:
    brace, space = line.find("{"), line.find(" ")
    if 0 <= brace < space:
        return f'{line[: brace + 1]}worker="{number}",{line[brace + 1 :]}'
    return f'{line[:space]}{{worker="{number}"}}{line[space:]}'
