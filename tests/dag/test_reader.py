"""Files, directories and links read back; graphs made to hurt are refused with a typed error and bounded
work.
"""

from __future__ import annotations

import io
import os
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitswap.block import Block
from bitswap.cid import CID, DAG_CBOR, DAG_PB
from bitswap.dag import (
    DagTooLarge,
    ImportOptions,
    MalformedNode,
    SizeMismatch,
    StoreGetter,
    UnsafeName,
    WrongType,
    add_stream,
    hamt,
    list_directory,
    pb,
    read_file,
    read_tree,
    unixfs,
)
from bitswap.dag.reader import EnterDirectory, StartFile
from bitswap.dag.unixfs import FSNode, Mtime, Type
from bitswap.options import MAX_BLOCK, DagOptions
from tests.dag.fakes import DictStore
from tests.dag.trees import ScriptedSource, expected, orders, put, summary


class Maker:
    """Nodes made by hand."""

    def __init__(self) -> None:
        self.store = DictStore()

    def raw(self, data: bytes) -> pb.Link:
        return self._put(Block.of(data))

    def node(self, fs: FSNode | bytes, links: list[pb.Link] | None = None) -> pb.Link:
        data = fs if isinstance(fs, bytes) else unixfs.encode(fs)
        link = self._put(Block.of(pb.encode(links or [], data), codec=DAG_PB))
        return link._replace(tsize=min(2**63, link.tsize + sum(child.tsize for child in links or [])))

    def file(self, parts: list[tuple[pb.Link, int]], **fields: Any) -> pb.Link:
        sizes = [size for _, size in parts]
        fields.setdefault("filesize", sum(sizes) + len(fields.get("data", b"")))
        return self.node(FSNode(Type.FILE, blocksizes=sizes, **fields), [link for link, _ in parts])

    def directory(self, *links: pb.Link) -> pb.Link:
        return self.node(FSNode(Type.DIRECTORY), list(links))

    def _put(self, block: Block) -> pb.Link:
        self.store.put(block)
        return pb.Link(block.cid, b"", len(block.data))

    def read(self, root: pb.Link, **bounds: int) -> list[object]:
        return summary(read_tree(StoreGetter(self.store), root.cid, DagOptions(**bounds)))


@given(
    st.binary(max_size=300), st.integers(1, 30), st.integers(2, 4), st.integers(0, 310), st.integers(0, 310),
    st.sampled_from([0, 1]),
)  # fmt: skip
def test_ranges(data: bytes, chunk: int, links: int, start: int, stop: int, version: int) -> None:
    store = DictStore()
    options = ImportOptions(chunk_size=chunk, max_links=links, cid_version=version)
    root = add_stream(io.BytesIO(data), store, options).cid
    assert b"".join(read_file(StoreGetter(store), root, start=start, stop=stop)) == data[start:stop]
    assert b"".join(read_file(StoreGetter(store), root, start=start)) == data[start:]


def test_a_range_fetches_only_what_it_needs() -> None:
    store = DictStore()
    root = add_stream(io.BytesIO(os.urandom(10_000)), store, ImportOptions(chunk_size=10, max_links=10)).cid
    source = ScriptedSource(store)
    assert len(b"".join(read_file(source, root, start=4990, stop=5010))) == 20
    assert len(source.times_wanted) == 1 + 2 + 2 + 2


def test_content_inside_nodes_comes_before_that_of_children() -> None:
    """As the trickle layout has it."""
    make = Maker()
    inner = make.file([(make.raw(b"de"), 2), (make.raw(b"f"), 1)], data=b"bc")
    leaf = make.node(FSNode(Type.RAW, b"g", 1))
    root = make.file([(inner, 5), (leaf, 1)], data=b"a")
    assert make.read(root) == [("file", "", 7), b"abcdefg", ("end", "")]
    for start in range(8):
        for stop in range(8):
            got = b"".join(read_file(StoreGetter(make.store), root.cid, start=start, stop=stop))
            assert got == b"abcdefg"[start:stop]


