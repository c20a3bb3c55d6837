"""`bitswap dag`: graphs as CAR files, out of a store, over loopback, and back."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from bitswap.car import read_car
from bitswap.cli import main
from bitswap.cli.demo import fingerprint
from tests.cli.commands import COMMAND, bitswap, serving

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "below").mkdir(parents=True)
    (root / "below" / "large").write_bytes(random.Random(1).randbytes(1_000_000))
    (root / "small").write_bytes(b"small")
    return root


def test_a_fetched_graph_travels_as_a_car(tree: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "graph.car", tmp_path / "out"
    store = f"lmdb:{tmp_path / 'store'}"
    with serving(tree, "--store", "memory:") as (ready, _):
        root, peer = ready["roots"][str(tree)], ready["addrs"][0]
        told = bitswap("dag", "export", root, "-o", file, "--peer", peer, "--store", "memory:", "--json")
    record = json.loads(told.stdout)
    assert (record["root"], record["duplicates"], record["output"]) == (root, 0, str(file))
    assert record["blocks"] == record["fetched"] > 5
    assert record["size"] == file.stat().st_size
    loaded = json.loads(bitswap("dag", "import", file, "--store", store, "--json").stdout)
    assert (loaded["roots"], loaded["missing_roots"]) == ([root], [])
    assert (loaded["version"], loaded["blocks"], loaded["bytes"]) == (1, record["blocks"], record["bytes"])
    bitswap("get", root, "-o", out, "--store", store)
    assert fingerprint(out) == fingerprint(tree)


def test_pipes(tree: Path, tmp_path: Path) -> None:
    first, second = (f"lmdb:{tmp_path / name}" for name in ("first", "second"))
    root = bitswap("add", tree, "--store", first).stdout.strip()
    car = subprocess.run([*COMMAND, "dag", "export", root, "--store", first], capture_output=True, check=True)
    assert [str(cid) for cid in read_car(io.BytesIO(car.stdout)).roots] == [root]
    load = [*COMMAND, "dag", "import", "-", "--store", second]
    done = subprocess.run(load, input=car.stdout, capture_output=True, check=True)
    assert done.stdout.decode().strip() == root
    again = subprocess.run(
        [*COMMAND, "dag", "export", root, "--store", second], capture_output=True, check=True
    )
    assert again.stdout == car.stdout


def test_a_truncated_file_is_stored_as_far_as_it_goes(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, file = f"lmdb:{tmp_path / 'store'}", tmp_path / "graph.car"
    assert main(["add", str(tree), "--store", store]) == 0
    root = capsys.readouterr().out.strip()
    assert main(["dag", "export", root, "--store", store, "-o", str(file)]) == 0
    data = file.read_bytes()
    with file.open("wb") as short:
        short.write(data[:600_000])
    other = f"lmdb:{tmp_path / 'other'}"
    capsys.readouterr()
    assert main(["dag", "import", str(file), "--store", other, "--json"]) == 1
    told = capsys.readouterr()
    record = json.loads(told.out)
    assert record["error"].startswith(f"at byte {record['offset']}: ")
    assert f"{file}: at byte {record['offset']}" in told.err
    assert f"stored {record['blocks']} blocks" in told.err
    whole = read_car(io.BytesIO(data))
    blocks = [next(whole) for _ in range(record["blocks"])]
    assert whole.offset == record["offset"]
    for block in blocks:
        assert main(["block", "stat", str(block.cid), "--store", other, "-q"]) == 0


def test_nothing_is_left_of_an_export_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "graph.car"
    missing = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
    assert main(["dag", "export", missing, "--store", f"lmdb:{tmp_path / 'store'}", "-o", str(file)]) == 1
    assert missing in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_written_to_and_stays(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, pipe = f"lmdb:{tmp_path / 'store'}", tmp_path / "pipe"
    assert main(["add", str(tree), "--store", store]) == 0
    root = capsys.readouterr().out.strip()
    os.mkfifo(pipe)
    command = [*COMMAND, "dag", "import", str(pipe), "--store", "memory:", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reading:
        bitswap("dag", "export", root, "--store", store, "-o", pipe)
        told, _ = reading.communicate()
    assert json.loads(told)["missing_roots"] == []
    assert pipe.is_fifo()


def test_what_is_no_car_or_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"no CAR")
    assert main(["dag", "import", str(wrong), "--store", "memory:"]) == 1
    assert f"{wrong}: at byte 0: " in capsys.readouterr().err
    assert main(["dag", "import", str(tmp_path / "none"), "--store", "memory:"]) == 2
    assert "no such file" in capsys.readouterr().err
