"""What differs between the recorded result of a script and another result, by where."""

from __future__ import annotations

import json
from typing import Any

_ABSENT = object()


def differences(recorded: dict[str, Any], got: dict[str, Any], ordered: bool) -> dict[str, str]:
    """Where -> what was expected and what came. What is null in the record differed from run to run.

    `ordered` says whether the order of a peer's messages means anything.
    """
    found: dict[str, str] = {}
    _compare("", recorded, got, ordered, found)
    return found


def _compare(where: str, expected: Any, got: Any, ordered: bool, found: dict[str, str]) -> None:
    if expected is None:
        return
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in dict.fromkeys([*expected, *got]):
            inner = f"{where}.{key}" if where else key
            _compare(inner, expected.get(key, _ABSENT), got.get(key, _ABSENT), ordered, found)
        return
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        if where.endswith(".messages"):
            if not _same_messages(expected, got, ordered):
                found[where] = _line(expected, got)
            return
        if expected and isinstance(expected[0], dict):
            for position, (one, other) in enumerate(zip(expected, got, strict=True)):
                _compare(f"{where}.{position}", one, other, ordered, found)
            return
    if expected != got:
        found[where] = _line(expected, got)


def _same_messages(expected: list[dict[str, Any]], got: list[dict[str, Any]], ordered: bool) -> bool:
    if ordered:
        return all(_same(one, other) for one, other in zip(expected, got, strict=True))
    left = list(got)
    # Those with the fewest nulls choose first: what they match, another with more nulls might take as well.
    for message in sorted(expected, key=lambda message: list(message.values()).count(None)):
        match = next((other for other in left if _same(message, other)), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _same(expected: dict[str, Any], got: dict[str, Any]) -> bool:
    return expected.keys() == got.keys() and all(
        value is None or value == got[key] for key, value in expected.items()
    )


def _line(expected: object, got: object) -> str:
    return f"expected {_short(expected)}, got {_short(got)}"


def _short(value: object) -> str:
    if value is _ABSENT:
        return "nothing"
    text = json.dumps(value)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text)} characters)"
