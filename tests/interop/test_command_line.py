"""Our command line and boxo, each as server and as client, over both secure channels: every byte arrives."""

from __future__ import annotations

import filecmp
import random
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.interop import ours
from tests.interop.gopeer import GoPeer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

FILE_BYTES = 64 * 1024 * 1024


class Shape(NamedTuple):
    blocks: int
    size: int


SHAPES = [Shape(1024, 256 * 1024), Shape(5000, 1024)]


class Made(NamedTuple):
    """A shape's blocks: their CIDs in a file, the blocks in a store."""

    shape: Shape
    cids: Path
    store: str


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "64MiB.bin"
    path.write_bytes(random.Random(64).randbytes(FILE_BYTES))
    return path


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: f"{shape.blocks}x{shape.size}")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    shape: Shape = request.param
    folder = tmp_path_factory.mktemp("made")
    made = Made(shape, folder / "cids", f"lmdb:{folder / 'store'}")
    ours.run(
        *("blocks", "make", "--count", shape.blocks, "--size", shape.size, "--seed", "interop"),
        *("--cids", made.cids, "--store", made.store),
        timeout=200,
    )
    return made


def test_boxo_fetches_a_file(
    go_peer: GoPeer, security: str, big_file: Path, tmp_path: Path, run: int
) -> None:
    out = tmp_path / "out"
    with ours.serve(tmp_path, big_file, security=security) as server:
        ready = server.line()
        report = go_peer.fetch(
            ready["addrs"][0], security=security, cid=ready["roots"][str(big_file)], out=out
        )
        server.stop()
    assert report["bytes"] == FILE_BYTES
    assert filecmp.cmp(big_file, out, shallow=False)


def test_we_fetch_a_file(go_peer: GoPeer, security: str, big_file: Path, tmp_path: Path, run: int) -> None:
    out = tmp_path / "out"
    with go_peer.serve(security=security, file=big_file) as server:
        ready = server.line()
        peer = ("--peer", ready["addrs"][0], "--security", security)
        report = ours.run("get", ready["roots"][str(big_file)], "-o", out, "--store", "memory:", *peer)
        server.stop()
    assert report["bytes"] == FILE_BYTES
    assert report["duplicates"] == 0
    assert filecmp.cmp(big_file, out, shallow=False)


def test_boxo_fetches_blocks_in_one_call(
    go_peer: GoPeer, security: str, made: Made, tmp_path: Path, run: int
) -> None:
    with ours.serve(tmp_path, security=security, store=made.store) as server:
        address = server.line()["addrs"][0]
        report = go_peer.fetch(address, security=security, cids=made.cids, discard=True)
        server.stop()
    assert (report["blocks"], report["missing"]) == (made.shape.blocks, 0)
    assert report["bytes"] == made.shape.blocks * made.shape.size


def test_we_fetch_blocks_in_one_call(go_peer: GoPeer, security: str, made: Made, run: int) -> None:
    """5,000 wants are more than a boxo server keeps of one peer; it has to get them in portions."""
    with go_peer.serve(
        security=security, blocks_count=made.shape.blocks, blocks_size=made.shape.size, blocks_seed="interop"
    ) as server:
        peer = ("--peer", server.line()["addrs"][0], "--security", security)
        report = ours.run("blocks", "get", "--cids", made.cids, "--discard", *peer)
        sent = server.stop()
    assert report["blocks"] == made.shape.blocks
    assert report["bytes"] == made.shape.blocks * made.shape.size
    assert report["duplicates"] == 0
    assert sent["blocks_sent"] == made.shape.blocks


def make_tree(folder: Path) -> Path:
    tree = folder / "tree"
    (tree / "empty").mkdir(parents=True)
    (tree / "folder" / "deep").mkdir(parents=True)
    (tree / "folder" / "one.bin").write_bytes(b"1")
    (tree / "folder" / "deep" / "large.bin").write_bytes(random.Random(5).randbytes(200 * 4096 + 5))
    (tree / "nothing.bin").write_bytes(b"")
    (tree / "link").symlink_to("folder/one.bin")
    return tree


def assert_same_tree(out: Path, tree: Path) -> None:
    assert (out / "link").readlink() == Path("folder/one.bin")
    assert (out / "empty").is_dir()
    for name in ("nothing.bin", "folder/one.bin", "folder/deep/large.bin"):
        assert (out / name).read_bytes() == (tree / name).read_bytes()


@pytest.mark.parametrize("version", [0, 1])
def test_both_give_a_tree_the_same_cid(go_peer: GoPeer, version: int, tmp_path: Path) -> None:
    tree = make_tree(tmp_path)
    with go_peer.serve(file=tree, cid_version=version, chunk=4096) as server:
        root = server.line()["roots"][str(tree)]
    added = ours.run("add", tree, "--store", "memory:", "--chunk-size", 4096, "--cid-version", version)
    assert added["cid"] == root


@pytest.mark.parametrize("version", [0, 1])
def test_we_fetch_a_tree(go_peer: GoPeer, version: int, tmp_path: Path) -> None:
    """Its empty file is a block of no bytes under version 1, which a boxo server says it does not have."""
    tree, out = make_tree(tmp_path), tmp_path / "out"
    with go_peer.serve(file=tree, cid_version=version, chunk=4096) as server:
        ready = server.line()
        peer = ("--peer", ready["addrs"][0])
        ours.run("get", ready["roots"][str(tree)], "-o", out, "--store", "memory:", *peer)
    assert_same_tree(out, tree)


@pytest.mark.parametrize("version", [0, 1])
def test_boxo_fetches_a_tree(go_peer: GoPeer, version: int, tmp_path: Path) -> None:
    tree, out = make_tree(tmp_path), tmp_path / "out"
    with ours.start(
        tmp_path, "serve", tree, "--store", "memory:", "--listen", ours.LISTEN, "--cid-version", version
    ) as server:
        ready = server.line()
        go_peer.fetch(ready["addrs"][0], cid=ready["roots"][str(tree)], out=out)
        server.stop()
    assert_same_tree(out, tree)
