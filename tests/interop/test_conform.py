"""boxo under `bitswap conform`: every verdict is expected, and whatever is not a pass has its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitswap import CID
from bitswap.conform.line import parse_target
from bitswap.conform.runner import chosen, run
from bitswap.network.libp2p.connection import security_ids
from tests.conform.boxo import EXPECTED
from tests.interop.gopeer import GoPeer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]


def test_verdicts_of_boxo(go_peer: GoPeer, security: str, tmp_path: Path) -> None:
    small, listed = tmp_path / "small", tmp_path / "cids"
    small.write_bytes(b"a small file")
    with go_peer.serve(
        security=security,
        file=[small],
        cid_version=1,
        blocks_count=28,
        blocks_size=256 * 1024,
        cids_out=listed,
    ) as server:
        ready = server.line()
        cids = [CID(text) for text in (*listed.read_text().split(), *ready["roots"].values())]
        target = parse_target(ready["addrs"][0], security_ids([security]))
        found = list(run(target, chosen(), cids=cids, timeout=20.0))
    expected = {check.name: EXPECTED.get(check.name, ("pass", ""))[0] for check in chosen()}
    told = {one.check.name: one.verdict.value for one in found}
    seen = {one.check.name: one.result.seen for one in found}
    assert told == expected, {name: seen[name] for name in told if told[name] != expected[name]}
    frames = seen["corpus-framing"] + seen["corpus-truncated"]
    assert "taken: no-body-of-1, no-body-of-2, no-body-of-48 and 1 more" in frames
    assert "taken: cut-01, whole-then-cut-01" in frames


def test_reasons_are_of_checks_that_exist() -> None:
    assert set(EXPECTED) <= {check.name for check in chosen()}
    assert all(reason and verdict != "fail" for verdict, reason in EXPECTED.values())
