"""The queue of one peer, beyond what `tests/scenarios` asks of every queue (go-peertaskqueue)."""

from __future__ import annotations

from bitswap.decision.interface import TaskInfo
from bitswap.decision.peer_queue import BatchSize, PeerQueue
from bitswap.decision.task import QueuedTask

from .support import block, cid


def task(name: str, priority: int = 1, work: int = 1) -> QueuedTask:
    return QueuedTask(cid(name), priority, work, True, False)


def names(tasks: list[QueuedTask]) -> str:
    return "".join(NAMES[t.cid] for t in tasks)


NAMES = {cid(name): name for name in "123abcdefgh"}


def test_a_limit_keeps_what_was_first_and_merges_first() -> None:
    queue = PeerQueue("A")
    assert queue.push([task("a"), task("b")], 2) == 0
    assert queue.push([task("c"), task("a", 9), task("d")], 2) == 2
    assert names(queue.pop(BatchSize(100))) == "ab"


def test_a_large_batch_has_few_answers() -> None:
    queue = PeerQueue("A")
    queue.push([task(name) for name in "abcdefgh"])
    assert names(queue.pop(BatchSize(100, answers=2, least=3))) == "abc"
    assert names(queue.pop(BatchSize(100, answers=2, least=1))) == "de"
    assert names(queue.pop(BatchSize(1, answers=2, least=3))) == "f"
    assert names(queue.pop(BatchSize(100, answers=5, least=0))) == "gh"


def test_what_was_put_back_has_its_old_place_and_merges() -> None:
    queue = PeerQueue("A")
    queue.push([task("a"), task("b"), task("c")], 100)
    taken = queue.pop(BatchSize(2))
    queue.push([QueuedTask(cid("a"), 7, None, True, False)], 100)
    queue.done(taken)
    queue.put_back(taken)
    assert names(queue.pop(BatchSize(100))) == "abc"


def test_what_vanished_weighs_what_it_has_become() -> None:
    queue = PeerQueue("A")
    queue.push([task("a", 1, 5000)], 100)
    (taken,) = queue.pop(BatchSize(1))
    taken.vanish()
    assert queue.active_work == 5000
    queue.done([taken])
    queue.put_back([taken])
    assert (queue.active_work, queue.pending_work) == (0, 38)


def test_many_changes_do_not_grow_the_queue() -> None:
    queue = PeerQueue("A")
    queue.push([task("a"), task("b")], 100)
    for priority in range(2, 5000):
        queue.push([task("a", priority)], 100)
        queue.push([task("c")], 100)
        queue.remove([cid("c")])
    assert len(queue._in_order) == 2
    assert names(queue.pop(BatchSize(100))) == "ab"


def test_an_order_may_go_back_and_forth() -> None:
    turn = 0

    def order(info: TaskInfo) -> int:
        return turn % 2 if info.cid == cid("a") else 5

    queue = PeerQueue("A", order)
    queue.push([task("a"), task("b")], 100)
    for turn in range(1, 50):  # noqa: B007 - read by `order`
        queue.push([task("a")], 100)
    assert names(queue.pop(BatchSize(100))) == "ab"


def test_clearing_withdraws_what_is_under_way() -> None:
    queue = PeerQueue("A")
    queue.push([task("a"), task("b")], 100)
    (taken,) = queue.pop(BatchSize(1))
    queue.clear()
    assert queue.is_withdrawn(taken.cid)
    assert queue.pending_work == 0
    assert queue.head() is None
    queue.push([task("a"), QueuedTask(block("z").cid, 1, 1, True, False)], 100)
    assert not queue.is_withdrawn(taken.cid)
    assert len(queue.pending) == 1
