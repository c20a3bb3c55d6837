"""`bitswap get --explain`: words or objects on standard error while nothing comes, and on failure."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bitswap import NotFound
from bitswap.cli.console import Progress
from bitswap.cli.explaining import Explaining
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.testutils import cids_of, make_blocks
from tests.cli.commands import bitswap, serving
from tests.client.mute import Mute
from tests.explain.conftest import Pair

pytestmark = pytest.mark.timeout(120)
SECONDS = 20.0
"""Longer than anything here takes; nothing waits for it to pass."""
BLOCK = make_blocks(1)[0]


@pytest.fixture
def silent() -> Iterator[Libp2pNetwork]:
    """A node that never answers."""
    network = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"])
    network.start(Mute())
    yield network
    network.close()


class TestCommand:
    def test_a_peer_that_does_not_answer(self, silent: Libp2pNetwork, tmp_path: Path) -> None:
        common = ("get", BLOCK.cid, "--peer", silent.addrs[0], "--store", "memory:", "-o", tmp_path / "out")
        told = bitswap(*common, "--explain", "--timeout", "0.5", code=1)
        assert f"{BLOCK.cid}: a peer is asked for it" in told.stderr
        assert f"  {silent.self_id}: asked for the block " in told.stderr
        assert re.search(rf"next: in \d\.\d s …{silent.self_id[-7:]} counts as lacking it", told.stderr)
        assert told.stdout == ""
        quiet = bitswap(*common, "--timeout", "0.5", code=1)
        assert "next:" not in quiet.stderr

    def test_as_objects(self, silent: Libp2pNetwork, tmp_path: Path) -> None:
        words = ("--peer", silent.addrs[0], "--store", "memory:", "-o", tmp_path / "out", "--timeout", "0.5")
        told = bitswap("get", BLOCK.cid, *words, "--explain", "--json", code=1)
        records = [json.loads(line) for line in told.stderr.splitlines() if line.startswith("{")]
        (record,) = records
        assert (record["wanted"], record["cause"], record["missing"]) == (1, "unanswered", [str(BLOCK.cid)])
        assert record["reasons"][silent.self_id]["cause"] == "unanswered"
        (explained,) = record["explain"]
        assert explained["state"] == "asked"
        assert explained["waits"][0]["peers"][0]["peer"] == silent.self_id
        assert told.stdout == ""

    def test_a_peer_that_lacks_it(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"something else")
        with serving(tmp_path / "file", "--store", "memory:") as (ready, _):
            common = ("get", BLOCK.cid, "--peer", ready["addrs"][0], "--store", "memory:", "--explain")
            told = bitswap(*common, code=1)
            as_json = bitswap(*common, "--json", code=1)
            got = bitswap(
                *("get", next(iter(ready["roots"].values())), "-o", tmp_path / "out"),
                *("--peer", ready["addrs"][0], "--store", "memory:", "--explain", "--json"),
            )
        assert f"  {ready['peer_id']}: answered DONT_HAVE" in told.stderr
        record = json.loads(as_json.stderr.splitlines()[0])
        assert (record["cause"], record["wanted"]) == ("dont_have", 0)
        assert record["reasons"][ready["peer_id"]]["reason"] == "answered DONT_HAVE"
        # Nothing is said where nothing is to be said.
        assert got.stderr == ""
        assert json.loads(got.stdout)["bytes"] == 14


class TestWaiting:
    def test_is_told_again_and_again(self, pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
        ours, theirs = pair()
        blocks = make_blocks(5)
        with ours.new_session() as session, ThreadPoolExecutor(1) as pool:
            progress = Progress("fetching", quiet=True)
            source = Explaining(ours, session, SECONDS, progress, as_json=False, every=0.02)
            source.want(cids_of(blocks))
            taken = pool.submit(source.take)
            said = ""
            while said.count("nothing has come for") < 3:
                said += capsys.readouterr().err
                threading.Event().wait(0.001)
            theirs.add_block(blocks[0])
            assert taken.result(SECONDS) == [blocks[0]]
            source.close()
        assert "5 wanted" in said
        assert "and 2 more are waited for" in said
        assert "theirs: answered DONT_HAVE" in said
        assert ours.wantlist() == []

    def test_what_was_given_up_is_told_by_peer(self, pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
        ours, _ = pair()
        with ours.new_session(peers=["theirs", "x"], broadcast=False) as session:
            progress = Progress("fetching", quiet=True)
            source = Explaining(ours, session, SECONDS, progress, as_json=False)
            source.want([BLOCK.cid])
            source.cancel([BLOCK.cid])
            assert source.take() == []
            source.want([BLOCK.cid])
            with pytest.raises(NotFound):
                source.take()
            source.close()
        said = capsys.readouterr().err
        assert said.splitlines() == ["  theirs: answered DONT_HAVE", "  x: not connected"]
