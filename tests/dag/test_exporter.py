"""Graphs on disk: whole or not at all, and nothing outside the target."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitswap.block import Block
from bitswap.cid import CID, DAG_PB
from bitswap.dag import (
    DagTooLarge,
    Exported,
    ExportOptions,
    Importer,
    ImportOptions,
    SizeMismatch,
    StoreGetter,
    TargetExists,
    UnsafeName,
    WrongType,
    add_path,
    export,
    export_stream,
    pb,
    unixfs,
)
from bitswap.dag.names import check_link, check_portable
from bitswap.dag.unixfs import FSNode, Mtime, Type
from bitswap.errors import NotFound, UsageError
from bitswap.options import DagOptions
from tests.dag.fakes import DictStore
from tests.dag.trees import ScriptedSource, orders, put

POSIX = pytest.mark.skipif(os.name == "nt", reason="links and modes of POSIX")
TREE: Any = {
    "file": b"content",
    "empty": b"",
    "dir": {"inner": bytes(100_000), "deep": {"er": {}}},
    **{f"file {i}": f"{i}".encode() * i for i in range(50)},
}


def on_disk(path: Path) -> Any:
    if path.is_symlink():
        return os.readlink(path)
    if path.is_file():
        return path.read_bytes()
    return {child.name: on_disk(child) for child in path.iterdir()}


@pytest.mark.parametrize("sharding", ["never", "always"])
@pytest.mark.parametrize("order", ["all", "one"])
def test_a_tree_is_written_as_it_was(tmp_path: Path, sharding: Any, order: str) -> None:
    store, root = put(TREE, ImportOptions(sharding=sharding, chunk_size=1000, max_links=5))
    source = ScriptedSource(store, orders(1)[order])
    written = export(source, root, tmp_path / "out", bounds=DagOptions(window_blocks=40))
    assert on_disk(tmp_path) == {"out": TREE}
    assert written == Exported(sum(len(f"{i}") * i for i in range(50)) + 100_007, 53, 4, 0)


def test_a_file_is_written_and_replaces_a_file(tmp_path: Path) -> None:
    data = os.urandom(10_000)
    store, root = put(data, ImportOptions(chunk_size=100))
    target = tmp_path / "out"
    for _ in range(2):
        assert export(StoreGetter(store), root, target) == Exported(10_000, 1, 0, 0)
        assert on_disk(tmp_path) == {"out": data}
        target.write_bytes(b"old")
    umask = os.umask(0)
    os.umask(umask)
    if os.name != "nt":
        export(StoreGetter(store), root, target)
        assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask


def test_progress_is_told(tmp_path: Path) -> None:
    store, root = put(bytes(1000), ImportOptions(chunk_size=100))
    seen: list[tuple[int, int | None]] = []
    export(
        StoreGetter(store), root, tmp_path / "out", progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(i * 100, 1000) for i in range(1, 11)]
    store, root = put({"a": b"12", "b": b"345"})
    seen.clear()
    export(
        StoreGetter(store), root, tmp_path / "dir", progress=lambda done, total: seen.append((done, total))
    )
    size = sum(store.cids.values())
    assert seen == [(2, size), (5, size)]


def test_a_file_to_a_stream() -> None:
    data = os.urandom(1000)
    store, root = put(data, ImportOptions(chunk_size=30))

    class Reluctant(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(bytes(data)[:7])

    for stream in (io.BytesIO(), Reluctant()):
        assert export_stream(StoreGetter(store), root, stream) == Exported(1000, 1, 0, 0)
        assert stream.getvalue() == data
    with pytest.raises(DagTooLarge, match="more than 999 bytes"):
        export_stream(StoreGetter(store), root, io.BytesIO(), ExportOptions(max_bytes=999))
    for tree, what in (({}, "directory"), ("x", "link")):
        store, root = put(tree)
        with pytest.raises(WrongType, match=f"is a {what}"):
            export_stream(StoreGetter(store), root, io.BytesIO())


# Nothing is left behind.


def lose(tree: Any, which: Callable[[list[CID]], CID]) -> tuple[DictStore, CID]:
    store, root = put(tree, ImportOptions(chunk_size=1000, cid_version=1))
    store.delete(which([cid for cid in store.cids if cid != root]))
    return store, root


@pytest.mark.parametrize("tree", [os.urandom(20_000), TREE], ids=["file", "directory"])
@pytest.mark.parametrize("at", [0, 5, -1])
def test_a_failed_export_leaves_nothing(tmp_path: Path, tree: Any, at: int) -> None:
    store, root = lose(tree, lambda cids: cids[at])
    with pytest.raises(NotFound):
        export(StoreGetter(store), root, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_old_file(tmp_path: Path) -> None:
    store, root = lose(os.urandom(20_000), lambda cids: cids[-1])
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(NotFound):
        export(StoreGetter(store), root, tmp_path / "out")
    assert on_disk(tmp_path) == {"out": b"old"}


def test_an_interrupt_leaves_nothing_and_cancels(tmp_path: Path) -> None:
    store, root = put({"a": bytes(5000), "b": os.urandom(5000)}, ImportOptions(chunk_size=10))
    source = ScriptedSource(store, orders(0)["first"])

    def interrupt(done: int, total: int | None) -> None:
        if done > 3000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(source, root, tmp_path / "out", progress=interrupt)
    assert list(tmp_path.iterdir()) == []
    assert source.cancelled
    assert not source.wanted


def test_a_malformed_graph_leaves_nothing(tmp_path: Path) -> None:
    store = DictStore()
    leaf = Block.of(b"abc")
    node = FSNode(Type.FILE, filesize=7, blocksizes=[3, 4])
    root = Block.of(pb.encode([pb.Link(leaf.cid, b"", 3)] * 2, unixfs.encode(node)), codec=DAG_PB)
    store.put_many([leaf, root])
    with pytest.raises(SizeMismatch):
        export(StoreGetter(store), root.cid, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_name_leaves_nothing(tmp_path: Path) -> None:
    store, root = put({"a": b"1", "b": {"n" * 300: b"2"}})
    with pytest.raises(OSError, match=r"name|path|File"):
        export(StoreGetter(store), root, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_too_much_is_not_written(tmp_path: Path) -> None:
    store, root = put({"a": bytes(500), "b": bytes(501)})
    assert export(StoreGetter(store), root, tmp_path / "1", ExportOptions(max_bytes=1001)).bytes == 1001
    with pytest.raises(DagTooLarge):
        export(StoreGetter(store), root, tmp_path / "2", ExportOptions(max_bytes=1000))
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_what_is_in_the_way(tmp_path: Path) -> None:
    store = DictStore()
    importer = Importer(store)
    file = importer.file(io.BytesIO(b"x"))
    importer.directory([])
    directory = importer.finish(importer.directory([])).cid
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    for root in (file.cid, directory):
        source = ScriptedSource(store)
        with pytest.raises(TargetExists, match="is a directory"):
            export(source, root, tmp_path / "dir")
        assert not source.times_wanted
    with pytest.raises(TargetExists, match="in the way"):
        export(StoreGetter(store), directory, tmp_path / "file")
    with pytest.raises(UsageError, match="no directory to write into"):
        export(StoreGetter(store), file.cid, tmp_path / "nowhere" / "out")
    assert on_disk(tmp_path) == {"dir": {}, "file": b"old"}


# What a graph must not do.


def named(names: list[bytes], sub: bytes | None = None) -> tuple[DictStore, CID]:
    """A directory with files of these names, made without any check."""
    store = DictStore()
    leaf = Block.of(b"x")
    links = [pb.Link(leaf.cid, name, 1) for name in names]
    root = Block.of(pb.encode(links, unixfs.encode(FSNode(Type.DIRECTORY))), codec=DAG_PB)
    store.put_many([leaf, root])
    return store, root.cid


@pytest.mark.parametrize("name", [b"..", b".", b"", b"a/b", b"/etc/passwd", b"../x", b"a\0b"])
def test_names_that_leave_the_directory(tmp_path: Path, name: bytes) -> None:
    store, root = named([b"a", name])
    with pytest.raises(UnsafeName):
        export(StoreGetter(store), root, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_the_same(tmp_path: Path) -> None:
    store, root = named([b"a", b"b", b"b"])
    with pytest.raises(UnsafeName, match="same file"):
        export(StoreGetter(store), root, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "names",
    [
        [b"a\\b"], [b"c:"], [b"a?"], [b"x "], [b"x."], [b"NUL"], [b"com1.txt"], [b"aux .c"], [b"tab\t"],
        [b"\xff"], ["Lpt²".encode()], [b"a", b"A"], ["é".encode(), "e\u0301".encode()], ["ß".encode(), b"SS"],
    ],
)  # fmt: skip
def test_names_that_windows_does_not_have(tmp_path: Path, names: list[bytes]) -> None:
    store, root = named(names)
    with pytest.raises(UnsafeName):
        export(StoreGetter(store), root, tmp_path / "out", ExportOptions(portable_names=True))
    assert list(tmp_path.iterdir()) == []
    if sys.platform == "linux":
        export(StoreGetter(store), root, tmp_path / "out", ExportOptions(portable_names=False))
        assert sorted(os.listdir(os.fsencode(tmp_path / "out"))) == sorted(names)


def test_usual_names_are_portable() -> None:
    for name in ("a", "Console", "com", "com10", "nul1", ".hidden", "a.b", "naïve", "日本"):
        check_portable(name, name)


@pytest.mark.parametrize("target", ["a", "a/b", ".", "./a", "a//b", "a/./b", "no/such"])
def test_links_that_stay_inside(target: str) -> None:
    check_link("link", target.encode())
    check_link("d/link", f"../{target}".encode())
    check_link("d/e/link", f"../../{target}".encode())


@pytest.mark.parametrize(
    "target", ["..", "../a", "./../a", "a/..", "a/../..", "/", "/etc/passwd", "", "c:\\x", "..\\a"]
)
def test_links_that_may_leave(target: str) -> None:
    with pytest.raises(UnsafeName):
        check_link("link", target.encode())


@POSIX
@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "sub/../../x", "sub/link/../x"])
def test_links_out_of_the_tree(tmp_path: Path, target: str) -> None:
    store, root = put({"a": b"1", "sub": {}, "link": target})
    with pytest.raises(UnsafeName, match="link"):
        export(StoreGetter(store), root, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    written = export(StoreGetter(store), root, tmp_path / "some", ExportOptions(links="skip"))
    assert written == Exported(1, 1, 2, 0)
    written = export(StoreGetter(store), root, tmp_path / "all", ExportOptions(links="any"))
    assert written == Exported(1, 1, 2, 1)
    assert on_disk(tmp_path) == {
        "some": {"a": b"1", "sub": {}},
        "all": {"a": b"1", "sub": {}, "link": target},
    }


@POSIX
def test_links_inside_are_made(tmp_path: Path) -> None:
    tree = {"a": b"1", "sub": {"up": "../a", "self": "."}, "link": "sub/up", "dangling": "no/such"}
    store, root = put(tree)
    assert export(StoreGetter(store), root, tmp_path / "out").links == 4
    assert on_disk(tmp_path / "out") == tree
    assert add_path(tmp_path / "out", DictStore()).cid == root


@POSIX
def test_a_link_alone(tmp_path: Path) -> None:
    store, root = put("target")
    (tmp_path / "out").write_bytes(b"old")
    export(StoreGetter(store), root, tmp_path / "out")
    assert on_disk(tmp_path) == {"out": "target"}
    assert export(StoreGetter(store), root, tmp_path / "none", ExportOptions(links="skip")) == Exported(
        0, 0, 0, 0
    )
    # The link is replaced, not what it leads to.
    (tmp_path / "target").write_bytes(b"kept")
    store, file = put(b"new")
    export(StoreGetter(store), file, tmp_path / "out")
    assert on_disk(tmp_path) == {"out": b"new", "target": b"kept"}


@POSIX
def test_a_directory_under_the_name_of_a_link_is_refused(tmp_path: Path) -> None:
    """Else its files would be written where the link leads."""
    outside = tmp_path / "outside"
    outside.mkdir()
    store = DictStore()
    importer = Importer(store)
    link = importer.symlink(os.fsencode(outside))
    inner = importer.directory([])
    importer.finish(inner)
    links = [pb.Link(link.cid, b"d", 1), pb.Link(inner.cid, b"d", 1)]
    root = Block.of(pb.encode(links, unixfs.encode(FSNode(Type.DIRECTORY))), codec=DAG_PB)
    store.put(root)
    with pytest.raises(UnsafeName, match="same file"):
        export(StoreGetter(store), root.cid, tmp_path / "out", ExportOptions(links="any"))
    assert on_disk(tmp_path) == {"outside": {}}


@POSIX
def test_modes_and_times_are_restored(tmp_path: Path) -> None:
    store = DictStore()

    def put_node(fs: FSNode, links: list[pb.Link]) -> CID:
        block = Block.of(pb.encode(links, unixfs.encode(fs)), codec=DAG_PB)
        store.put(block)
        return block.cid

    file = put_node(FSNode(Type.FILE, b"x", 1, mode=0o6754, mtime=Mtime(1_000_000_000, 5000)), [])
    far = put_node(FSNode(Type.FILE, b"x", 1, mtime=Mtime(2**62)), [])
    links = [pb.Link(file, b"file", 1), pb.Link(far, b"far", 1)]
    root = put_node(FSNode(Type.DIRECTORY, mode=0o050, mtime=Mtime(1_100_000_000)), links)
    export(StoreGetter(store), root, tmp_path / "out")
    found = (tmp_path / "out" / "file").stat()
    assert stat.S_IMODE(found.st_mode) == 0o754
    assert found.st_mtime_ns == 1_000_000_000_000_005_000
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o750
    assert (tmp_path / "out").stat().st_mtime == 1_100_000_000
    export(
        StoreGetter(store), root, tmp_path / "plain", ExportOptions(restore_mode=False, restore_mtime=False)
    )
    assert (tmp_path / "plain" / "file").stat().st_mtime > 1_500_000_000
    assert stat.S_IMODE((tmp_path / "plain" / "file").stat().st_mode) != 0o754


def test_written_files_can_be_made_durable(tmp_path: Path) -> None:
    store, root = put({"a": b"1", "b": {"c": b"2"}})
    export(StoreGetter(store), root, tmp_path / "out", ExportOptions(sync=True))
    assert on_disk(tmp_path / "out") == {"a": b"1", "b": {"c": b"2"}}


@pytest.mark.parametrize("bad", [{"links": "all"}, {"max_bytes": -1}])
def test_options_out_of_range(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ExportOptions(**bad)


NAMES = st.text("abc é日.", min_size=1, max_size=4).map(str.strip).filter(lambda name: name.strip("."))
TREES = st.dictionaries(
    NAMES,
    st.recursive(st.binary(max_size=40), lambda inner: st.dictionaries(NAMES, inner, max_size=4)),
    max_size=6,
)


@POSIX
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(tree=TREES, seed=st.integers(0, 99), sharding=st.sampled_from(["never", "always"]))
def test_random_trees_come_back(tmp_path_factory: Any, tree: Any, seed: int, sharding: Any) -> None:
    options = ImportOptions(sharding=sharding, chunk_size=5, max_links=3, hidden=True)
    store, root = put(tree, options)
    target = tmp_path_factory.mktemp("tree") / "out"
    export(ScriptedSource(store, orders(seed)["some"]), root, target, bounds=DagOptions(window_blocks=9))
    assert on_disk(target) == tree
    assert add_path(target, DictStore(), options).cid == root
