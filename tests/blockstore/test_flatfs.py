"""The layout of kubo's blocks folder, made by hand here, and what of it is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitswap.block import Block
from bitswap.blockstore import FlatfsBlockstore, open_store
from bitswap.cid import CID, DAG_PB
from bitswap.cli import main
from bitswap.errors import UsageError
from bitswap.options import StoreOptions

HELLO = Block.of(b"hello")


@pytest.fixture
def kubo(tmp_path: Path) -> Path:
    """A repository with one block, as kubo leaves it."""
    folder = tmp_path / "ipfs" / "blocks"
    name = file_name(HELLO)
    (folder / name[-3:-1]).mkdir(parents=True)
    (folder / name[-3:-1] / f"{name}.data").write_bytes(HELLO.data)
    (folder / "SHARDING").write_text("/repo/flatfs/shard/v1/next-to-last/2\n")
    (folder / "_README").write_text("This is a repository of IPLD objects.")
    (folder / "diskUsage.cache").write_text('{"diskUsage":5,"accuracy":"initial-exact"}\n')
    (folder / ".temp").mkdir()
    (folder / ".temp" / "temp-123").write_bytes(b"half")
    (tmp_path / "ipfs" / "config").write_text("{}")
    return folder


def file_name(block: Block) -> str:
    """The name by the definition of base32: five bits a letter."""
    bits = "".join(f"{byte:08b}" for byte in block.cid.multihash)
    bits += "0" * (-len(bits) % 5)
    return "".join(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5)
    )


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_kubo_wrote_is_found(kubo: Path) -> None:
    before = files(kubo)
    with FlatfsBlockstore(kubo) as store:
        assert store.get(HELLO.cid).data == b"hello"
        assert store.get(CID.v1(DAG_PB, HELLO.cid.multihash)).data == b"hello"
        assert store.size(HELLO.cid) == 5
        assert list(store.multihashes()) == [HELLO.cid.multihash]
        assert len(store) == 1
    assert files(kubo) == before


def test_what_is_put_lies_where_kubo_looks(kubo: Path) -> None:
    before = files(kubo)
    new = Block.of(b"new", version=0, codec=DAG_PB)
    with FlatfsBlockstore(kubo, StoreOptions(durability="full")) as store:
        store.put_many([HELLO, new])
        store.flush()
    name = file_name(new)
    place = f"{name[-3:-1]}/{name}.data"
    assert files(kubo) - before == {place}
    assert (kubo / place).read_bytes() == b"new"


def test_a_new_folder_is_one_that_kubo_opens(tmp_path: Path) -> None:
    with FlatfsBlockstore(tmp_path / "new") as store:
        store.put(HELLO)
    assert (tmp_path / "new" / "SHARDING").read_text() == "/repo/flatfs/shard/v1/next-to-last/2\n"
    with open_store(f"flatfs:{tmp_path / 'new'}") as again:  # type: ignore[attr-defined]
        assert again.get(HELLO.cid).data == b"hello"


@pytest.mark.parametrize(
    ("function", "folder"),
    [
        ("prefix/6", file_name(HELLO)[:6]),
        ("suffix/2", file_name(HELLO)[-2:]),
        ("next-to-last/1", file_name(HELLO)[-2]),
        ("next-to-last/60", file_name(HELLO)[:-1].rjust(60, "_")),
        ("prefix/60", file_name(HELLO).ljust(60, "_")),
    ],
)
def test_other_ways_to_name_folders(tmp_path: Path, function: str, folder: str) -> None:
    (tmp_path / "SHARDING").write_text(f"/repo/flatfs/shard/v1/{function}")
    with FlatfsBlockstore(tmp_path) as store:
        store.put(HELLO)
        assert list(store.multihashes()) == [HELLO.cid.multihash]
    assert files(tmp_path) == {"SHARDING", f"{folder}/{file_name(HELLO)}.data"}


@pytest.mark.parametrize(
    "text",
    ["", "/repo/flatfs/shard/v2/next-to-last/2", "/repo/flatfs/shard/v1/next-to-last/0", "x/../2", "é"],
)
def test_folders_named_in_an_unknown_way_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "SHARDING").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"SHARDING|no blocks folder"):
        FlatfsBlockstore(tmp_path)


def test_a_folder_that_is_something_else_is_refused(kubo: Path) -> None:
    before = files(kubo.parent)
    with pytest.raises(UsageError, match=r"write flatfs:.*blocks"):
        open_store(f"flatfs:{kubo.parent}")
    with pytest.raises(UsageError, match="no blocks folder"):
        open_store(f"flatfs:{kubo / '.temp'}")
    with pytest.raises(UsageError, match="no blocks folder"):
        open_store(f"flatfs:{kubo / '_README'}")
    with pytest.raises(UsageError, match="needs a path"):
        open_store("flatfs:")
    assert files(kubo.parent) == before


def test_a_write_that_fails_leaves_no_half_block(kubo: Path) -> None:
    before = files(kubo)
    with FlatfsBlockstore(kubo) as store:
        with pytest.raises(TypeError):
            store.put(Block(Block.of(b"text").cid, "text"))  # type: ignore[arg-type]
        assert files(kubo) == before


def test_the_command_line_reads_and_writes_it(
    kubo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"x" * 1000)
    assert main(["add", str(source), "--store", f"flatfs:{kubo}"]) == 0
    cid = capfd.readouterr().out.strip()
    assert main(["get", cid, "-o", str(tmp_path / "out"), "--store", f"flatfs:{kubo}"]) == 0
    assert (tmp_path / "out").read_bytes() == source.read_bytes()
