"""Every recorded case of go-cid, one test each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.cid import check

RECORDS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "vectors" / "cid.open.jsonl")
    .read_text(encoding="utf-8")
    .split("\n")
    if line
]


@pytest.mark.parametrize("record", RECORDS, ids=[f"{i}-{r['class']}" for i, r in enumerate(RECORDS)])
def test_as_recorded(record: dict[str, Any]) -> None:
    assert check(record, "py") == []


def test_the_check_sees_differences() -> None:
    record = next(r for r in RECORDS if r["kind"] == "bytes" and r["verdict"] == "ok")
    assert check({**record, "cid": {**record["cid"], "codec": 1}}, "py") == [
        f"codec: {record['cid']['codec']}, not 1"
    ]
    assert check({**record, "verdict": "error"}, "py")
    assert check({**record, "hex": ""}, "py")
