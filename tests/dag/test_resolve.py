"""Paths through plain and sharded directories."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitswap.cid import CID
from bitswap.dag import ImportOptions, PathNotFound, StoreGetter, WrongType, parse_path, read_file, resolve
from bitswap.errors import InvalidCid, NotFound, UsageError
from tests.dag.trees import ScriptedSource, put

ROOT = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
TREE: Any = {
    "a": {"b": {"c.txt": b"content", "ü": b"umlaut"}, "empty": {}},
    "link": "a/b",
    **{f"file {i}": f"{i}".encode() for i in range(500)},
}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (ROOT, []),
        (f"/ipfs/{ROOT}", []),
        (f"ipfs://{ROOT}/", []),
        (f"{ROOT}/a//b/", ["a", "b"]),
        (f"/ipfs/{ROOT}/a b/ipfs/x", ["a b", "ipfs", "x"]),
        (f"ipfs://{ROOT}/..", [".."]),
    ],
)
def test_parse(text: str, names: list[str]) -> None:
    assert parse_path(text) == (CID(ROOT), names)


def test_a_cid_is_a_path() -> None:
    assert parse_path(CID(ROOT)) == (CID(ROOT), [])


@pytest.mark.parametrize("text", ["", "/", "/ipfs/", "ipfs://", "hello/a", "/ipns/example.org/a", "../a"])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(UsageError):
        parse_path(text)
    with pytest.raises((InvalidCid, UsageError)):
        resolve(StoreGetter(put({})[0]), text)


@pytest.mark.parametrize("sharding", ["never", "always"])
@pytest.mark.parametrize("fanout", [8, 256])
def test_resolve(sharding: Any, fanout: int) -> None:
    store, root = put(TREE, ImportOptions(sharding=sharding, fanout=fanout, cid_version=1))
    source = StoreGetter(store)
    assert resolve(source, root).cid == root
    found = resolve(source, f"{root}/a/b/c.txt")
    assert found.name == "c.txt"
    assert b"".join(read_file(source, found.cid)) == b"content"
    assert b"".join(read_file(source, resolve(source, f"{root}/a/b/ü").cid)) == b"umlaut"
    for i in range(0, 500, 7):
        assert b"".join(read_file(source, resolve(source, f"{root}/file {i}").cid)) == str(i).encode()
    for missing in ("x", "a/x/y", "a/b/c", "a/empty/x", "file 500", "FILE 1", ".."):
        with pytest.raises(PathNotFound) as caught:
            resolve(source, f"{root}/{missing}")
        assert caught.value.missing == (f"{root}/{missing}".removesuffix("/y"),)
        assert isinstance(caught.value, NotFound)
    for no_directory in ("a/b/c.txt/x", "link/x"):
        with pytest.raises(WrongType, match="no directory"):
            resolve(source, f"{root}/{no_directory}")


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=4).filter(lambda name: "/" not in name), st.just(b""), max_size=20
    )
)
def test_every_name_is_found(tree: dict[str, bytes]) -> None:
    tree = {name: b"" for name in tree if name.isprintable()}
    for sharding in ("never", "always"):
        store, root = put(tree, ImportOptions(sharding=sharding, fanout=8))  # type: ignore[arg-type]
        for name in tree:
            assert resolve(StoreGetter(store), f"{root}/{name}").name == name


def test_only_the_shards_on_the_way_are_read() -> None:
    store, root = put(TREE, ImportOptions(sharding="always", fanout=8, cid_version=1))
    source = ScriptedSource(store)
    resolve(source, f"{root}/file 77")
    assert len(source.times_wanted) <= 6


def test_missing_blocks_are_told() -> None:
    store, root = put(TREE)
    inner = resolve(StoreGetter(store), f"{root}/a").cid
    store.delete(inner)
    with pytest.raises(NotFound) as caught:
        resolve(StoreGetter(store), f"{root}/a/b")
    assert caught.value.missing == (str(inner),)
    assert not isinstance(caught.value, PathNotFound)
