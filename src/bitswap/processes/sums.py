"""Statistics of several workers as those of one node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Record = dict[str, Any]

NOW = ("peers", "wantlist", "wants", "pending_tasks", "active_tasks")
"""What is so at the moment; all else counts from the start, and stays when a worker ends."""


def added(records: Iterable[Record]) -> Record:
    """Numbers added up; lists as the set of what is in any, sorted."""
    total: Record = {}
    for record in records:
        for name, value in record.items():
            if isinstance(value, list):
                total[name] = sorted({*total.get(name, ()), *value})
            else:
                total[name] = total.get(name, 0) + value
    return total


def lasting(record: Record) -> Record:
    """What a worker that has ended leaves to be added."""
    return {name: value for name, value in record.items() if name not in NOW}
