"""Each check can fail: a server that is wrong in one thing is found out by the check that looks at it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bitswap.conform.line import parse_target
from bitswap.conform.runner import Finding, chosen, run
from bitswap.conform.verdict import Verdict
from bitswap.network.libp2p.connection import security_ids
from tests.conform.badservers import FINDS, Falls, HasFewStreams, PlainServer, SendsPresents
from tests.conform.held import HELD

pytestmark = pytest.mark.timeout(120)

BEFORE = {
    # What looks back needs something to look back at.
    SendsPresents: ("repeated-want",),
    Falls: ("want-type-unknown",),
}


def findings(server: PlainServer, names: Sequence[str], timeout: float) -> dict[str, Finding]:
    target = parse_target(server.address, security_ids(["tls"]))
    found = run(target, chosen(names), cids=[block.cid for block in HELD], timeout=timeout)
    return {finding.check.name: finding for finding in found}


@pytest.mark.parametrize("kind", list(FINDS), ids=lambda kind: kind.__name__)
def test_a_fault_is_found(kind: type[PlainServer]) -> None:
    check = FINDS[kind]
    with kind(HELD) as server:
        found = findings(server, [check, *BEFORE.get(kind, ())], timeout=2.0)
    assert found[check].verdict is Verdict.FAIL, found[check].result


def test_without_a_fault_nothing_is_found() -> None:
    with PlainServer(HELD) as server:
        found = findings(server, sorted({*FINDS.values(), "corpus-merges", "corpus-large"}), timeout=30.0)
    wrong = {name: one.result.seen for name, one in found.items() if one.verdict is not Verdict.PASS}
    assert wrong == {}


def test_what_is_allowed_is_no_fault() -> None:
    with HasFewStreams(HELD) as server:
        found = findings(server, ["many-streams-open", "clean-end"], timeout=5.0)
    assert {name: one.verdict.value for name, one in found.items()} == {
        "many-streams-open": "differs",
        "clean-end": "pass",
    }


class Mute(PlainServer):
    """Takes everything and says nothing."""

    def send_next(self, peer: str) -> None: ...


def test_a_peer_that_says_nothing_breaks_no_rule() -> None:
    names = ["dont-have-to-want-have", "unknown-fields", "corpus-bad-cids", "well-formed", "clean-end"]
    with Mute() as server:
        target = parse_target(server.address, security_ids(["tls"]))
        found = {one.check.name: one for one in run(target, chosen([*names, "want-block"]), timeout=1.0)}
    assert {name: one.verdict.value for name, one in found.items()} == {
        "dont-have-to-want-have": "differs",
        "unknown-fields": "skipped",
        "want-block": "skipped",
        "corpus-bad-cids": "pass",
        "well-formed": "skipped",
        "clean-end": "pass",
    }
    assert "never says DONT_HAVE" in found["unknown-fields"].result.seen
    assert "--cid" in found["want-block"].result.seen
