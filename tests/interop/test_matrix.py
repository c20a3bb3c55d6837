"""Every cell of the interop matrix whose peer is here: it passes, or the peer fails as it is known to.

boxo is built when need be. Another peer takes part when it was built before (`make interop-matrix` does
that), or with BITSWAP_INTEROP_BUILD=1.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.interop.matrix.cells import Cell, Transfer, cells, judge, run
from tests.interop.matrix.ours import OURS
from tests.interop.matrix.page import SECURITY, Played, page
from tests.interop.matrix.peer import LARGE, Known, Peer, Program, Verdict
from tests.interop.matrix.peers import peers

PAGE = Path(__file__).parents[2] / "docs" / "interop.md"


@pytest.fixture
def their_program(cell: Cell, matrix_programs: dict[str, Program | str]) -> Program:
    found = matrix_programs[cell.peer.name]
    if isinstance(found, str):
        if cell.peer.required and os.environ.get("BITSWAP_REQUIRE_INTEROP") == "1":
            pytest.fail(found)
        pytest.skip(found)
    return found


@pytest.mark.interop
@pytest.mark.timeout(300)
@pytest.mark.parametrize("cell", cells(peers()), ids=str)
def test_cell(cell: Cell, their_program: Program, tmp_path: Path) -> None:
    found = run(cell, their_program, OURS, tmp_path)
    assert found.verdict is not Verdict.FAILED, f"{found.words}\n{found.transfer.said()[-6000:]}"


@pytest.mark.parametrize("peer", peers(), ids=lambda peer: peer.name)
def test_page_has_every_cell(peer: Peer) -> None:
    """One that was added, or has other cells now, and was not run since, is missing there."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {peer.name}\n")[1].split("\n## ")[0]
    assert all(shape.name in section for shape in peer.shapes)
    rows = {
        tuple(part.strip() for part in line.split("|")[1:3]) for line in section.splitlines() if "|" in line
    }
    expected = {
        (f"`{way.value.format(peer.name)}`", SECURITY[name])
        for way in peer.directions
        for name in peer.securities
    }
    assert expected <= rows
    assert "**failed**" not in section
    assert all(known.cause in section for known in peer.known if known.always)


def test_page_of_a_run_of_nobody_is_the_same() -> None:
    """A run of some peers leaves what stands there of the others."""
    before = PAGE.read_text(encoding="utf-8")
    names = [peer.name for peer in peers()]
    assert page(names, [], before) == before
    assert page(names, [Played(peer, None, (), "no tools") for peer in peers()], before) == before


WHOLE = {"blocks": LARGE.count, "bytes": LARGE.count * LARGE.size, "duplicates": 0}
SOME = {"blocks": 3, "bytes": 3 * LARGE.size, "duplicates": 0, "error": "61 of 64 did not come"}


def transfer(report: dict[str, object], heard: str = "") -> Transfer:
    return Transfer(LARGE, report, {}, heard)


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (WHOLE, Verdict.PASSED),
        (SOME, Verdict.FAILED),
        ({**WHOLE, "bytes": 1}, Verdict.FAILED),
        ({**WHOLE, "duplicates": 1}, Verdict.FAILED),
        ({**WHOLE, "error": "exit code 1"}, Verdict.FAILED),
        ({}, Verdict.FAILED),
    ],
)
def test_a_cell_without_excuse_has_to_pass(report: dict[str, object], verdict: Verdict) -> None:
    assert judge(None, transfer(report), None)[0] is verdict


@pytest.mark.parametrize(
    ("report", "itself", "heard", "verdict"),
    [
        (SOME, SOME, "too large", Verdict.PEER),
        (SOME, WHOLE, "too large", Verdict.FAILED),
        (SOME, SOME, "", Verdict.FAILED),
        (WHOLE, SOME, "too large", Verdict.FAILED),
    ],
)
def test_a_failure_of_the_peer_has_to_show(
    report: dict[str, object], itself: dict[str, object], heard: str, verdict: Verdict
) -> None:
    known = Known(Verdict.PEER, "its messages are too large", seen="too large", itself=True)
    assert judge(known, transfer(report, heard), transfer(itself))[0] is verdict


def test_a_limit_is_no_excuse_for_missing_blocks() -> None:
    known = Known(Verdict.LIMITED, "sends some of them twice")
    assert judge(known, transfer({**WHOLE, "duplicates": 5}), None)[0] is Verdict.LIMITED
    assert judge(known, transfer(SOME), None)[0] is Verdict.FAILED


def test_what_blames_a_peer_has_to_be_shown() -> None:
    with pytest.raises(ValueError, match="has to be shown"):
        Known(Verdict.PEER, "because")
