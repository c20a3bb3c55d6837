"""Files and directories from one running node to another."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from bitswap.dag import ImportOptions, PathNotFound, add_path, add_stream, export, pb, read_file, resolve
from bitswap.errors import NotFound
from bitswap.options import DagOptions
from bitswap.testinstance import instances

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("chunk", [1000, 262_144])
@pytest.mark.parametrize("version", [0, 1])
def test_a_file_is_read_over_the_network(chunk: int, version: int) -> None:
    data = os.urandom(3_000_000)
    with instances(3) as (holder, other, reader):
        options = ImportOptions(chunk_size=chunk, cid_version=version)
        root = add_stream(io.BytesIO(data), holder.store, options).cid
        add_stream(io.BytesIO(data[: len(data) // 2]), other.store, options)
        with reader.getter(30) as source:
            assert b"".join(read_file(source, root)) == data
        assert len(reader.store) == len(holder.store)


def test_a_directory_is_fetched_and_a_second_time_nothing(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for i in range(30):
        (tree / f"dir {i % 3}").mkdir(parents=True, exist_ok=True)
        (tree / f"dir {i % 3}" / f"file {i}").write_bytes(os.urandom(i * 1000))
    with instances(2) as (holder, reader):
        added = add_path(tree, holder.store, ImportOptions(chunk_size=5000, sharding="always", fanout=8))
        with reader.new_session(peers=[holder.network.self_id], broadcast=False) as session:
            with session.getter(30) as source:
                inner = resolve(source, f"{added.cid}/dir 1/file 4")
                assert b"".join(read_file(source, inner.cid)) == (tree / "dir 1" / "file 4").read_bytes()
                export(source, added.cid, tmp_path / "out", bounds=DagOptions(window_blocks=30))
            fetched = session.stats.blocks
            assert fetched == len(holder.store)
            with session.getter(30) as source:
                export(source, added.cid, tmp_path / "again")
            assert session.stats.blocks == fetched
    for i in range(30):
        for out in ("out", "again"):
            path = Path(f"dir {i % 3}", f"file {i}")
            assert (tmp_path / out / path).read_bytes() == (tree / path).read_bytes()


def test_what_nobody_has_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with instances(2) as (holder, reader):
        root = add_stream(io.BytesIO(os.urandom(100_000)), holder.store, ImportOptions(chunk_size=1000)).cid
        missing = pb.decode(holder.store.get(root).data).links[50].cid
        holder.store.delete(missing)
        with reader.new_session(peers=[holder.network.self_id], broadcast=False) as session:
            with session.getter(30) as source, pytest.raises(NotFound) as caught:
                export(source, root, tmp_path / "out")
            assert str(missing) in caught.value.missing
            assert not isinstance(caught.value, PathNotFound)
    assert list(tmp_path.iterdir()) == []
