"""Questions to a serving process: the commands that ask, and what the server refuses."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.cli import admin
from bitswap.cli.admin import answering
from bitswap.cli.arguments import endpoint, endpoint_text
from bitswap.errors import UsageError
from bitswap.message import Message, WantType
from bitswap.network.libp2p import Libp2pNetwork
from tests.cli.commands import bitswap, serving
from tests.libp2p.nodes import send
from tests.libp2p.puppet import Received

pytestmark = pytest.mark.timeout(120)

MISSING = Block.of(b"nobody has this").cid


@contextmanager
def administered(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The first line of a process that serves one file of 4 KiB and answers questions."""
    file = tmp_path / "file"
    file.write_bytes(os.urandom(4096))
    with serving(file, "--store", "memory:", "--admin", "127.0.0.1:0") as (ready, _):
        yield {**ready, "root": ready["roots"][str(file)]}


@contextmanager
def wanting(ready: dict[str, Any]) -> Iterator[Libp2pNetwork]:
    """A peer that was sent the root, and waits for a block that nobody has."""
    received = Received()
    network = Libp2pNetwork()
    network.start(received)
    try:
        peer = network.connect(ready["addrs"][0])
        root = CID(ready["root"])
        wants = Message()
        wants.add_entry(MISSING, 1, WantType.BLOCK, False)
        wants.add_entry(root, 1, WantType.BLOCK, False)
        assert send(network, peer, wants) is None
        received.wait(lambda: any(message.blocks() for _, message in received.messages))  # type: ignore[attr-defined]
        # Answers to one peer leave one after the other: the second one shows that the first is accounted for.
        again = Message()
        again.add_entry(root, 1, WantType.HAVE, True)
        assert send(network, peer, again) is None
        received.wait(lambda: any(message.haves() for _, message in received.messages))  # type: ignore[attr-defined]
        yield network
    finally:
        network.close()


def ask(where: str, path: str, method: str = "GET", host: str | None = None) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(*endpoint(where), timeout=60)
    try:
        connection.request(method, path, headers={} if host is None else {"Host": host})
        response = connection.getresponse()
        assert response.headers["Content-Type"] == "application/json"
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_the_commands_tell_what_the_node_does(tmp_path: Path) -> None:
    with administered(tmp_path) as ready, wanting(ready) as peer:
        where = ("--admin", ready["admin"])
        stat = json.loads(bitswap("stat", *where, "--json").stdout)
        lines = dict(line.split(" ", 1) for line in bitswap("stat", *where).stdout.splitlines())
        own = json.loads(bitswap("wantlist", *where, "--json").stdout)
        theirs = bitswap("wantlist", *where, "--peer", peer.self_id).stdout.split()
        ledger = json.loads(bitswap("ledger", *where, "--peer", peer.self_id, "--json").stdout)
        ledger_lines = bitswap("ledger", *where, "--peer", peer.self_id).stdout.splitlines()
        _, peers = ask(ready["admin"], "/peers")
    assert stat["peer_id"] == ready["peer_id"]
    assert (stat["connected"], stat["blocks_sent"], stat["wantlist"]) == (1, 1, [])
    assert (lines["connected"], lines["blocks_sent"], lines["wantlist"]) == ("1", "1", "0")
    assert own == {"peer": ready["peer_id"], "wantlist": []}
    assert theirs == [str(MISSING)]
    assert ledger["peer"] == peer.self_id
    assert ledger["exchanged"] == 1
    assert ledger["sent"] == stat["data_sent"] > 4096
    assert f"sent {ledger['sent']}" in ledger_lines
    assert [entry["peer"] for entry in peers["peers"]] == [peer.self_id]


def test_nobody_answers_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # held and not listening, so every connection is refused
        where = f"127.0.0.1:{unused.getsockname()[1]}"
        for words in (("stat",), ("wantlist",), ("ledger", "--peer", "12D3Koo")):
            told = bitswap(*words, "--admin", where, code=1)
            assert where in told.stderr
            assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("stat",),
        ("stat", "--admin", "nonsense"),
        ("stat", "--admin", "127.0.0.1:0"),
        ("ledger", "--admin", "127.0.0.1:1"),
        ("serve", "--store", "memory:", "--admin", "127.0.0.1:65536"),
        ("serve", "--store", "memory:", "--admin", "192.0.2.1:0"),
    ],
)
def test_wrong_usage(words: tuple[str, ...]) -> None:
    assert bitswap(*words, code=2).stderr


