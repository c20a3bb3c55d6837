"""Peers that want more than is kept; `python -m tests.scenarios.flood` does the same at full size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bitswap.cid import CID
from bitswap.decision.implementations import implementations
from bitswap.message import Message
from bitswap.options import MIB, ServerOptions
from tests.decision.support import block
from tests.scenarios.flood import Flood, Outcome, in_core, misplaced, name, pour

SMALL = Flood(
    peers=24,
    wants=2000,
    per_message=100,
    options=ServerOptions(max_wantlist_entries=512, min_wantlist_entries=64, max_total_wantlist_entries=3000),
)
MEDIUM = Flood(
    peers=100,
    wants=5000,
    per_message=500,
    options=ServerOptions(
        max_wantlist_entries=4096, min_wantlist_entries=256, max_total_wantlist_entries=1 << 16
    ),
)
RECORD = 200
"""Bytes in the compiled core of a want or an answer with a CID of its own, room to grow included."""


@pytest.fixture
def poured(implementation: str) -> Outcome:
    return pour(SMALL, implementation)


def denies_all(peer: str, wanted: CID) -> bool:
    return False


def test_what_is_kept_stays_below_the_budget(poured: Outcome) -> None:
    stat = poured.engine.stat
    assert poured.messages == SMALL.peers * SMALL.wants // SMALL.per_message
    assert stat.wants <= SMALL.most_wants
    assert poured.most_pending <= SMALL.most_answers
    assert stat.wants_refused == SMALL.peers * SMALL.wants - stat.wants


def test_refusals_have_little_room(implementation: str) -> None:
    """A peer that may have nothing is told so about as many blocks as boxo would queue; nothing is kept."""
    flood = replace(SMALL, options=replace(SMALL.options, peer_block_request_filter=denies_all))
    stat = pour(flood, implementation).engine.stat
    assert stat.wants == 0
    assert stat.pending_tasks == flood.peers * flood.options.min_wantlist_entries


def test_each_peer_keeps_at_least_its_share_and_the_highest_of_its_priorities(poured: Outcome) -> None:
    counts = [len(poured.engine.wantlist_for_peer(name(peer))) for peer in range(SMALL.peers)]
    assert min(counts) >= SMALL.options.min_wantlist_entries
    assert max(counts) <= SMALL.options.max_wantlist_entries
    assert sum(counts) == poured.engine.stat.wants
    assert misplaced(SMALL, poured.engine) == 0


def test_nothing_is_left_when_the_peers_have_gone(poured: Outcome) -> None:
    engine = poured.engine
    for peer in range(SMALL.peers):
        engine.peer_disconnected(name(peer))
    stat = engine.stat
    assert (stat.wants, stat.pending_tasks, stat.active_tasks, stat.peers) == (0, 0, 0, ())
    assert engine.next_envelope(1e6) is None


def test_a_newcomer_with_one_want_is_served_beside_them(poured: Outcome) -> None:
    engine, now = poured.engine, 1e6
    message = Message()
    message.add_entry(block("a").cid, 1)
    engine.receive("newcomer", message.to_body(), lambda cids: [1] * len(cids), now)
    served = []
    while "newcomer" not in served:
        envelope = engine.next_envelope(now)
        assert envelope is not None
        served.append(envelope.peer)
        engine.envelope_sent(envelope, now)
    # None of the others has been served either, and they have more queued.
    assert len(served) <= SMALL.peers + 1


@pytest.mark.skipif("c" not in implementations(), reason="the compiled core is not built")
def test_memory_stays_below_the_budget_and_is_given_back() -> None:
    outcome = pour(MEDIUM, "c")
    stat = outcome.engine.stat
    assert stat.wants <= MEDIUM.most_wants
    assert misplaced(MEDIUM, outcome.engine) == 0
    assert in_core(outcome.engine) <= RECORD * (stat.wants + stat.pending_tasks) + MIB
    for peer in range(MEDIUM.peers):
        outcome.engine.peer_disconnected(name(peer))
    assert in_core(outcome.engine) <= MIB
