"""Accounts and scores of peers, compiled and in Python (boxo `decision/scoreledger.go`)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitswap._core import implementations
from bitswap.decision.score_ledger import DefaultScoreLedger, Receipt

LEDGERS: dict[str, Callable[..., Any]] = {"py": DefaultScoreLedger}
if "c" in implementations():
    LEDGERS["c"] = importlib.import_module("bitswap._core.accounts_c").DefaultScoreLedger


@pytest.fixture(params=list(LEDGERS))
def new(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return LEDGERS[request.param]


def test_an_unknown_peer_has_an_empty_receipt(new: Callable[..., Any]) -> None:
    ledger = new()
    assert ledger.receipt("A") == Receipt("A", 0.0, 0, 0, 0)
    assert type(ledger.receipt("A")) is Receipt
    ledger.peer_connected("A")
    assert ledger.receipt("A") == Receipt("A", 0.0, 0, 0, 0)
    assert ledger.sample() == {}


def test_a_receipt_has_what_was_exchanged(new: Callable[..., Any]) -> None:
    ledger = new()
    ledger.add_sent("A", 1000, 2)
    ledger.add_received("A", 99, 1)
    ledger.add_sent("B", 7, 1)
    receipt = ledger.receipt("A")
    assert receipt == Receipt("A", 10.0, 1000, 99, 3)
    assert [type(field) for field in receipt] == [str, float, int, int, int]
    assert ledger.receipt("B") == Receipt("B", 7.0, 7, 0, 1)


def test_what_did_not_leave_is_taken_back(new: Callable[..., Any]) -> None:
    ledger = new()
    ledger.add_sent("A", 1000, 2)
    ledger.add_sent("A", -1000, -2)
    assert ledger.receipt("A") == Receipt("A", 0.0, 0, 0, 0)
    assert ledger.sample() == {}


def test_connecting_again_keeps_an_account_and_disconnecting_ends_it(new: Callable[..., Any]) -> None:
    ledger = new()
    ledger.add_received("A", 5, 1)
    ledger.peer_connected("A")
    assert ledger.receipt("A").recv == 5
    ledger.peer_disconnected("A")
    ledger.peer_disconnected("A")
    assert ledger.receipt("A") == Receipt("A", 0.0, 0, 0, 0)
    assert ledger.sample() == {}
    ledger.peer_connected("A")
    assert ledger.receipt("A").recv == 0


def test_the_first_sample_counts_at_once(new: Callable[..., Any]) -> None:
    ledger = new()
    ledger.add_sent("taker", 1000, 1)
    ledger.add_received("giver", 1000, 1)
    ledger.add_sent("both", 500, 1)
    ledger.add_received("both", 500, 1)
    ledger.peer_connected("idle")
    # Short term 5, long term 0.5; times 0.75, 1.25 and 1, rounded down.
    assert ledger.sample() == {"taker": 4, "giver": 6, "both": 5}


def test_only_changes_are_told_and_an_idle_peer_fades_to_0(new: Callable[..., Any]) -> None:
    ledger = new()
    ledger.add_sent("A", 10, 1)
    told = [ledger.sample() for _ in range(10)]
    assert told == [{"A": 4}, {"A": 2}, {"A": 1}, {"A": 0}, {}, {}, {}, {}, {}, {}]
    ledger.add_sent("A", 10, 1)
    # The eleventh sample is the second of the long term: 0.95 * 0.5 + 0.5, beside 5 and a little.
    assert ledger.sample() == {"A": 4}


def test_a_block_counts_once_in_each_average(new: Callable[..., Any]) -> None:
    ledger = new()
    ledger.peer_connected("A")
    ledger.sample()
    ledger.add_received("A", 10, 1)
    # Ten samples on, the long term has not seen it.
    assert [ledger.sample() for _ in range(4)] == [{"A": 6}, {"A": 3}, {"A": 1}, {"A": 0}]
    assert [ledger.sample() for _ in range(5)] == [{}] * 5
    ledger.sample()
    ledger.add_received("A", 10, 0)
    assert ledger.receipt("A").exchanged == 1


def test_steady_exchange_nears_the_limits(new: Callable[..., Any]) -> None:
    ledger = new()
    scores = {}
    for _ in range(1500):
        ledger.add_received("giver", 10, 1)
        ledger.add_sent("taker", 10, 1)
        scores.update(ledger.sample())
    assert scores == {"giver": 24, "taker": 14}


def test_sums_that_cancel_out_do_not_divide_by_0(new: Callable[..., Any]) -> None:
    ledger = new()
    ledger.add_received("A", 100, 1)
    ledger.add_sent("A", -100, 0)
    assert ledger.sample() == {"A": 4}
    assert ledger.receipt("A").sent == -100


def test_the_interval_can_be_chosen(new: Callable[..., Any]) -> None:
    assert new().interval == 10.0
    ledger = new(interval=0.5)
    assert ledger.interval == 0.5
    ledger.interval = 3.0
    assert new(3.0).interval == ledger.interval


def test_it_can_be_extended(new: Any) -> None:
    class Generous(new):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(1.0)
            self.asked = 0

        def receipt(self, peer: str) -> Receipt:
            self.asked += 1
            return super().receipt(peer)

    ledger = Generous()
    ledger.add_sent("A", 1, 1)
    assert ledger.receipt("A").sent == 1
    assert ledger.asked == 1


amounts = st.one_of(st.integers(0, 100), st.integers(0, 2**58))
peers = st.sampled_from(["A", "B", "C", "\udcff"])
steps = st.one_of(
    st.tuples(st.sampled_from(["add_sent", "add_received"]), peers, amounts, st.integers(0, 3)),
    st.tuples(st.sampled_from(["peer_connected", "peer_disconnected", "receipt"]), peers),
    st.tuples(st.just("sample")),
)


@given(st.lists(steps, max_size=60))
def test_both_compute_the_same(script: list[tuple[Any, ...]]) -> None:
    ledgers = [new() for new in LEDGERS.values()]
    for name, *arguments in [*script, ("sample",), *[("receipt", peer) for peer in ("A", "B", "\udcff")]]:
        answers = [getattr(ledger, name)(*arguments) for ledger in ledgers]
        assert all(answer == answers[0] for answer in answers)
