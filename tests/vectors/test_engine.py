"""Differences of engine scripts are explained only where undoing a decision removes them all."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bitswap.decision.engine import Engine
from bitswap.options import ServerOptions
from tests.vectors import engine, runner
from tests.vectors.engine_compare import differences
from tests.vectors.engine_replay import SizeOf
from tests.vectors.engine_undone import Decision
from tests.vectors.explained import Explained

FILE = Path(__file__).with_name("engine.open.jsonl")
EXACT = "hand/want_block_present"


@pytest.fixture(scope="module")
def lines() -> dict[str, str]:
    """The record of each script, as text, so that a test can change it."""
    texts = FILE.read_text("utf-8").splitlines()
    return {json.loads(text)["script"]["name"]: text for text in texts}


@pytest.fixture
def record(lines: dict[str, str]) -> Callable[[str], dict[str, Any]]:
    return lambda name: json.loads(lines[name])


Records = Callable[[str], dict[str, Any]]


def causes(record: dict[str, Any]) -> set[str | None]:
    found = engine.check(record, "py")
    return {line.why if isinstance(line, Explained) else None for line in found}


@pytest.mark.parametrize(
    ("name", "decision"),
    [
        ("hand/full_empty_ignored", Decision.EMPTY_FULL_CLEARS),
        ("hand/full_old_want_again_later", Decision.FULL_REPLACES),
        ("hand/zero_want_block_silent", Decision.EMPTY_IS_NOT_MISSING),
        ("hand/overflow_present_pending_middle", Decision.OVERFLOW_BY_PRIORITY),
        ("hand/deny_fills_queue_want_lost", Decision.MERGED_THEN_CUT),
        ("hand/max_wantlist_zero", Decision.NO_ZERO_LIMIT),
        ("hand/send_error_then_rewant", Decision.FAILED_IS_OWED),
    ],
)
def test_a_difference_is_put_down_to_its_decision(record: Records, name: str, decision: Decision) -> None:
    assert causes(record(name)) == {decision.value}


def test_each_of_two_decisions_gets_its_own_differences(record: Records) -> None:
    assert causes(record("hand/cancel_no_room_same_message")) == {
        Decision.CANCELS_FIRST.value,
        Decision.OVERFLOW_BY_PRIORITY.value,
    }


def test_what_no_decision_explains_leaves_the_whole_script_unexplained(record: Records) -> None:
    changed = record("hand/full_empty_ignored")
    changed["result"]["observes"][0]["peers"]["A"]["ledger"]["recv"] += 1
    assert causes(changed) == {None}


def test_without_its_feature_a_script_must_be_exact(record: Records) -> None:
    changed = record("hand/full_empty_ignored")
    changed["features"] = ["block-removed", "zero-length"]
    assert causes(changed) == {None}


class Silent(Engine):
    def next_envelope(self, now: float) -> None:
        return None


def silent(options: ServerOptions, size_of: SizeOf, envelopes: int) -> Engine:
    return Silent("me", options, envelopes_per_peer=envelopes)


def test_an_engine_that_differs_from_its_model_is_not_explained(
    record: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine._IMPLEMENTATIONS, "py", silent)
    assert causes(record("hand/full_old_want_again_later")) == {None}


def test_another_implementation_must_do_as_the_engine_in_python(
    record: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine._IMPLEMENTATIONS, "silent", silent)
    differs = record("hand/full_old_want_again_later")
    found = engine.check(differs, "silent")
    assert found
    assert not any(isinstance(line, Explained) for line in found)
    monkeypatch.setitem(engine._IMPLEMENTATIONS, "same", engine._IMPLEMENTATIONS["py"])
    # Where it differs from the record as well that is explained once.
    assert engine.check(differs, "py")
    assert engine.check(differs, "same") == []


def test_a_target_of_zero_is_refused_where_boxo_sends_nothing(record: Records) -> None:
    changed = record(EXACT)
    changed["features"] = ["zero-target"]
    changed["script"]["options"]["target_message_size"] = 0
    changed["script"]["steps"] = [step for step in changed["script"]["steps"] if step["op"] != "observe"]
    changed["result"]["observes"] = []
    for interval in changed["result"]["intervals"]:
        interval["peers"] = {}
    assert causes(changed) == {Decision.NO_ZERO_LIMIT.value}


def test_totals_are_given_by_decision(record: Records, tmp_path: Path) -> None:
    exact, differs = record(EXACT), record("hand/full_empty_ignored")
    path = tmp_path / "some.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in (exact, differs)))
    out = io.StringIO()
    assert runner.run("engine", path, out) == 0
    *single, total, last = out.getvalue().splitlines()
    assert total == f"some.jsonl: explained: an empty full list clears: {len(single)} in 1 records"
    count = len(engine.implementations())
    over = f"{count} implementation{'s' if count > 1 else ''}"
    assert last == f"some.jsonl: 2 records, {over}, 0 differences, {len(single)} explained"


def message(*blocks: str, pending: int | None = 0) -> dict[str, Any]:
    return {"blocks": list(blocks), "haves": [], "dont_haves": [], "pending_bytes": pending}


def result(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"intervals": [{"peers": {"A": {"messages": list(messages)}}}]}


@pytest.mark.parametrize("ordered", [True, False])
def test_messages_are_compared_in_order_or_as_a_multiset(ordered: bool) -> None:
    one, other = message("a"), message("b")
    assert not differences(result(one, other), result(one, other), ordered)
    assert bool(differences(result(one, other), result(other, one), ordered)) == ordered
    assert differences(result(one, one), result(one, other), ordered)
    assert differences(result(one), result(one, one), ordered)


def test_null_is_not_compared_and_absent_is() -> None:
    assert not differences(result(message("a", pending=None)), result(message("a", pending=7)), False)
    matched = result(message("a", pending=None), message("a", pending=1))
    assert not differences(matched, result(message("a", pending=1), message("a", pending=2)), False)
    assert differences({"observes": []}, {}, True) == {"observes": "expected [], got nothing"}
    assert differences({}, {"observes": []}, True) == {"observes": "expected nothing, got []"}
    assert not differences({"observes": None}, {}, True)
