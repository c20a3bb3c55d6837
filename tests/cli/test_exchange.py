"""The commands against each other, each a process of its own, over loopback TCP."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from bitswap.cli import main
from bitswap.cli.demo import fingerprint
from tests.cli.commands import COMMAND, bitswap, serving

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files of several blocks, small ones, an empty one, an empty directory, a link."""
    root = tmp_path / "tree"
    (root / "a" / "b").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a" / "large").write_bytes(random.Random(1).randbytes(1_000_000))
    (root / "a" / "b" / "small").write_bytes(b"small")
    (root / "nothing").write_bytes(b"")
    os.symlink("a/large", root / "link")
    return root


@pytest.mark.parametrize("security", ["tls", "noise"])
def test_a_directory_travels(tree: Path, tmp_path: Path, security: str) -> None:
    with serving(tree, "--store", "memory:", "--security", security) as (ready, _):
        root, peer = ready["roots"][str(tree)], ready["addrs"][0]
        out = tmp_path / "out"
        told = bitswap(
            "get", root, "-o", out, "--peer", peer, "--store", "memory:", "--security", security, "--json"
        )
    record = json.loads(told.stdout)
    assert fingerprint(out) == fingerprint(tree)
    assert record["bytes"] == 1_000_005
    assert record["duplicates"] == 0
    assert record["blocks"] > 4


def test_a_path_below_a_root(tree: Path, tmp_path: Path) -> None:
    with serving(tree, "--store", "memory:") as (ready, _):
        root, peer = ready["roots"][str(tree)], ready["addrs"][0]
        common = ("--peer", peer, "--store", "memory:")
        assert bitswap("get", f"{root}/a/b/small", "-o", "-", *common).stdout == "small"
        missing = bitswap("get", f"{root}/a/none", "-o", tmp_path / "out", *common, code=1)
        assert "none" in missing.stderr
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".bitswap*"))


def test_a_second_get_fetches_nothing(tree: Path, tmp_path: Path) -> None:
    store = f"lmdb:{tmp_path / 'store'}"
    with serving(tree, "--store", "memory:") as (ready, _):
        words = ("get", ready["roots"][str(tree)], "--peer", ready["addrs"][0], "--store", store, "--json")
        first = json.loads(bitswap(*words, "-o", tmp_path / "one").stdout)
        second = json.loads(bitswap(*words, "-o", tmp_path / "two").stdout)
    assert first["blocks"] > 0
    assert second["blocks"] == 0
    assert fingerprint(tmp_path / "two") == fingerprint(tree)
    # What the store holds needs no peer at all: neither one that is gone, nor any.
    bitswap(*words, "-o", tmp_path / "three")
    bitswap("get", ready["roots"][str(tree)], "--store", store, "-o", tmp_path / "four")
    assert fingerprint(tmp_path / "three") == fingerprint(tmp_path / "four") == fingerprint(tree)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals to send")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_cleanly_with_its_statistics(tree: Path, tmp_path: Path, number: int) -> None:
    with serving(tree, "--store", "memory:") as (ready, process):
        peer = ready["addrs"][0]
        bitswap(
            "get", ready["roots"][str(tree)], "--peer", peer, "--store", "memory:", "-o", tmp_path / "out"
        )
        process.send_signal(number)
        said, errors = process.communicate()
        assert process.returncode == 0
    assert json.loads(said.splitlines()[-1])["stat"]["blocks_sent"] > 4
    assert "Traceback" not in errors


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals to send")
def test_ctrl_c_ends_a_command_without_a_traceback() -> None:
    """It is interrupted where it certainly is: reading a list that does not end."""
    reader, writer = os.pipe()
    command = [*COMMAND, "blocks", "get", "--cids", "-", "--store", "memory:"]
    process = subprocess.Popen(
        command, stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    os.close(reader)
    for _ in range(3):
        os.write(writer, b"\n" * 65536)  # more than a pipe holds, so this returns once the command reads
    process.send_signal(signal.SIGINT)
    os.close(writer)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors


def test_a_peer_that_lacks_the_block_is_named(tree: Path) -> None:
    cid = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
    with serving(tree, "--store", "memory:") as (ready, _):
        told = bitswap("block", "get", cid, "--peer", ready["addrs"][0], "--store", "memory:", code=1)
    assert cid in told.stderr
    assert ready["peer_id"] in told.stderr
    assert "DONT_HAVE" in told.stderr


def test_a_peer_that_is_not_there(tmp_path: Path) -> None:
    cid = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
    told = bitswap("block", "get", cid, "--peer", "/ip4/127.0.0.1/tcp/1", "--store", "memory:", code=1)
    assert "/ip4/127.0.0.1/tcp/1" in told.stderr


@pytest.mark.parametrize("address", ["", "nonsense", "/ip4/127.0.0.1/udp/1", "/ip4/999.0.0.1/tcp/1"])
def test_a_bad_address_is_a_usage_error(address: str) -> None:
    cid = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
    assert main(["block", "get", cid, "--peer", address, "--store", "memory:"]) == 2


def test_the_demo_exchanges_a_given_directory(tree: Path) -> None:
    record = json.loads(bitswap("demo", tree, "--json").stdout)
    assert record["identical"] is True
    assert record["bytes"] == 1_000_005
    assert record["duplicates"] == 0


def test_the_demo_says_what_happened() -> None:
    told = bitswap("demo", "--size", 300_000).stdout
    for word in ("bytes", "blocks", "seconds", "MB/s", "duplicates", "identical"):
        assert word in told


def test_what_is_denied_is_not_served_and_a_rate_is_kept(tree: Path, tmp_path: Path) -> None:
    denied = tmp_path / "denied"
    small = bitswap("add", tree / "a" / "b" / "small", "--store", "memory:", "--json")
    denied.write_text(f"{json.loads(small.stdout)['cid']}\n")
    limits = ("--deny", denied, "--max-rate", "8M", "--max-peer-rate", "4M")
    with serving(tree, "--store", "memory:", *limits) as (ready, _):
        root, peer = ready["roots"][str(tree)], ready["addrs"][0]
        words = ("--peer", peer, "--store", "memory:", "--timeout", "20")
        bitswap("get", f"{root}/a/large", "-o", tmp_path / "large", *words)
        assert (tmp_path / "large").read_bytes() == (tree / "a" / "large").read_bytes()
        missing = bitswap("get", f"{root}/a/b/small", "-o", tmp_path / "small", *words, code=1)
        assert "DONT_HAVE" in missing.stderr
    denied.write_text("nonsense\n")
    refused = bitswap("serve", "--store", "memory:", "--deny", denied, code=2)
    assert "line 1" in refused.stderr
