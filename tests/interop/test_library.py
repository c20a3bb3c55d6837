"""A node of ours in this process and boxo: protocol versions, kinds of keys, many small calls, pings."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bitswap import CID, Bitswap, Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.errors import NotFound
from tests.interop import ours
from tests.interop.gopeer import GoPeer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

SIZES = [0, 1, 255, 1024, 1025, 16 * 1024, 65_536, 300_001, 2 * 1024 * 1024]


def some_blocks(count: int, size: int, seed: str = "library") -> list[Block]:
    return [Block.of(hashlib.shake_128(f"{seed}:{index}".encode()).digest(size)) for index in range(count)]


def write_cids(folder: Path, blocks: list[Block]) -> Path:
    path = folder / "wanted"
    path.write_text("".join(f"{block.cid}\n" for block in blocks))
    return path


def listed(path: Path) -> list[CID]:
    return [CID(line) for line in path.read_text().split()]


def address_of(node: Bitswap) -> str:
    return node.network.addrs[0]


def test_blocks_of_every_size_both_ways(go_peer: GoPeer, security: str, tmp_path: Path) -> None:
    blocks = [block for size in SIZES for block in some_blocks(3, size)]
    blocks = list({block.cid: block for block in blocks}.values())
    wanted = write_cids(tmp_path, blocks)
    with ours.node(security) as node:
        node.add_blocks(blocks)
        report = go_peer.fetch(address_of(node), security=security, cids=wanted)
    assert (report["blocks"], report["missing"]) == (len(blocks), 0)
    assert report["bytes"] == sum(map(len, blocks))


@pytest.mark.parametrize("workers", [1, 64])
def test_single_calls(go_peer: GoPeer, security: str, workers: int, tmp_path: Path) -> None:
    cids = tmp_path / "cids"
    with go_peer.serve(security=security, blocks_count=200, blocks_size=2000, cids_out=cids) as server:
        address = server.line()["addrs"][0]
        with ours.node(security) as node, ThreadPoolExecutor(workers) as pool:
            node.connect(address)
            for block in pool.map(lambda cid: node.get_block(cid, timeout=30), listed(cids)):
                block.verify()
        assert server.stop()["blocks_sent"] == 200


def test_boxo_calls_one_at_a_time(go_peer: GoPeer, security: str, tmp_path: Path) -> None:
    blocks = some_blocks(200, 2000)
    wanted = write_cids(tmp_path, blocks)
    with ours.node(security) as node:
        node.add_blocks(blocks)
        report = go_peer.fetch(address_of(node), security=security, cids=wanted, parallel=64)
        assert (report["blocks"], report["missing"]) == (200, 0)
        assert node.stat().blocks_sent >= 200


@pytest.mark.parametrize("protocol", ["/ipfs/bitswap/1.1.0", "/ipfs/bitswap/1.0.0", "/ipfs/bitswap"])
def test_older_versions_both_ways(go_peer: GoPeer, protocol: str, tmp_path: Path) -> None:
    """Below 1.2.0 there is no HAVE, and below 1.1.0 no CID prefix: those blocks are CIDv0."""
    data = [hashlib.shake_128(str(index).encode()).digest(5000) for index in range(50)]
    blocks = [Block.of(part, version=0, codec=0x70) for part in data]
    wanted = write_cids(tmp_path, blocks)
    with ours.node("tls") as node:
        node.add_blocks(blocks)
        report = go_peer.fetch(address_of(node), security="tls", protocols=protocol, cids=wanted)
    assert (report["blocks"], report["missing"]) == (50, 0)

    source = tmp_path / "file"
    source.write_bytes(b"".join(data))
    out = tmp_path / "out"
    with go_peer.serve(security="tls", protocols=protocol, file=source, chunk=4096) as server:
        ready = server.line()
        peer = ("--peer", ready["addrs"][0], "--security", "tls")
        ours.run("get", ready["roots"][str(source)], "-o", out, "--store", "memory:", *peer)
    assert out.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "secp256k1", "ecdsa"])
def test_every_kind_of_identity(go_peer: GoPeer, security: str, kind: str, tmp_path: Path) -> None:
    cids = tmp_path / "cids"
    with (
        ours.node(security) as node,
        go_peer.serve(security=security, key=kind, blocks_count=3, cids_out=cids) as server,
    ):
        ready = server.line()
        assert node.connect(ready["addrs"][0]) == ready["peer_id"]
        assert len(list(node.get_blocks(listed(cids), timeout=30))) == 3
        # and the other way: the boxo client proves its identity to us as a dialler
        report = go_peer.fetch(address_of(node), security=security, key=kind, cids=cids)
        assert report["blocks"] == 3


def test_what_boxo_lacks_is_not_found(go_peer: GoPeer, security: str, tmp_path: Path) -> None:
    absent = some_blocks(1, 10, "absent")[0]
    with go_peer.serve(security=security) as server, ours.node(security) as node:
        peer = node.connect(server.line()["addrs"][0])
        with (
            node.new_session(peers=[peer], broadcast=False) as session,
            pytest.raises(NotFound) as caught,
        ):
            session.get_block(absent.cid, timeout=30)
    assert caught.value.missing == (str(absent.cid),)
    assert peer in caught.value.reasons


def test_pings_both_ways(go_peer: GoPeer, security: str) -> None:
    with go_peer.serve(security=security) as server, ours.node(security) as node:
        peer = node.connect(server.line()["addrs"][0])
        assert node.network.ping(peer, timeout=10) > 0
        pong = go_peer.ping(address_of(node), security=security)
    assert pong["peer_id"] == node.network.self_id
    assert "/ipfs/bitswap/1.2.0" in pong["protocols"]


def test_several_boxo_clients_at_once(go_peer: GoPeer, security: str, tmp_path: Path) -> None:
    blocks = some_blocks(300, 20_000)
    wanted = write_cids(tmp_path, blocks)
    store = MemoryBlockstore()
    store.put_many(blocks)
    with ours.node(security, store) as node, ThreadPoolExecutor(6) as pool:
        fetches = [
            pool.submit(go_peer.fetch, address_of(node), security=security, cids=wanted) for _ in range(6)
        ]
        for fetch in fetches:
            assert (fetch.result()["blocks"], fetch.result()["missing"]) == (300, 0)
        # A boxo client that is kept from its processor asks for some blocks twice, of a boxo server too.
        assert node.stat().blocks_sent >= 1800


def test_when_both_offer_both(go_peer: GoPeer, tmp_path: Path) -> None:
    cids = tmp_path / "cids"
    with go_peer.serve(security="both", blocks_count=3, cids_out=cids) as server:
        address = server.line()["addrs"][0]
        report = ours.run("blocks", "get", "--cids", cids, "--discard", "--peer", address)
    assert report["blocks"] == 3
