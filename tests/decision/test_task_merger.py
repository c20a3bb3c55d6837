"""What becomes of two answers for one CID (boxo `task_merger_test.go`)."""

from __future__ import annotations

import itertools

import pytest

from bitswap.decision.peer_queue import PeerQueue
from bitswap.decision.task import QueuedTask

from .support import cid

TOPIC = cid("1")
PRESENCE = 38
# kind: (size, whether the block was asked for)
KINDS = {"B": (10, True), "BD": (None, True), "H": (10, False), "HD": (None, False)}


def task(kind: str) -> QueuedTask:
    size, want_block = KINDS[kind]
    return QueuedTask(TOPIC, 10, size, want_block, False)


def result(first: str, second: str) -> str:
    """The kind of the answer that is queued after both were pushed."""
    block = "B" in (first[0], second[0])
    have = not (first.endswith("D") and second.endswith("D"))
    return ("B" if block else "H") + ("" if have else "D")


@pytest.mark.parametrize(("first", "second"), list(itertools.product(KINDS, repeat=2)))
def test_queued_answers_become_one(first: str, second: str) -> None:
    queue = PeerQueue("A")
    queue.push([task(first)], 100)
    queue.push([task(second)], 100)
    (merged,) = queue.pop(1000, 0)
    kind = result(first, second)
    size, want_block = KINDS[kind]
    assert (merged.want_block, merged.have, merged.size) == (want_block, size is not None, size or 0)
    assert merged.work == (10 if kind == "B" else PRESENCE)
    assert queue.pending_work == 0
    assert queue.active_work == merged.work


NEW = {("H", "B"), ("BD", "B"), ("BD", "H"), ("HD", "BD"), ("HD", "B"), ("HD", "H"), ("H", "BD")}


@pytest.mark.parametrize(("first", "second"), list(itertools.product(KINDS, repeat=2)))
def test_beside_one_under_way_only_news_is_queued(first: str, second: str) -> None:
    queue = PeerQueue("A")
    popped = []
    for kind in (first, second):
        queue.push([task(kind)], 100)
        popped += queue.pop(1000, 0)
    assert len(popped) == (2 if (first, second) in NEW else 1)


def test_whether_dont_have_was_asked_for_is_not_merged() -> None:
    queue = PeerQueue("A")
    queue.push([QueuedTask(TOPIC, 1, 10, True, False)], 100)
    queue.push([QueuedTask(TOPIC, 1, None, True, True)], 100)
    assert [t.send_dont_have for t in queue.pop(1000, 0)] == [False]


@pytest.mark.parametrize(("length", "size"), [(34, 36), (36, 38), (127, 129), (128, 131)])
def test_presences_weigh_their_encoding(length: int, size: int) -> None:
    wanted = type(TOPIC).from_trusted(b"\x01\x55\x12\x20" + bytes(length - 4))
    assert QueuedTask(wanted, 1, None, True, True).work == size


@pytest.mark.parametrize("first", ["H", "HD", "BD"])
def test_a_block_found_by_its_presence_alone_weighs_nothing(first: str) -> None:
    # boxo has not looked up its size then; recorded in engine.open.jsonl, random/206-blocker-ties.
    queue = PeerQueue("A")
    queue.push([task(first)], 100)
    if first == "H":
        queue.remove([TOPIC])
    queue.push([QueuedTask.unsized(TOPIC, 10, 10, False)], 100)
    assert queue.pending_work == (0 if first == "BD" else PRESENCE)
    queue.push([task("B")], 100)
    assert queue.pending_work == 0
    (merged,) = queue.pop(1000, 0)
    assert merged.is_block
    assert merged.wire > merged.size == 10
    queue.done([merged])
    assert queue.active_work == 0
