"""Outcomes as short text: CIDs by their number, as operations have them."""

from __future__ import annotations

import pprint
from typing import Any

from bitswap.cid import CID

from .catalogue import NUMBERS


class _Number(int):
    def __repr__(self) -> str:
        return f"#{int(self)}"


def _numbered(thing: Any) -> Any:
    if isinstance(thing, CID):
        return _Number(NUMBERS[thing])
    if isinstance(thing, (list, tuple)):
        return [_numbered(part) for part in thing]
    if isinstance(thing, bytes) and len(thing) > 60:
        return thing[:60], "…", len(thing)
    return thing


def shorten(outcome: Any, limit: int = 3000) -> str:
    text = pprint.pformat(_numbered(outcome), width=160, compact=True)
    return text if len(text) <= limit else text[:limit] + "…"
