"""Every check, in the order in which they run: from what others build on to what looks back at the whole."""

from __future__ import annotations

from bitswap.conform.check import Check
from bitswap.conform.checks import (
    answers,
    blocks,
    connections,
    entries,
    held,
    hostile,
    overall,
    protocols,
    queues,
    streams,
    volume,
)

_MODULES = (
    *(protocols, answers, entries, streams, volume, held, queues, blocks),
    *(connections, hostile, overall),
)


def all_checks() -> list[Check]:
    """In order; names are unique."""
    return [check for module in _MODULES for check in module.CHECKS.all]
