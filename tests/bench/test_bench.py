"""`bitswap bench` runs from what is installed and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bitswap.cli import main
from tests.cli.commands import bitswap

pytestmark = pytest.mark.timeout(120)
ROWS = {"codec": 2, "engine": 3, "hash": 2, "store": 4, "network": 3}


def test_all_rows_as_json(tmp_path: Path) -> None:
    store = tmp_path / "there" / "store"
    store.parent.mkdir()
    told = bitswap("bench", "--scale", "0.02", "--json", "--store", f"lmdb:{store}")
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert Counter(row["part"] for row in rows) == ROWS
    assert len({(row["part"], row["name"]) for row in rows}) == len(rows)
    for row in rows:
        assert row["value"] > 0
        assert row["amount"] > 0
        assert row["unit"] in ("wants/s", "blocks/s", "MB/s", "ms")
    assert list(store.parent.iterdir()) == []


def test_a_table_for_people_from_any_folder(tmp_path: Path) -> None:
    source = str(Path(__file__).parent.parent.parent / "src")
    path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", "bitswap", "bench", "--scale", "0.01", "--store", "memory:"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert Counter(line.split()[0] for line in lines) == ROWS
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["--store", "nothing"], ["--store", "tape:x"]])
def test_a_store_that_cannot_be_is_a_usage_error(words: list[str]) -> None:
    assert main(["bench", "--scale", "0.001", "--quiet", *words]) == 2
