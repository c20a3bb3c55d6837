"""`bitswap conform`: its lines, its exit codes, and that it needs nothing but a peer."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from bitswap.conform.checks import all_checks
from tests.cli.commands import bitswap, serving
from tests.conform.badservers import DeniesUnasked

pytestmark = pytest.mark.timeout(120)

NOWHERE = "/ip4/127.0.0.1/tcp/1"


@pytest.mark.parametrize("security", ["tls", "noise"])
def test_a_peer_that_conforms(tmp_path: Path, security: str) -> None:
    held = tmp_path / "held"
    held.write_bytes(b"h" * 5000)
    names = ("--only", "protocol-*", "--only", "want-have-large", "--only", "priorities")
    with serving(held, "--store", "memory:") as (ready, _):
        peer = (ready["addrs"][0], "--security", security)
        cid = ready["roots"][str(held)]
        told = bitswap("conform", *peer, *names, "--json", "--cid", cid)
        words = bitswap("conform", *peer, "--only", "want-block", "--only", "identify", "-q")
    records = [json.loads(line) for line in told.stdout.splitlines()]
    assert {one["check"]: one["verdict"] for one in records[:-1]} == {
        "protocol-1.2.0": "pass",
        "protocol-1.1.0": "pass",
        "protocol-1.0.0": "pass",
        "protocol-unversioned": "pass",
        "want-have-large": "pass",
        "priorities": "skipped",
    }
    assert all(one["expected"] and one["rule"] and one["seen"] for one in records[:-1])
    assert records[-1] == {"peer": ready["addrs"][0], "pass": 5, "fail": 0, "differs": 0, "skipped": 1}
    lines = words.stdout.splitlines()
    assert lines[0].startswith("pass     identify ")
    assert lines[1].startswith("skipped  want-block ")
    assert lines[-1] == "2 checks: 1 pass, 1 skipped"


def test_a_peer_that_does_not() -> None:
    with DeniesUnasked() as server:
        told = bitswap("conform", server.address, "--only", "no-dont-have-unasked", code=1)
    lines = told.stdout.splitlines()
    assert lines[0].startswith("fail     no-dont-have-unasked ")
    assert [line.split()[0] for line in lines[1:3]] == ["expected:", "rule:"]
    assert lines[-1] == "1 check: 1 fail"


def test_a_peer_that_cannot_be_reached() -> None:
    told = bitswap("conform", NOWHERE, "--timeout", "2", code=2)
    assert told.stdout == ""
    assert "no connection to" in told.stderr


def test_a_peer_that_takes_connections_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as tarpit:
        address = f"/ip4/127.0.0.1/tcp/{tarpit.getsockname()[1]}"
        told = bitswap("conform", address, "--timeout", "1", code=2)
    assert "security protocol" in told.stderr


def test_the_list_needs_no_peer() -> None:
    told = bitswap("conform", "--list")
    assert [line.split()[0] for line in told.stdout.splitlines()] == [check.name for check in all_checks()]
    records = [json.loads(line) for line in bitswap("conform", "--list", "--json").stdout.splitlines()]
    assert all(set(record) == {"check", "expected", "rule"} for record in records)


@pytest.mark.parametrize(
    "words",
    [(), ("nonsense",), (NOWHERE, "--only", "nonsense"), (NOWHERE, "--cid", "nonsense"), ("/ip4/127.0.0.1",)],
)
def test_wrong_usage(words: tuple[str, ...]) -> None:
    assert bitswap("conform", *words, code=2).stderr


def test_the_help_names_it() -> None:
    assert "conform" in bitswap("--help").stdout
