"""`bitswap block`: one raw block in and out of the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bitswap.cli import main

HELLO_RAW = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"lmdb:{tmp_path / 'store'}"


@pytest.fixture
def hello(tmp_path: Path) -> str:
    path = tmp_path / "hello"
    path.write_bytes(b"hello")
    return str(path)


def test_put_stat_get(url: str, hello: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["block", "put", hello, "--store", url]) == 0
    cid = capsys.readouterr().out.strip()
    assert main(["block", "stat", cid, "--store", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"cid": cid, "size": 5}
    out = tmp_path / "out"
    assert main(["block", "get", cid, "--store", url, "-o", str(out)]) == 0
    assert out.read_bytes() == b"hello"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hello", "out", "store"]


def test_the_cid_of_a_put_is_known(url: str, hello: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["block", "put", hello, "--store", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"cid": HELLO_RAW, "size": 5}


def test_a_cid_v0_needs_dag_pb(url: str, hello: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["block", "put", hello, "--store", url, "--cid-version", "0"]) == 2
    assert "dag-pb" in capsys.readouterr().err
    assert main(["block", "put", hello, "--store", url, "--cid-version", "0", "--codec", "dag-pb"]) == 0
    assert capsys.readouterr().out.startswith("Qm")


def test_a_block_that_nobody_has_is_not_found(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["block", "get", HELLO_RAW, "--store", url]) == 1
    told = capsys.readouterr().err
    assert HELLO_RAW in told
    assert "--peer" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("cid", ["", "Qm", "zzz", "bafkreibm6jg3"])
def test_a_bad_cid_is_a_usage_error(cid: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["block", "get", cid, "--store", url]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_file_too_large_for_a_block_is_refused(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes((2 << 20) + 1))
    assert main(["block", "put", str(large), "--store", url]) == 2
    assert "bitswap add" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["nonsense"], ["block"], ["get"], ["blocks", "make", "--count", "0"]])
def test_wrong_words_exit_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
