"""`bitswap check` against peers that have the block, lack it, say nothing, or are not there."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bitswap.block import Block
from bitswap.message import PROTOCOLS
from bitswap.multihash import IDENTITY
from bitswap.network.libp2p import Libp2pNetwork
from tests.cli.commands import bitswap, serving
from tests.libp2p.puppet import Received

pytestmark = pytest.mark.timeout(120)

CID = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"


@contextmanager
def silent(protocols: tuple[str, ...] = PROTOCOLS) -> Iterator[tuple[Libp2pNetwork, Received]]:
    """A peer that takes every message and answers none."""
    received = Received()
    network = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], protocols=protocols)
    network.start(received)
    try:
        yield network, received
    finally:
        network.close()


@pytest.mark.parametrize("security", ["tls", "noise"])
def test_a_peer_that_has_it(tmp_path: Path, security: str) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(random.Random(1).randbytes(4096))
    small.write_bytes(b"small")
    with serving(large, small, "--store", "memory:") as (ready, _):
        for path, answer in ((large, "HAVE"), (small, "BLOCK")):
            cid = ready["roots"][str(path)]
            told = bitswap("check", cid, ready["addrs"][0], "--security", security, "--json")
            record = json.loads(told.stdout)
            assert (record["peer"], record["cid"]) == (ready["peer_id"], cid)
            assert (record["have"], record["answer"]) == (True, answer)
            assert min(record["connected_seconds"], record["latency_seconds"], record["seconds"]) > 0
        words = bitswap("check", cid, ready["addrs"][0]).stdout
    assert words == f"{ready['peer_id']} has {cid}\n"


def test_a_peer_that_lacks_it() -> None:
    with serving("--store", "memory:") as (ready, _):
        record = json.loads(bitswap("check", CID, ready["addrs"][0], "--json", code=1).stdout)
        words = bitswap("check", CID, ready["addrs"][0], code=1).stdout
    assert (record["have"], record["answer"]) == (False, "DONT_HAVE")
    assert "does not have" in words


def test_a_peer_that_is_silent_is_told_that_nobody_waits_any_more() -> None:
    with silent() as (network, received):
        words = ("check", CID, network.addrs[0], "--timeout", "0.5", "--json")
        record = json.loads(bitswap(*words, code=1).stdout)
        received.wait(lambda: len(received.messages) == 2)
    assert (record["have"], record["answer"]) == (None, "none")
    assert record["latency_seconds"] > 0
    entries = [entry for _, message in received.messages for entry in message.wantlist()]  # type: ignore[attr-defined]
    assert [str(entry.cid) for entry in entries] == [CID, CID]
    assert [entry.cancel for entry in entries] == [False, True]
    assert entries[0].send_dont_have
    assert entries[0].want_type == 1


def test_a_peer_without_bitswap() -> None:
    with silent(("/other/1.0.0",)) as (network, _):
        told = bitswap("check", CID, network.addrs[0], "--json", code=1)
    record = json.loads(told.stdout)
    assert (record["have"], record["answer"]) == (None, "none")
    assert "could not be asked" in told.stderr


def test_a_peer_that_is_not_there() -> None:
    told = bitswap("check", CID, "/ip4/127.0.0.1/tcp/1", code=1)
    assert told.stdout == ""
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("cid", "address"),
    [
        ("nonsense", "/ip4/127.0.0.1/tcp/1"),
        (CID, "nonsense"),
        (str(Block.of(b"inline", hash_code=IDENTITY).cid), "/ip4/127.0.0.1/tcp/1"),
    ],
)
def test_wrong_usage(cid: str, address: str) -> None:
    assert bitswap("check", cid, address, code=2).stderr