def test_files_without_a_size_of_their_own() -> None:
    make = Maker()
    leaf = make.node(FSNode(Type.FILE, b"abc"))
    assert make.read(make.file([(leaf, 3)], filesize=None)) == [("file", "", 3), b"abc", ("end", "")]


def test_mode_and_time_are_told() -> None:
    make = Maker()
    file = make.node(FSNode(Type.FILE, b"x", 1, mode=0o600, mtime=Mtime(5, 7)))
    root = make.node(FSNode(Type.DIRECTORY, mode=0o750, mtime=Mtime(-1)), [file._replace(name=b"f")])
    events = list(read_tree(StoreGetter(make.store), root.cid))
    size = sum(make.store.cids.values())
    assert events[:2] == [EnterDirectory("", size, 0o750, Mtime(-1)), StartFile("f", 1, 0o600, Mtime(5, 7))]


def test_metadata_wraps_a_file() -> None:
    make = Maker()
    root = make.node(FSNode(Type.METADATA), [make.raw(b"abc")])
    assert make.read(root) == [("file", "", 3), b"abc", ("end", "")]
    with pytest.raises(MalformedNode, match="leads nowhere"):
        make.read(make.node(FSNode(Type.METADATA)))


def test_inline_blocks_need_no_store() -> None:
    make = Maker()
    inline = CID.v1(0x55, b"\x00\x03abc")
    root = make.file([(pb.Link(inline, b"", 3), 3), (make.raw(b"d"), 1)])
    source = ScriptedSource(make.store)
    assert b"".join(read_file(source, root.cid)) == b"abcd"
    assert inline not in source.times_wanted
    assert b"".join(read_file(source, inline)) == b"abc"


@pytest.mark.parametrize("order", sorted(orders(0)))
def test_a_sparse_file_is_fetched_once_and_read_whole(order: str) -> None:
    store = DictStore()
    root = add_stream(io.BytesIO(bytes(100_000)), store, ImportOptions(chunk_size=100)).cid
    source = ScriptedSource(store, orders(4)[order])
    data = b"".join(read_file(source, root, DagOptions(window_blocks=20)))
    assert data == bytes(100_000)
    assert set(source.times_wanted.values()) == {1}


def test_names_that_are_not_utf8_come_back() -> None:
    make = Maker()
    root = make.directory(make.raw(b"")._replace(name=b"caf\xe9"))
    (_, (_, path, _), *_) = make.read(root)
    assert os.fsencode(path) == b"caf\xe9" or os.name == "nt"
    assert [entry.name for entry in list_directory(StoreGetter(make.store), root.cid)] == [path]


# Graphs that are not what they should be.


