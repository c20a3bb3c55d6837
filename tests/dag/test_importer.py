"""Imports from disk and streams, in bounded batches; tests/vectors holds them against all recorded CIDs."""

from __future__ import annotations

import io
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitswap.dag import (
    UNIXFS_V1_2025,
    DagError,
    ImportOptions,
    StoreGetter,
    add_path,
    add_stream,
    hamt,
    pb,
    read_file,
)
from bitswap.dag.balanced import BalancedTree
from bitswap.dag.directory import Entry, is_sharded
from bitswap.dag.importer import Importer
from bitswap.dag.unixfs import Type, decode
from bitswap.dag.writer import BlockWriter, Ref
from bitswap.errors import UsageError
from bitswap.options import MIB, DagOptions
from tests.dag.fakes import DictStore
from tests.vectors import unixfs as vectors

RECORDS = vectors.load()


def test_a_check_can_fail() -> None:
    record = next(record for record in RECORDS if record["name"] == "kubo-file-7-262145")
    assert vectors.check({**record, "size": 262_146}, "py") != []
    assert vectors.check({**record, "tsize": 1}, "py") == ["tsize: 262267 instead of 1"]
    assert vectors.check({**record, "kind": "pond"}, "py") != []


def write_tree(path: Path, tree: Any) -> None:
    path.mkdir()
    for name, entry in tree.items():
        if entry["type"] == "dir":
            write_tree(path / name, entry["entries"])
        elif entry["type"] == "symlink":
            (path / name).symlink_to(entry["target"])
        else:
            (path / name).write_bytes(vectors.content(entry["seed"], entry["size"]).read())


ON_DISK = [record for record in RECORDS if record["kind"] == "dir" and record["params"]["cid_version"] == 0]


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege, names are case-insensitive")
@pytest.mark.parametrize("record", ON_DISK, ids=[record["name"] for record in ON_DISK])
def test_directories_on_disk_have_the_recorded_cids(record: dict[str, Any], tmp_path: Path) -> None:
    names = {name.casefold() for name in record.get("tree", {})}
    if len(names) < len(record.get("tree", {})) and (tmp_path.parent / tmp_path.name.upper()).exists():
        pytest.skip("names are case-insensitive here")
    write_tree(tmp_path / "root", record.get("tree", {}))
    store = DictStore()
    seen: list[int] = []
    added = add_path(tmp_path / "root", store, progress=seen.append)
    assert (str(added.cid), added.size, added.name) == (record["cid"], record["tsize"], "root")
    assert len(store) == record["blocks"]
    total = sum(entry.get("size", 0) for entry in record.get("tree", {}).values())
    assert added.file_bytes == total
    assert seen == sorted(seen)
    assert (seen or [0])[-1] == total


