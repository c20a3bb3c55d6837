"""The corpus: streams of Bitswap, valid and hostile, with what a decoder makes of them and a peer may do.

Made by code alone and always the same; `tests/corpus` keeps it as data.
"""

from __future__ import annotations

from bitswap.conform.case import Case
from bitswap.conform.corpus import blocks, cids, entries, framing, protobuf, streams

_SOURCES = (framing, protobuf, entries, cids, blocks, streams)


def all_cases() -> list[Case]:
    """Every case, in an order that stays; names are unique within a theme."""
    return [case for source in _SOURCES for case in source.cases()]


def themes() -> dict[str, list[Case]]:
    """The cases by theme."""
    found: dict[str, list[Case]] = {}
    for case in all_cases():
        found.setdefault(case.theme, []).append(case)
    return found