def broken() -> dict[str, tuple[Any, type[Exception], str]]:
    make = Maker()
    abc, directory = make.raw(b"abc"), make.directory()
    link = make.node(FSNode(Type.SYMLINK, b"x"))
    cbor = Block.of(b"\xa0", codec=DAG_CBOR)
    make.store.put(cbor)
    shard = make.node(FSNode(Type.HAMT_SHARD, hash_type=0x22, fanout=256))
    cases: dict[str, tuple[pb.Link, type[Exception], str]] = {
        "directory in file": (make.file([(directory, 3)]), WrongType, "a DIRECTORY inside a file"),
        "link in file": (make.file([(link, 1)]), WrongType, "a SYMLINK inside a file"),
        "shard in file": (make.file([(shard, 1)]), WrongType, "a HAMT_SHARD inside a file"),
        "cbor in file": (make.file([(pb.Link(cbor.cid, b"", 1), 1)]), WrongType, "codec 0x71"),
        "cbor": (pb.Link(cbor.cid, b"", 1), WrongType, "codec 0x71"),
        "short raw part": (make.file([(abc, 4)]), SizeMismatch, "3 bytes where 4 belong"),
        "long raw part": (make.file([(abc, 2)]), SizeMismatch, "3 bytes where 2 belong"),
        "empty part": (make.file([(abc, 0)]), SizeMismatch, "3 bytes where 0 belong"),
        "wrong inner size": (make.file([(make.file([(abc, 3)]), 4)]), SizeMismatch, "3 bytes where 4 belong"),
        "wrong file size": (
            make.file([(abc, 3)], filesize=5),
            MalformedNode,
            "claims 5 bytes, its",
        ),
        "huge size": (make.file([(abc, 2**63)]), MalformedNode, "claims to have"),
        "huge sum": (make.file([(abc, 2**62), (abc, 2**62)]), MalformedNode, "claims to have"),
        "no sizes": (make.node(FSNode(Type.FILE, filesize=3), [abc]), MalformedNode, "1 parts and 0 sizes"),
        "more sizes": (
            make.node(FSNode(Type.FILE, blocksizes=[3, 3]), [abc]),
            MalformedNode,
            "1 parts and 2",
        ),
        "no unixfs": (make._put(Block.of(b"", codec=DAG_PB)), MalformedNode, "no UnixFS data"),
        "no protobuf": (make._put(Block.of(b"\x0a\x7f", codec=DAG_PB)), MalformedNode, "cut short"),
        "no type": (make.node(b""), MalformedNode, "no type"),
        "unknown type": (make.node(b"\x08\x09"), MalformedNode, "no node type 9"),
        "dot dot": (make.directory(abc._replace(name=b"..")), UnsafeName, r"named b'\.\.'"),
        "dot": (make.directory(abc._replace(name=b".")), UnsafeName, "named"),
        "no name": (make.directory(abc), UnsafeName, "named b''"),
        "slash": (make.directory(abc._replace(name=b"a/b")), UnsafeName, "named b'a/b'"),
        "nul": (make.directory(abc._replace(name=b"a\0b")), UnsafeName, "named"),
    }
    return {name: ((make.store, root), error, message) for name, (root, error, message) in cases.items()}


BROKEN = broken()


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_broken_graphs(name: str) -> None:
    (store, root), error, message = BROKEN[name]
    with pytest.raises(error, match=message):
        list(read_tree(StoreGetter(store), root.cid))
    # The same one level down says where.
    make = Maker()
    make.store = store
    with pytest.raises(error, match=f"^sub/dir: .*{message}"):
        make.read(make.directory(make.directory(root._replace(name=b"dir"))._replace(name=b"sub")))


def test_a_directory_or_link_is_no_file() -> None:
    make = Maker()
    for root, what in ((make.directory(), "directory"), (make.node(FSNode(Type.SYMLINK, b"x")), "link")):
        with pytest.raises(WrongType, match=f"is a {what}, no file"):
            list(read_file(StoreGetter(make.store), root.cid))


def test_a_huge_declared_size_takes_no_memory_and_no_time() -> None:
    make = Maker()
    part = make.raw(b"abc")._replace(tsize=2**60)
    with pytest.raises(SizeMismatch):
        make.read(make.file([(part, 2**60)] * 7))


def test_a_chain_of_nodes_ends() -> None:
    make = Maker()
    link = make.raw(b"abc")
    for _ in range(1100):
        link = make.file([(link, 3)])
    with pytest.raises(DagTooLarge, match="more than 1024 nodes deep"):
        make.read(link)
    assert make.read(link, max_depth=2000) == [("file", "", 3), b"abc", ("end", "")]
    link = make.directory()
    for _ in range(1100):
        link = make.directory(link._replace(name=b"d"))
    with pytest.raises(DagTooLarge, match="nodes deep"):
        make.read(link)


def test_empty_parts_without_end_end() -> None:
    """40 levels of 4 links each to the next lead to 4**40 places, without a byte."""
    make = Maker()
    link = make.node(FSNode(Type.FILE, filesize=0))
    for _ in range(40):
        link = make.file([(link, 0)] * 4)
    with pytest.raises(DagTooLarge, match="more than 1000 parts without a byte"):
        make.read(link, max_empty_nodes=1000)


