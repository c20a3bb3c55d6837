"""Cutting a history down to the operations that matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .world import Operation


def reduced(
    operations: Sequence[Operation], fails: Callable[[Sequence[Operation]], bool], patience: int = 400
) -> list[Operation]:
    """Operations without which `fails` is still true, left out; tried at most `patience` times.

    First long stretches are left out, then shorter ones, then single entries of messages.
    """
    left = list(operations)
    size = max(len(left) // 2, 1)
    while size and patience > 0:
        place = 0
        while place < len(left) and patience > 0:
            shorter = left[:place] + left[place + size :]
            patience -= 1
            if fails(shorter):
                left = shorter
            else:
                place += size
        size //= 2
    for place in range(len(left)):
        for smaller in _smaller(left[place]):
            if patience <= 0:
                return left
            patience -= 1
            attempt = [*left[:place], smaller, *left[place + 1 :]]
            if fails(attempt):
                left = attempt
                break
    return left


def _smaller(operation: Operation) -> list[Operation]:
    """The operation with half, then with single ones, of the elements of its longest list."""
    lists = [(len(part), where) for where, part in enumerate(operation) if isinstance(part, tuple)]
    if not lists or max(lists)[0] < 2:
        return []
    where = max(lists)[1]
    parts = operation[where]
    half = len(parts) // 2
    choices = [(part,) for part in parts] if len(parts) <= 8 else []
    choices += [parts[:half], parts[half:]]
    return [(*operation[:where], choice, *operation[where + 1 :]) for choice in choices]