def test_a_bad_peer_id_is_a_usage_error(tmp_path: Path) -> None:
    with administered(tmp_path) as ready:
        for command in ("wantlist", "ledger"):
            told = bitswap(command, "--admin", ready["admin"], "--peer", "nonsense", code=2)
            assert "not a peer id" in told.stderr


def test_a_server_of_another_kind_is_no_node() -> None:
    """A Bitswap port speaks first, and not HTTP."""
    with serving("--store", "memory:") as (ready, _):
        port = ready["addrs"][0].split("/")[4]
        told = bitswap("stat", "--admin", f"127.0.0.1:{port}", code=1)
    assert f"127.0.0.1:{port}" in told.stderr


def test_what_is_refused(tmp_path: Path) -> None:
    with administered(tmp_path) as ready:
        where = ready["admin"]
        port = where.rpartition(":")[2]
        for host in (where, "127.0.0.1", f"localhost:{port}", "LOCALHOST"):
            assert ask(where, "/stat", host=host)[0] == 200
        for host in ("example.org", f"example.org:{port}", "localhost.example.org", "", "[", "0.0.0.0"):
            status, record = ask(where, "/stat", host=host)
            assert (status, "Host" in record["error"]) == (403, True), host
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
            assert ask(where, "/stat", method)[0] == 405
        assert ask(where, "/nothing")[0] == 404
        assert ask(where, "/ledger")[0] == 400
        assert ask(where, "/ledger?peer=nonsense")[0] == 400
        assert ask(where, "/wantlist?" + "&".join(["peer=x"] * 9))[0] == 400
        assert ask(where, "http://[/stat", host=where)[0] == 400
        assert ask(where, "/stat")[0] == 200


def test_no_host_and_bytes_that_are_not_http(tmp_path: Path) -> None:
    with administered(tmp_path) as ready:
        for request, expected in (
            (b"GET /stat HTTP/1.0\r\n\r\n", b"403"),
            (b"GET /stat HTTP/1.0\r\nHost: localhost\r\nHost: localhost\r\n\r\n", b"403"),
            (b"\x16\x03\x01\x02\x00\r\n\r\n", b"Bad request"),
            (
                b"GET /".ljust(65_537, b"x"),
                b"414",
            ),  # as much as is read of a line, so that nothing is left over
            (b"", b""),
        ):
            with socket.create_connection(endpoint(ready["admin"])) as connection:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                with connection.makefile("rb") as answer:
                    assert expected in answer.read()
        assert ask(ready["admin"], "/stat")[0] == 200


def test_a_request_that_does_not_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "REQUEST_SECONDS", 0.05)
    monkeypatch.setattr(admin._Handler, "timeout", None)  # only the deadline of the whole request is left
    with (
        answering(None, ("127.0.0.1", 0)) as where,  # type: ignore[arg-type]
        socket.create_connection(endpoint(where)) as connection,
    ):
        connection.sendall(b"GET /stat")
        assert connection.recv(1) == b""


@pytest.mark.skipif(os.name == "nt", reason="Windows may let a read go on; its deadline ends it there")
def test_the_end_does_not_wait_for_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = threading.Event()

    class Handler(admin._Handler):
        timeout = None

        def setup(self) -> None:
            super().setup()
            reading.set()

    monkeypatch.setattr(admin, "REQUEST_SECONDS", 1e6)
    monkeypatch.setattr(admin, "_Handler", Handler)
    with answering(None, ("127.0.0.1", 0)) as where:  # type: ignore[arg-type]
        connection = socket.create_connection(endpoint(where))
        connection.sendall(b"GET /stat")
        assert reading.wait(60)
    with connection:
        assert connection.recv(1) == b""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals to send")
def test_serve_ends_while_a_request_is_arriving() -> None:
    with serving("--store", "memory:", "--admin", ":0") as (ready, process):
        assert ready["admin"].startswith("127.0.0.1:")
        with socket.create_connection(endpoint(ready["admin"])) as connection:
            connection.sendall(b"GET /stat")
            process.send_signal(signal.SIGTERM)
            said, errors = process.communicate()
    assert process.returncode == 0
    assert "stat" in json.loads(said.splitlines()[-1])
    assert errors == ""


def test_a_port_that_is_taken_is_a_usage_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        told = bitswap("serve", "--store", "memory:", "--admin", where, code=2)
    assert where in told.stderr


def test_a_name_of_a_far_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are resolved by others, so they may open this machine only to itself."""
    far = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: far)
    with pytest.raises(UsageError, match=r"far\.example is not"), answering(None, ("far.example", 0)):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize("text", ["127.0.0.1:80", "[::1]:80", "localhost:0"])
def test_endpoints_are_read_and_written(text: str) -> None:
    assert endpoint_text(*endpoint(text)) == text