def test_directories_without_end_end() -> None:
    make = Maker()
    link = make.directory()
    for _ in range(40):
        link = make.directory(*(link._replace(name=name) for name in (b"a", b"b", b"c", b"d")))
    with pytest.raises(DagTooLarge, match="more than 5000 entries"):
        make.read(link, max_entries=5000)


def test_a_file_that_repeats_itself_is_read_as_far_as_one_likes() -> None:
    """A file of 4**25 bytes in 26 blocks: nothing grows while it is read."""
    make = Maker()
    link, size = make.raw(b"x"), 1
    for _ in range(25):
        link = make.file([(link, size)] * 4)
        size *= 4
    source = ScriptedSource(make.store)
    read = read_file(source, link.cid)
    for _ in range(10_000):
        assert next(read) == b"x"
    read.close()
    assert set(source.times_wanted.values()) == {1}


def test_a_node_with_too_many_links_is_refused() -> None:
    make = Maker()
    root = make.directory(*(make.raw(b"")._replace(name=b"%d" % i) for i in range(200)))
    assert len(make.read(root, max_node_links=200)) == 402
    with pytest.raises(MalformedNode, match="more than 199 links"):
        make.read(root, max_node_links=199)


# Sharded directories.


@pytest.mark.parametrize("fanout", [8, 16, 256, 1024])
@pytest.mark.parametrize("count", [0, 1, 2, 30, 700])
@pytest.mark.parametrize("order", ["all", "one", "last"])
def test_sharded_directories(fanout: int, count: int, order: str) -> None:
    tree = {f"name {i}": f"{i}".encode() for i in range(count)}
    store, root = put(tree, ImportOptions(sharding="always", fanout=fanout, cid_version=1))
    source = ScriptedSource(store, orders(1)[order])
    assert summary(read_tree(source, root, DagOptions(window_blocks=50))) == list(
        expected(tree, sharded=fanout)
    )
    listed = list(list_directory(ScriptedSource(store, orders(2)[order]), root))
    assert {entry.name for entry in listed} == set(tree)
    assert len(listed) == count


