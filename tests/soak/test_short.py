"""The short form: two epochs on each core, after which the same is held; long: `python -m tests.soak`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from bitswap.decision.implementations import implementations

ROOT = Path(__file__).parent.parent.parent
SHORT = (
    *("--epochs", "2", "--warm", "0", "--rounds", "1"),
    *("--patience", "1.5", "--share", "0", "--workers", "12"),
)
STORES = {"py": "memory", "c": "lmdb"}
HAPPENED = (
    "transfers",
    "peers",
    "blocks fetched",
    "blocks served",
    "blocks_deleted",
    "cancels",
    "resets",
    "timeouts",
    "failed_dials",
    "providers_found",
    "lost_on_purpose",
    "rude",
    "killed",
    "looks",
)


class Running(NamedTuple):
    """A soak under way, and where it writes what came of it."""

    process: subprocess.Popen[bytes]
    file: Path


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """Both at once, since they wait most of the time."""
    folder = tmp_path_factory.mktemp("soak")
    with ExitStack() as stack:
        found = {}
        for name in implementations():
            environment = {key: value for key, value in os.environ.items() if key != "BITSWAP_PURE"}
            if name == "py":
                environment["BITSWAP_PURE"] = "1"
            file = folder / f"{name}.json"
            words = [sys.executable, "-m", "tests.soak", *SHORT, "--store", STORES[name], "--json", str(file)]
            process = subprocess.Popen(
                words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            stack.callback(_end, process)
            found[name] = Running(process, file)
        yield found


def _end(process: subprocess.Popen[bytes]) -> None:
    with process:
        process.kill()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("core", ["py", "c"])
def test_nothing_grows_and_nothing_fails(running: dict[str, Running], core: str) -> None:
    if core not in running:
        pytest.skip("the compiled core is not built")
    process, file = running[core]
    told, errors = process.communicate()
    assert process.returncode == 0, told.decode() + errors.decode()
    record = json.loads(file.read_text())
    assert record["implementation"] == {"py": "pure", "c": "compiled"}[core]
    assert record["found"] == []
    assert len(record["samples"]) == 2
    assert [what for what in HAPPENED if not record["counts"].get(what)] == []
    assert "failures" not in record["counts"]
