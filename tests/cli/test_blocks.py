"""`bitswap blocks`: test blocks are the same everywhere, lists of CIDs are read strictly."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bitswap.blockstore import open_store
from bitswap.cid import CID
from bitswap.cli import main
from bitswap.cli.blocks import make_block


def test_a_block_is_the_concatenation_of_hashes_cut_to_size() -> None:
    digests = [hashlib.sha256(f"seed:7:{part}".encode()).digest() for part in range(4)]
    block = make_block("seed", 7, 100)
    assert block.data == b"".join(digests)[:100]
    assert block.cid == CID.v1(0x55, b"\x12\x20" + hashlib.sha256(block.data).digest())


def test_make_stores_every_block_and_lists_the_cids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listing, url = tmp_path / "cids", f"lmdb:{tmp_path / 'store'}"
    command = [
        "blocks",
        "make",
        "--count",
        "5",
        "--size",
        "70",
        "--seed",
        "x",
        "--cids",
        str(listing),
        "--store",
        url,
    ]
    assert main([*command, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["blocks"], record["bytes"]) == (5, 350)
    cids = listing.read_text().split()
    assert cids == [str(make_block("x", index, 70).cid) for index in range(5)]
    store = open_store(url)
    try:
        assert [store.get(CID(cid)).data for cid in cids] == [
            make_block("x", index, 70).data for index in range(5)
        ]
    finally:
        store.close()


def test_a_bad_line_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listing = tmp_path / "cids"
    listing.write_text(f"{make_block('x', 0, 10).cid}\n\nnot-a-cid\n")
    assert main(["blocks", "get", "--cids", str(listing), "--store", "memory:"]) == 2
    told = capsys.readouterr().err
    assert "line 3" in told
    assert "Traceback" not in told


def test_a_missing_list_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["blocks", "get", "--cids", str(tmp_path / "none"), "--store", "memory:"]) == 2
    assert "cannot read the list" in capsys.readouterr().err


def test_blocks_that_the_store_has_need_no_peer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listing, url = str(tmp_path / "cids"), f"lmdb:{tmp_path / 'store'}"
    assert (
        main(
            [
                "blocks",
                "make",
                "--count",
                "3",
                "--size",
                "9",
                "--seed",
                "y",
                "--cids",
                listing,
                "--store",
                url,
            ]
        )
        == 0
    )
    capsys.readouterr()
    assert main(["blocks", "get", "--cids", listing, "--store", url, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["blocks"], record["bytes"], record["duplicates"]) == (3, 27, 0)
