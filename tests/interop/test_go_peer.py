"""The Go peer against itself: what it reports can be believed before anything of ours is held against it."""

from __future__ import annotations

import base64
import hashlib
import random
from pathlib import Path

import pytest

from tests.interop.gopeer import GoPeer
from tests.interop.process import ProcessFailed

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]


def test_file_and_blocks_arrive_whole(go_peer: GoPeer, security: str, tmp_path: Path) -> None:
    source = tmp_path / "source.bin"
    source.write_bytes(random.Random(1).randbytes(3 * 1024 * 1024 + 17))
    cids = tmp_path / "cids"
    with go_peer.serve(
        security=security, file=[source], chunk=65536, blocks_count=64, blocks_size=1000, cids_out=cids
    ) as server:
        ready = server.line()
        address = ready["addrs"][0]
        out = tmp_path / "out.bin"
        fetched = go_peer.fetch(address, security=security, cid=ready["roots"][str(source)], out=out)
        assert out.read_bytes() == source.read_bytes()
        assert fetched["bytes"] == source.stat().st_size
        blocks = go_peer.fetch(address, security=security, cids=cids, batch=10, discard=True)
        assert (blocks["blocks"], blocks["bytes"], blocks["missing"]) == (64, 64_000, 0)
        assert server.stop()["blocks_sent"] == fetched["blocks"] + 64


def test_made_blocks_are_the_ones_defined(go_peer: GoPeer, tmp_path: Path) -> None:
    cids = tmp_path / "cids"
    with go_peer.serve(blocks_count=2, blocks_size=100, blocks_seed="s", cids_out=cids) as server:
        server.line()
    data = b"".join(hashlib.sha256(f"s:1:{part}".encode()).digest() for part in range(4))[:100]
    cid = b"\x01\x55\x12\x20" + hashlib.sha256(data).digest()
    assert cids.read_text().split()[1] == "b" + base64.b32encode(cid).decode().lower().rstrip("=")


def test_ping_names_the_peer(go_peer: GoPeer, security: str) -> None:
    with go_peer.serve(security=security) as server:
        ready = server.line()
        pong = go_peer.ping(ready["addrs"][0], security=security)
    assert pong["peer_id"] == ready["peer_id"]
    assert "/ipfs/bitswap/1.2.0" in pong["protocols"]


def test_a_fetch_that_cannot_finish_fails(go_peer: GoPeer, tmp_path: Path) -> None:
    cids = tmp_path / "cids"
    with go_peer.serve(blocks_count=40, blocks_size=300_000, cids_out=cids, stall_after=20) as server:
        address = server.line()["addrs"][0]
        fetch = go_peer.start_fetch(address, cids=cids)
        with fetch:
            assert server.line() == {"stalled": True}
            server.kill()
            report = fetch.line()
            assert fetch.wait(20) == 1
    assert "lost the connection" in report["error"]
    assert 0 < report["missing"] <= 40


def test_other_security_is_refused(go_peer: GoPeer) -> None:
    with go_peer.serve(security="tls") as server:
        address = server.line()["addrs"][0]
        with pytest.raises(ProcessFailed, match="cannot connect"):
            go_peer.ping(address, security="noise")
