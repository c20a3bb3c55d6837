"""What answers weigh; what becomes of two of them is in `tests/scenarios`."""

from __future__ import annotations

import pytest

from bitswap.decision.peer_queue import BatchSize, PeerQueue
from bitswap.decision.task import QueuedTask

from .support import cid

TOPIC = cid("1")
PRESENCE = 38
# kind: (size, whether the block was asked for)
KINDS = {"B": (10, True), "BD": (None, True), "H": (10, False), "HD": (None, False)}


def task(kind: str) -> QueuedTask:
    size, want_block = KINDS[kind]
    return QueuedTask(TOPIC, 10, size, want_block, False)


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
    (merged,) = queue.pop(BatchSize(1000))
    assert merged.is_block
    assert merged.wire > merged.size == 10
    queue.done([merged])
    assert queue.active_work == 0
