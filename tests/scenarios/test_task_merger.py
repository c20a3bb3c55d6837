"""What becomes of two answers for one CID: both queued, or the first one under way.

Kinds: B a block, BD a block that is missing, H a HAVE, HD a HAVE that is missing. A presence weighs what boxo
counts for its encoding, 38 bytes under these CIDs.
"""

from __future__ import annotations

import pytest

from bitswap.decision.interface import Task
from tests.decision.support import cid
from tests.scenarios.queues import Desk, answer

TOPIC = cid("1")
PRESENCE = 38
SIZE = 10

# kind: (bytes of the block, whether it is asked for)
KINDS: dict[str, tuple[int | None, bool]] = {
    "B": (SIZE, True),
    "BD": (None, True),
    "H": (SIZE, False),
    "HD": (None, False),
}

# first, second: what is queued after both were pushed
MERGED = {
    ("B", "B"): "B",
    ("B", "BD"): "B",
    ("B", "H"): "B",
    ("B", "HD"): "B",
    ("BD", "B"): "B",
    ("BD", "BD"): "BD",
    ("BD", "H"): "B",
    ("BD", "HD"): "BD",
    ("H", "B"): "B",
    ("H", "BD"): "B",
    ("H", "H"): "H",
    ("H", "HD"): "H",
    ("HD", "B"): "B",
    ("HD", "BD"): "BD",
    ("HD", "H"): "H",
    ("HD", "HD"): "HD",
}

NEWS = {("H", "B"), ("H", "BD"), ("BD", "B"), ("BD", "H"), ("HD", "B"), ("HD", "BD"), ("HD", "H")}
"""The second asks for the block first, or is the first that has it."""

PAIRS = pytest.mark.parametrize(("first", "second"), list(MERGED), ids="+".join)


@pytest.fixture
def desk(implementation: str) -> Desk:
    return Desk(implementation)


def task(kind: str) -> Task:
    size, want_block = KINDS[kind]
    return Task(TOPIC, 10, size, want_block)


@PAIRS
def test_two_queued_answers_become_one(desk: Desk, first: str, second: str) -> None:
    for kind in (first, second):
        desk.push("A", task(kind))
    desk.push("A", answer("x", priority=11))
    merged = MERGED[first, second]
    popped = desk.pop()
    assert popped is not None
    # What is left to be sent is this answer.
    assert popped == ("A", "x", SIZE if merged == "B" else PRESENCE)
    batch = desk.queue.pop(1000, desk.now)
    assert batch is not None
    (info,) = batch.tasks
    size, want_block = KINDS[merged]
    assert (info.want_block, info.have, info.size) == (want_block, size is not None, size or 0)
    assert (info.peer, info.cid, info.priority) == ("A", TOPIC, 10)
    assert batch.pending_work == 0


@PAIRS
def test_beside_an_answer_under_way_only_news_is_queued(desk: Desk, first: str, second: str) -> None:
    desk.push("A", task(first))
    assert desk.pop(1000) == ("A", "1", 0)
    desk.push("A", task(second))
    batch = desk.queue.pop(1000, desk.now)
    if (first, second) in NEWS:
        assert batch is not None
        (info,) = batch.tasks
        size, want_block = KINDS[second]
        assert (info.want_block, info.have, info.size) == (want_block, size is not None, size or 0)
    else:
        assert batch is None


@pytest.mark.parametrize("asked", [True, False])
def test_whether_dont_have_was_asked_for_stays_as_it_first_was(desk: Desk, asked: bool) -> None:
    desk.push("A", Task(TOPIC, 1, None, want_block=True, send_dont_have=asked))
    desk.push("A", Task(TOPIC, 1, None, want_block=True, send_dont_have=not asked))
    batch = desk.queue.pop(1, desk.now)
    assert batch is not None
    assert [info.send_dont_have for info in batch.tasks] == [asked]


def test_a_priority_is_raised_and_never_lowered(desk: Desk) -> None:
    desk.push("A", answer("a", priority=5), answer("b", priority=6))
    desk.push("A", answer("a", priority=7))
    desk.push("A", answer("a", priority=1))
    assert desk.pop(1000) == ("A", "ab", 0)
