"""`bitswap serve --workers`: one node to its clients, several processes to its administrator."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bitswap import CID, Bitswap
from bitswap.cli.arguments import endpoint
from tests.cli.commands import COMMAND, bitswap, serving
from tests.client.waiting import until

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows hands no connections to other processes"),
]

ADMIN = ("--admin", "127.0.0.1:0")

MakeClient = Callable[[str], Bitswap]


def ask(ready: dict[str, Any], path: str) -> Any:
    connection = http.client.HTTPConnection(*endpoint(ready["admin"]), timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return body.decode() if path == "/metrics" else json.loads(body)
    finally:
        connection.close()


def places(ready: dict[str, Any]) -> dict[str, int]:
    """Which worker each peer is at."""
    return {entry["peer"]: entry["worker"] for entry in ask(ready, "/peers")["peers"]}


def ended(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    """The statistics of a node that is asked to end, and what it said on standard error."""
    process.send_signal(signal.SIGTERM)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    stat: dict[str, Any] = json.loads(said.splitlines()[-1])["stat"]
    return stat, errors


def test_eight_clients_are_four_at_each_worker(filled: tuple[str, list[CID]], client: MakeClient) -> None:
    store, cids = filled
    wanted = cids[:16]
    missing = CID("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")
    with serving("--store", store, "--workers", 2, *ADMIN) as (ready, process):
        assert len(set(ready["workers"])) == 2
        nodes = [client(ready["addrs"][0]) for _ in range(8)]
        for node in nodes:
            assert sum(len(block.data) for block in node.get_blocks(wanted, timeout=60)) == 16 * 256 * 1024
        until(lambda: ask(ready, "/stat")["blocks_sent"] == 8 * 16)

        stat = ask(ready, "/stat")
        assert [worker["connected"] for worker in stat["workers"]] == [4, 4]
        assert [worker["blocks_sent"] for worker in stat["workers"]] == [64, 64]
        assert [worker["pid"] for worker in stat["workers"]] == ready["workers"]
        assert (stat["peer_id"], stat["connected"]) == (ready["peer_id"], 8)
        assert Counter(places(ready).values()) == {0: 4, 1: 4}

        for node in (nodes[0], nodes[1]):
            peer = node.network.self_id
            session = node.new_session()
            getter = session.getter()
            getter.want([missing])
            until(lambda peer=peer: ask(ready, f"/wantlist?peer={peer}")["wantlist"] == [str(missing)])  # type: ignore[misc]
            ledger = ask(ready, f"/ledger?peer={peer}")
            assert (ledger["peer"], ledger["exchanged"]) == (peer, 16)
            assert ledger["sent"] >= 16 * 256 * 1024
            session.close()
        nobody = ask(ready, f"/ledger?peer={ready['peer_id']}")
        assert (nobody["sent"], nobody["exchanged"]) == (0, 0)
        assert ask(ready, "/wantlist") == {"peer": ready["peer_id"], "wantlist": []}

        metrics = ask(ready, "/metrics")
        for number in (0, 1):
            assert f'ipfs_bitswap_sent_all_blocks_bytes_count{{worker="{number}"}}' in metrics
        assert metrics.count("# TYPE ipfs_bitswap_sent_all_blocks_bytes ") == 1

        told, errors = ended(process)
    assert (told["blocks_sent"], told["peers"], told["wantlist"]) == (8 * 16, [], [])
    assert errors == ""


def test_a_killed_worker_takes_only_its_own_connections(
    filled: tuple[str, list[CID]], client: MakeClient
) -> None:
    store, cids = filled
    with serving("--store", store, "--workers", 2, *ADMIN) as (ready, process):
        address = ready["addrs"][0]
        nodes = [client(address) for _ in range(4)]
        until(lambda: len(places(ready)) == len(nodes))  # a client's handshake ends before the server's
        where = places(ready)
        at_first = [node for node in nodes if where[node.network.self_id] == 0]
        others = [node for node in nodes if where[node.network.self_id] == 1]
        assert len(at_first) == len(others) == 2

        iterators = {node: iter(node.get_blocks(cids, timeout=120)) for node in nodes}
        for blocks in iterators.values():
            next(blocks)  # every transfer is under way, and nobody takes more for now
        assert ask(ready, "/stat")["blocks_sent"] < len(nodes) * len(cids)
        os.kill(ready["workers"][0], signal.SIGKILL)
        for node in at_first:
            until(lambda node=node: not node.network.is_connected(ready["peer_id"]))  # type: ignore[misc]
            node.connect(address)
        with ThreadPoolExecutor(len(nodes)) as threads:
            rest = dict(zip(nodes, threads.map(lambda node: len(list(iterators[node])), nodes), strict=True))
        assert set(rest.values()) == {len(cids) - 1}
        assert all(node.network.is_connected(ready["peer_id"]) for node in others)

        until(lambda: len(ask(ready, "/stat")["workers"]) == 2)
        first, second = ask(ready, "/stat")["workers"]
        assert (first["starts"], second["starts"]) == (2, 1)
        assert first["pid"] not in ready["workers"]
        assert second["pid"] == ready["workers"][1]
        # Whoever comes now goes where there are fewer.
        newcomers = [client(address) for _ in range(4)]
        assert [node.get_block(cids[0], timeout=60).cid for node in newcomers] == [cids[0]] * 4
        stat = ask(ready, "/stat")
        assert [worker["connected"] for worker in stat["workers"]] == [4, 4]

        told, errors = ended(process)
    assert told["blocks_sent"] >= 2 * len(cids)
    assert "worker 0 ended (exit code -9)" in errors
    assert "Traceback" not in errors


def test_a_worker_that_is_asked_to_end_is_counted_and_replaced(
    filled: tuple[str, list[CID]], client: MakeClient
) -> None:
    store, cids = filled
    with serving("--store", store, "--workers", 2, *ADMIN) as (ready, process):
        node = client(ready["addrs"][0])
        assert len(list(node.get_blocks(cids[:8], timeout=60))) == 8
        os.kill(ready["workers"][places(ready)[node.network.self_id]], signal.SIGTERM)
        until(lambda: sum(worker["starts"] for worker in ask(ready, "/stat")["workers"]) == 3)
        assert ask(ready, "/stat")["blocks_sent"] == 8
        told, _ = ended(process)
    assert told["blocks_sent"] == 8


def test_workers_end_when_their_supervisor_is_killed(filled: tuple[str, list[CID]]) -> None:
    with serving("--store", filled[0], "--workers", 2) as (_, process):
        process.kill()
        # The workers hold standard error too, so this is over when all of them are.
        process.communicate(timeout=60)


def test_blocks_that_another_process_adds_are_served(tmp_path: Path, client: MakeClient) -> None:
    store = f"lmdb:{tmp_path / 'store'}"
    file = tmp_path / "late"
    # More than the map that the workers opened.
    file.write_bytes(os.urandom(80 * 1024 * 1024))
    with serving("--store", store, "--workers", 2, *ADMIN) as (ready, process):
        nodes = [client(ready["addrs"][0]) for _ in range(2)]
        root = CID(json.loads(bitswap("add", file, "--store", store, "--json").stdout)["cid"])
        assert [node.get_block(root, timeout=60).cid for node in nodes] == [root, root]
        # A block may be here before the server has read that the stream which it opened for it is agreed.
        until(lambda: ask(ready, "/stat")["blocks_sent"] == 2)
        told, errors = ended(process)
    assert (told["blocks_sent"], errors) == (2, "")


def test_a_store_in_memory_is_refused() -> None:
    told = bitswap("serve", "--store", "memory:", "--workers", 2, code=2)
    assert "a store in memory belongs to one process" in told.stderr


def test_ctrl_c_of_a_terminal_reaches_all_and_ends_cleanly(filled: tuple[str, list[CID]]) -> None:
    command = [*COMMAND, "serve", "--store", filled[0], "--workers", "2", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        os.killpg(process.pid, signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "stat" in json.loads(said)
