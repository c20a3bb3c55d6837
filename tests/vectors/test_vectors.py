"""Every recorded answer in this directory, through every implementation."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sizes import LONG
from tests.vectors import runner

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FILES = [
    ("wire", "wire.open.jsonl"),
    ("wire", "wire_large.open.jsonl"),
    ("encode", "encode.jsonl"),
    ("cid", "cid.open.jsonl"),
    ("unixfs", "unixfs.open.jsonl"),
    ("engine", "engine.open.jsonl"),
]

LARGE = {
    *(f"boxo-file-7-v1-raw-c{chunk}-l174-47000000" for chunk in (262144, 1048576)),
    *(f"boxo-file-7-v1-raw-c{chunk}-l174-60000000" for chunk in (65536, 262144, 1048576)),
    "boxo-file-7-v1-raw-c64-l174-1937664",
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "file"), FILES, ids=[file for _, file in FILES])
def test_no_difference_from_the_recorded_answers(kind: str, file: str, tmp_path: Path) -> None:
    out = io.StringIO()
    path = HERE / file
    if kind == "unixfs" and not LONG:
        path = without_large_files(path, tmp_path)
    assert runner.run(kind, path, out) == 0, out.getvalue()
    assert out.getvalue().splitlines()[-1].startswith(f"{file}: ")


def without_large_files(path: Path, folder: Path) -> Path:
    """Of those that take more than a second, one of each depth: 183 leaves in two levels, 30,455 in three."""
    lines = path.read_text().splitlines(keepends=True)
    large = [line for line in lines if json.loads(line)["name"] in LARGE]
    assert len(large) == len(LARGE)
    short = folder / path.name
    short.write_text("".join(line for line in lines if line not in large))
    return short


def changed(tmp_path: Path, **changes: Any) -> Path:
    with (HERE / "wire.open.jsonl").open() as lines:
        record = json.loads(next(lines))
    record.update(changes)
    path = tmp_path / "changed.jsonl"
    path.write_text(json.dumps(record) + "\n")
    return path


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.vectors", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_difference_is_named_and_counted(tmp_path: Path) -> None:
    path = changed(tmp_path, consumed=1)
    result = command("wire", path)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert "changed.jsonl: entry-prio0-cancel1-type1-sdh0: py: consumed: expected 1, got 47" in lines
    assert lines[-1].endswith(f"{len(lines) - 1} differences")


def test_another_verdict_is_a_difference(tmp_path: Path) -> None:
    out = io.StringIO()
    assert runner.run("wire", changed(tmp_path, verdict="error"), out) > 0
    assert "verdict: expected error" in out.getvalue()
    assert runner.run("wire", changed(tmp_path, hex="ff", consumed=2), out) > 0
    assert "verdict: expected ok, got error: bad protobuf at byte 0" in out.getvalue()


def test_no_difference_exits_0(tmp_path: Path) -> None:
    result = command("wire", changed(tmp_path))
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("changed.jsonl: 1 records, ")
    assert result.stdout.endswith(" 0 differences\n")


def test_a_known_difference_is_shown_and_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.vectors import explained

    case = ("wire", lambda record, what: what.startswith("consumed"), "we count otherwise")
    monkeypatch.setattr(explained, "EXPLAINED", [case])
    out = io.StringIO()
    assert runner.run("wire", changed(tmp_path, consumed=1), out) == 0
    assert "(explained: we count otherwise)" in out.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("wire",),
        ("nonsense", "x.jsonl"),
        ("wire", "missing.jsonl"),
        ("wire", "README.md"),
        ("wire", "tests/vectors/unixfs.open.jsonl"),
        ("engine", "tests/vectors/wire.open.jsonl"),
        ("wire", "tests/vectors"),
    ],
)
def test_what_cannot_be_checked_exits_2(arguments: tuple[str, ...]) -> None:
    result = command(*arguments)
    assert result.returncode == 2
    assert result.stderr
    assert "Traceback" not in result.stderr
