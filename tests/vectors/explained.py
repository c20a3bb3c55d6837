"""Where we differ from the recorded implementation on purpose: such differences are shown, not counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Predicate = Callable[[dict[str, Any], str], bool]

EXPLAINED: list[tuple[str, Predicate, str]] = []
"""Kind of record, whether (record, difference) is the case, why we do otherwise."""


class Explained(str):
    """A difference of which the check itself has found out why it is meant."""

    def __new__(cls, difference: str, why: str) -> Explained:
        new = super().__new__(cls, difference)
        new.why = why
        return new

    why: str


def reason(kind: str, record: dict[str, Any], difference: str) -> str | None:
    """Why this difference is meant, or None if it is not."""
    if isinstance(difference, Explained):
        return difference.why
    for known, applies, why in EXPLAINED:
        if known == kind and applies(record, difference):
            return why
    return None
