"""A server is killed while it serves: the getter says who is gone and what is missing, and keeps the rest."""

from __future__ import annotations

import filecmp
import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bitswap import CID
from bitswap.blockstore import MemoryBlockstore
from bitswap.errors import NotFound, Timeout
from tests.interop import ours
from tests.interop.gopeer import GoPeer
from tests.interop.process import JsonProcess

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

COUNT, SIZE, BEFORE = 200, 100_000, 100
PATIENCE = 20
"""Seconds a getter may wait for blocks that will never come."""

StartServer = Callable[..., JsonProcess]


@pytest.fixture(params=["boxo", "ours"])
def start_server(request: pytest.FixtureRequest, go_peer: GoPeer, tmp_path: Path) -> StartServer:
    """Starts a server of COUNT made blocks, which may be told to stall: boxo's and ours."""

    def boxo(security: str, **flags: object) -> JsonProcess:
        made = {"blocks_count": COUNT, "blocks_size": SIZE, "blocks_seed": "kill"}
        return go_peer.serve(security=security, **made, **flags)

    def our_own(security: str, **flags: object) -> JsonProcess:
        return ours.serve_made(tmp_path, security=security, count=COUNT, size=SIZE, seed="kill", **flags)

    return boxo if request.param == "boxo" else our_own


def test_session_says_what_is_missing(start_server: StartServer, security: str, tmp_path: Path) -> None:
    """A session that may ask nobody else ends at once."""
    listing = tmp_path / "cids"
    store = MemoryBlockstore()
    with ours.node(security, store) as node:
        with start_server(security, cids_out=listing, stall_after=BEFORE) as server:
            ready = server.line()
            cids = [CID(line) for line in listing.read_text().split()]
            peer = node.connect(ready["addrs"][0])
            with node.new_session(peers=[peer], broadcast=False) as session:
                blocks = session.get_blocks(cids, timeout=PATIENCE)
                came = {block.cid for block in itertools.islice(blocks, 10)}
                assert server.line() == {"stalled": True}
                server.kill()
                with pytest.raises(NotFound) as caught:
                    came.update(block.cid for block in blocks)
        missing = set(cids) - came
        assert 0 < len(missing) <= COUNT - 10
        assert set(caught.value.missing) == {str(cid) for cid in missing}
        assert peer in caught.value.reasons
        assert store.has_many(list(came)) == [True] * len(came)

        kept = len(store)
        with start_server(security) as server:
            node.connect(server.line()["addrs"][0])
            assert {block.cid for block in node.get_blocks(cids, timeout=PATIENCE)} == set(cids)
            assert server.stop()["blocks_sent"] == COUNT - kept


def test_open_request_waits_for_its_timeout(go_peer: GoPeer, tmp_path: Path) -> None:
    """Where anybody may be asked another peer could still come; the error names the one that left."""
    listing = tmp_path / "cids"
    with ours.node("tls") as node, go_peer.serve(blocks_count=20, cids_out=listing, stall_after=0) as server:
        ready = server.line()
        node.connect(ready["addrs"][0])
        cids = [CID(line) for line in listing.read_text().split()]
        with node.getter(timeout=5) as getter:
            getter.want(cids)
            assert server.line() == {"stalled": True}
            server.kill()
            with pytest.raises(Timeout) as caught:
                getter.take()
    assert set(caught.value.missing) == {str(cid) for cid in cids}
    assert ready["peer_id"] in caught.value.reasons


def test_command_line_says_it_in_one_sentence(
    start_server: StartServer, security: str, tmp_path: Path
) -> None:
    listing = tmp_path / "cids"
    store = f"lmdb:{tmp_path / 'store'}"
    words = ("blocks", "get", "--cids", listing, "--store", store, "--security", security)
    with start_server(security, cids_out=listing, stall_after=BEFORE) as server:
        ready = server.line()
        peer = ("--peer", ready["addrs"][0], "--timeout", PATIENCE)
        with ours.start(tmp_path, *words, *peer) as getter:
            assert server.line() == {"stalled": True}
            server.kill()
            assert getter.wait(PATIENCE * 2) == 1
            told = getter.errors()
    assert "Traceback" not in told
    assert ready["peer_id"] in told
    assert len(told.strip().splitlines()) == 1
    with start_server(security) as server:
        report = ours.run(*words, "--peer", server.line()["addrs"][0])
        assert report["blocks"] == COUNT
        assert 0 < server.stop()["blocks_sent"] < COUNT


def test_a_file_is_not_left_half_written(go_peer: GoPeer, security: str, tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.write_bytes(random.Random(9).randbytes(COUNT * SIZE))
    words = ("-o", out, "--store", f"lmdb:{tmp_path / 'store'}", "--security", security)
    with go_peer.serve(security=security, file=source, chunk=SIZE, stall_after=BEFORE) as server:
        ready = server.line()
        get = ("get", ready["roots"][str(source)], *words)
        with ours.start(tmp_path, *get, "--peer", ready["addrs"][0], "--timeout", PATIENCE) as getter:
            assert server.line() == {"stalled": True}
            server.kill()
            assert getter.wait(PATIENCE * 2) == 1
            told = getter.errors()
    assert ready["peer_id"] in told
    assert len(told.strip().splitlines()) == 1
    assert not out.exists()
    with go_peer.serve(security=security, file=source, chunk=SIZE) as server:
        ours.run(*get, "--peer", server.line()["addrs"][0])
        assert 0 < server.stop()["blocks_sent"] < COUNT
    assert filecmp.cmp(source, out, shallow=False)


def test_a_killed_client_is_forgotten(go_peer: GoPeer, security: str, tmp_path: Path) -> None:
    """The others are served on, and nothing of the dead one stays."""
    listing = tmp_path / "cids"
    with ours.serve_made(tmp_path, security=security, count=COUNT, size=SIZE, cids_out=listing) as server:
        address = server.line()["addrs"][0]
        with go_peer.start_fetch(address, security=security, cids=listing, announce=True) as doomed:
            assert doomed.line() == {"began": True}
            doomed.kill()
        report = go_peer.fetch(address, security=security, cids=listing, discard=True)
        assert (report["blocks"], report["missing"]) == (COUNT, 0)
        server.stop()