class Dribble(io.RawIOBase):
    """Gives a few bytes at a time, as a pipe does."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._inner.readinto(memoryview(buffer)[:7])


def test_short_reads_give_the_same_chunks() -> None:
    data = os.urandom(1000)
    options = ImportOptions(chunk_size=64)
    whole = add_stream(io.BytesIO(data), DictStore(), options)
    assert add_stream(Dribble(data), DictStore(), options) == whole


@given(st.binary(max_size=400), st.integers(1, 50), st.integers(2, 5), st.sampled_from([0, 1]), st.booleans())
def test_what_is_imported_is_read_back(data: bytes, chunk: int, links: int, version: int, raw: bool) -> None:
    store = DictStore()
    options = ImportOptions(chunk_size=chunk, max_links=links, cid_version=version, raw_leaves=raw)
    added = add_stream(io.BytesIO(data), store, options)
    assert b"".join(read_file(StoreGetter(store), added.cid)) == data
    assert added.file_bytes == len(data)
    assert added.size >= sum(store.cids.values())


@given(st.integers(1, 700), st.integers(2, 7))
def test_the_tree_of_a_file_is_balanced(leaves: int, width: int) -> None:
    """All leaves are equally deep, in order, and only the last node of a level may have room."""
    store = DictStore()
    writer = BlockWriter(store, ImportOptions(), DagOptions())
    tree = BalancedTree(writer, width)
    refs = [Ref(writer.raw(str(i).encode()), 1, 1) for i in range(leaves)]
    for ref in refs:
        tree.add(ref)
    root = tree.finish()
    writer.flush()
    assert root is not None
    assert root.content == leaves
    level, depth = [root.cid], 0
    while level != [ref.cid for ref in refs]:
        nodes = [pb.decode(store.get(cid).data) for cid in level]
        assert all(len(node.links) == width for node in nodes[:-1])
        assert 0 < len(nodes[-1].links) <= width
        level = [link.cid for node in nodes for link in node.links]
        depth += 1
    assert width ** max(0, depth - 1) < leaves <= width**depth or leaves == 1


def test_an_empty_tree_has_no_root() -> None:
    assert BalancedTree(BlockWriter(DictStore(), ImportOptions(), DagOptions()), 2).finish() is None


def test_batches_are_bounded_in_bytes_and_blocks() -> None:
    store = DictStore()
    bounds = DagOptions(batch_bytes=10_000, batch_blocks=7)
    add_stream(io.BytesIO(os.urandom(100_000)), store, ImportOptions(chunk_size=3000), bounds=bounds)
    add_stream(io.BytesIO(os.urandom(1000)), store, ImportOptions(chunk_size=10), bounds=bounds)
    assert max(blocks for blocks, _ in store.batches) == 7
    assert max(size for _, size in store.batches) < 10_000 + 3100


def test_hidden_entries_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    root = tmp_path / ".root"
    root.mkdir()
    (root / "seen").write_bytes(b"1")
    plain = add_path(root, DictStore())
    (root / ".file").write_bytes(b"2")
    (root / ".dir").mkdir()
    (root / ".dir" / "inner").write_bytes(b"3")
    assert add_path(root, DictStore()) == plain
    assert add_path(root, DictStore(), ImportOptions(hidden=True)).file_bytes == 3
    # A path that is given by name is not hidden.
    assert add_path(root / ".file", DictStore()).file_bytes == 1


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege")
def test_links_given_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    store = DictStore()
    link = add_path(tmp_path / "link", store)
    assert decode(pb.decode(store.get(link.cid).data).data or b"").type == Type.SYMLINK
    followed = add_path(tmp_path / "link", store, ImportOptions(dereference=True))
    assert followed.cid == add_path(tmp_path / "file", store).cid
    assert followed.name == "link"


def test_wrapping_keeps_the_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    store = DictStore()
    inner = add_path(tmp_path / "file", store)
    wrapped = add_path(tmp_path / "file", store, ImportOptions(wrap=True))
    (link,) = pb.decode(store.get(wrapped.cid).data).links
    assert link == pb.Link(inner.cid, b"file", inner.size)
    stream = add_stream(io.BytesIO(b"content"), store, ImportOptions(wrap=True), name="file")
    assert stream.cid == wrapped.cid


@pytest.mark.skipif(os.name == "nt", reason="no such files")
def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(os.path.relpath(path))
        except OSError:
            pytest.skip("no socket can be made here")
        with pytest.raises(UsageError, match="neither a file"):
            add_path(path, DictStore())
    with pytest.raises(FileNotFoundError):
        add_path(tmp_path / "nothing", DictStore())


@pytest.mark.skipif(sys.platform != "linux", reason="paths cannot be this long elsewhere")
def test_deep_directories_need_no_stack(tmp_path: Path) -> None:
    paths = ["/".join([str(tmp_path), *"d" * depth]) for depth in range(1, 1101)]
    for path in paths:
        os.mkdir(path)
    try:
        assert add_path(tmp_path / "d", DictStore()).blocks == 1100
    finally:
        for path in reversed(paths):
            os.rmdir(path)


def test_names_given_twice_are_refused() -> None:
    importer = Importer(DictStore())
    ref = importer.file(io.BytesIO(b""))
    with pytest.raises(DagError, match="two entries of one name"):
        importer.directory([Entry(b"a", ref), Entry(b"a", ref)])


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("at_threshold", [True, False])
def test_the_threshold_itself(version: int, at_threshold: bool) -> None:
    store = DictStore()
    cid = add_stream(io.BytesIO(b""), store, ImportOptions(cid_version=version)).cid
    links = [pb.Link(cid, b"n" * 10, 5), pb.Link(cid, b"m" * 6, 5)]
    size = 16 + 2 * len(cid)
    for threshold, sharded in ((size - 1, True), (size, at_threshold), (size + 1, False)):
        options = ImportOptions(
            cid_version=version, shard_threshold=threshold, shard_at_threshold=at_threshold
        )
        assert is_sharded(links, options) == sharded


def test_the_estimate_by_blocks_is_the_size_of_the_block() -> None:
    store = DictStore()
    importer = Importer(store, ImportOptions(cid_version=1, sharding="never"))
    ref = importer.file(io.BytesIO(b"x" * 300))
    entries = [Entry(f"name {i}".encode() * i, ref) for i in range(1, 200)]
    added = importer.finish(importer.directory(entries))
    size = len(store.get(added.cid).data)
    links = [pb.Link(entry.ref.cid, entry.name, entry.ref.tsize) for entry in entries]
    for threshold, sharded in ((size - 1, True), (size, False)):
        options = ImportOptions(cid_version=1, shard_estimate="block", shard_threshold=threshold)
        assert is_sharded(links, options) == sharded


@pytest.mark.parametrize(
    "bad",
    [
        {"chunk_size": 0},
        {"chunk_size": 2 * MIB},
        {"cid_version": 2},
        {"max_links": 1},
        {"max_links": 10_000},
        {"hash_code": 0},
        {"hash_code": 0x999},
        {"hash_code": 0x13},
        {"fanout": 100},
        {"fanout": 4},
        {"fanout": 2048},
        {"sharding": "sometimes"},
        {"shard_estimate": "guess"},
        {"shard_threshold": -1},
    ],
)
def test_options_out_of_range(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ImportOptions(**bad)


def test_the_profile_of_2025() -> None:
    record = next(
        record for record in RECORDS if record["name"] == "boxo-file-7-v1-raw-c1048576-l1024-10000000"
    )
    added = add_stream(vectors.content(record["seed"], record["size"]), DictStore(), UNIXFS_V1_2025)
    assert str(added.cid) == record["cid"]


def test_names_that_no_shard_can_tell_apart_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamt, "name_hash", lambda name: 5)
    importer = Importer(DictStore(), ImportOptions(sharding="always"))
    ref = importer.file(io.BytesIO(b""))
    with pytest.raises(DagError, match="no shard can tell them apart"):
        importer.directory([Entry(b"a", ref), Entry(b"b", ref)])
