"""The corpus as data: what is made by code, and what was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bitswap.conform.corpus import all_cases

HERE = Path(__file__).parent
CORPUS = HERE / "corpus.jsonl"
RECORDED = HERE / "recorded.jsonl"


def made() -> str:
    """The lines of `corpus.jsonl`."""
    return "".join(json.dumps(case.to_json(), separators=(",", ":")) + "\n" for case in all_cases())


def read(path: Path) -> list[dict[str, Any]]:
    """One entry a line."""
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def stream(entry: dict[str, Any]) -> bytes:
    """The bytes of an entry."""
    if "parts" in entry:
        return b"".join(bytes.fromhex(part) * times for part, times in entry["parts"])
    return bytes.fromhex(entry["hex"])