def shards() -> dict[str, tuple[Any, str]]:
    make = Maker()
    a, b = make.raw(b"1"), make.raw(b"2")
    slots = {name: hamt.name_hash(name) >> 56 for name in (b"a", b"b")}

    def shard(links: list[pb.Link], bits: list[int], **fields: Any) -> pb.Link:
        field = sum(1 << bit for bit in bits)
        fields = {"hash_type": 0x22, "fanout": 256, **fields}
        data = field.to_bytes((field.bit_length() + 7) // 8, "big")
        return make.node(FSNode(Type.HAMT_SHARD, data, **fields), links)

    def named(link: pb.Link, slot: int, name: bytes = b"") -> pb.Link:
        return link._replace(name=b"%02X%b" % (slot, name))

    good_a = named(a, slots[b"a"], b"a")
    other = (slots[b"a"] + 1) % 256
    empty = shard([], [])
    narrow = shard([a._replace(name=b"00")], [0], fanout=16)
    cases = {
        "hash function": (shard([], [], hash_type=0x12), "hash function 18"),
        "no hash function": (shard([], [], hash_type=None), "hash function None"),
        "no width": (shard([], [], fanout=None), "0 wide"),
        "width": (shard([], [], fanout=100), "100 wide"),
        "great width": (shard([], [], fanout=2**40), "wide"),
        "missing link": (shard([good_a], [slots[b"a"], other]), "not those of its bit field"),
        "further link": (shard([good_a, named(b, slots[b"b"], b"b")], [slots[b"a"]]), "not those of its bit"),
        "repeated link": (shard([good_a, good_a], [slots[b"a"]]), "not those of its bit field"),
        "wide bit field": (shard([good_a], [slots[b"a"], 300]), "not those of its bit field"),
        "wrong place": (shard([named(a, other, b"a")], [other]), "not where its hash belongs"),
        "no prefix": (shard([a._replace(name=b"x")], [0]), "no index in its name"),
        "lower case": (shard([a._replace(name=b"aafile")], [0xAA]), "no index in its name"),
        "sign": (shard([a._replace(name=b"+1file")], [1]), "no index in its name"),
        "empty below": (shard([named(empty, 0)], [0]), "below the root of a directory is empty"),
        "narrow below": (shard([named(narrow, 0)], [0]), "16 wide inside a directory of width 256"),
        "file below": (shard([named(make.node(FSNode(Type.FILE, b"x", 1)), 0)], [0]), "a FILE"),
        "raw below": (shard([named(a, 0)], [0]), "raw block where a shard|is no directory"),
    }
    return {name: ((make.store, root), message) for name, (root, message) in cases.items()}


SHARDS = shards()


@pytest.mark.parametrize("name", sorted(SHARDS))
def test_broken_shards(name: str) -> None:
    (store, root), message = SHARDS[name]
    for read in (read_tree, list_directory):
        with pytest.raises((MalformedNode, WrongType), match=message):
            list(read(StoreGetter(store), root.cid))  # type: ignore[operator]


def test_shards_without_end_end() -> None:
    """A shard that leads to itself cannot exist, but a chain of them can: the bits of a hash are soon used
    up.
    """
    make = Maker()
    shard = make.node(
        FSNode(Type.HAMT_SHARD, b"\x01", hash_type=0x22, fanout=256), [make.raw(b"")._replace(name=b"00x")]
    )
    for _ in range(12):
        shard = make.node(
            FSNode(Type.HAMT_SHARD, b"\x01", hash_type=0x22, fanout=256), [shard._replace(name=b"00")]
        )
    with pytest.raises(MalformedNode, match="levels deep"):
        make.read(shard)


# Sizes.


@pytest.mark.parametrize("order", sorted(orders(0)))
def test_blocks_larger_than_declared_do_not_fill_the_memory(order: str) -> None:
    make = Maker()
    parts = [(make.raw(bytes([i]) * 1000)._replace(tsize=1), 1) for i in range(250)]
    root = make.file(parts)
    source = ScriptedSource(make.store, orders(9)[order])
    with pytest.raises(SizeMismatch):
        list(read_file(source, root.cid, DagOptions(window_blocks=200, window_bytes=20_000)))


class Batch(list[Block]):
    """A list of blocks that can be watched."""


def test_blocks_are_held_by_the_window_alone() -> None:
    """What came together does not stay in memory together until the last of it was read."""
    batches: list[weakref.ref[Batch]] = []

    class Watched(ScriptedSource):
        def take(self, timeout: float | None = None) -> list[Block]:
            batch = Batch(super().take(timeout))
            batches.append(weakref.ref(batch))
            return batch

    store = DictStore()
    data = os.urandom(20_000)
    root = add_stream(io.BytesIO(data), store, ImportOptions(chunk_size=1000)).cid
    read = b""
    for part in read_file(Watched(store), root):
        read += part
        assert [batch() for batch in batches] == [None] * len(batches)
    assert read == data
    assert batches


def test_an_interior_node_is_told_from_a_leaf() -> None:
    """What leads to more than a block is no leaf; a wrapped leaf has little around it."""
    store = DictStore()
    options = ImportOptions(chunk_size=1000, max_links=10)
    root = add_stream(io.BytesIO(os.urandom(100_000)), store, options).cid
    source = ScriptedSource(store, orders(0)["first"])
    read = read_file(source, root, DagOptions(window_blocks=64))
    next(read)
    # The root, its ten nodes, and leaves up to the limit.
    assert len(source.times_wanted) >= 1 + 10 + 64 - 8 - 1 - 4
    assert MAX_BLOCK > 100_000
