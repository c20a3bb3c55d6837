"""What docs/limits.md says of the options is true, and it leaves none out."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from bitswap.options import (
    KIB,
    MIB,
    ClientOptions,
    DagOptions,
    NetworkOptions,
    RoutingOptions,
    ServerOptions,
    StoreOptions,
)

TEXT = (Path(__file__).parent.parent / "docs" / "limits.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)
SECTIONS = (ServerOptions, ClientOptions, NetworkOptions, StoreOptions, DagOptions, RoutingOptions)


def number(text: str) -> float | None:
    """A default as it stands in the table."""
    if text == "none":
        return None
    unit = {"Ki": KIB, "Mi": MIB}.get(text[-2:], 1)
    return float(text.removesuffix("Ki").removesuffix("Mi").replace(",", "")) * unit


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_bound_is_told_with_its_default(section: type) -> None:
    part = re.search(rf"^## [^\n]*`{section.__name__}`\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert part is not None
    told = {name: number(default) for name, default in ROW.findall(part[1])}
    bounds = {
        field.name: field.default
        for field in fields(section)
        if "int" in str(field.type) or "float" in str(field.type)
    }
    assert told == bounds, "docs/limits.md differs from the options"
