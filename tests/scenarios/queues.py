"""A request queue driven by hand: answers are named by letters and digits."""

from __future__ import annotations

import string

from bitswap.cid import CID
from bitswap.clock import VirtualClock
from bitswap.decision.implementations import implementations
from bitswap.decision.interface import Batch, RequestQueue, Task, TaskInfo
from tests.decision.support import cid

NAMES = {cid(name): name for name in string.printable[:62]}
"""Others are shown as question marks."""


def answer(name: str, priority: int = 1, size: int = 1) -> Task:
    """A block of `size` bytes."""
    return Task(cid(name), priority, size, want_block=True)


def make(implementation: str, **options: object) -> RequestQueue:
    """A queue with these arguments of `RequestQueue`."""
    queue: RequestQueue = implementations()[implementation].RequestQueue(**options)
    return queue


class Desk:
    """A queue and a clock; what is popped and not yet done is kept by peer."""

    def __init__(self, implementation: str, **options: object) -> None:
        self.queue = make(implementation, **options)
        self.clock = VirtualClock(1000.0)
        self.out: list[Batch] = []

    @property
    def now(self) -> float:
        return self.clock.now()

    def push(self, peer: str, *tasks: Task, limit: int | None = None) -> int:
        return self.queue.push(peer, tasks, self.now, limit)

    def pop(self, target: int = 1) -> tuple[str, str, int] | None:
        """Peer, names in the order in which they were taken, bytes still queued; it stays under way."""
        batch = self.queue.pop(target, self.now)
        if batch is None:
            return None
        self.out.append(batch)
        return batch.peer, names(batch.tasks), batch.pending_work

    def serve(self, target: int = 1) -> tuple[str, str, int] | None:
        """Pop, and be done with it."""
        popped = self.pop(target)
        if popped is not None:
            self.end(self.out.pop())
        return popped

    def end(self, batch: Batch) -> None:
        self.queue.done(batch, self.now)

    def end_all(self) -> None:
        for batch in self.out:
            self.end(batch)
        self.out.clear()

    def peers(self, count: int) -> list[str]:
        """Whose turns the next `count` pops of one answer are; they stay under way."""
        popped = [self.pop() for _ in range(count)]
        return [turn[0] for turn in popped if turn is not None]

    def remove(self, peer: str, *wanted: str) -> int:
        return self.queue.remove(peer, [cid(name) for name in wanted], self.now)

    def topics(self, peer: str) -> tuple[str, str]:
        """Queued in order, and under way sorted."""
        queued, under_way = self.queue.topics(peer)
        return spelled(queued), "".join(sorted(spelled(under_way)))


def names(tasks: list[TaskInfo]) -> str:
    return spelled([task.cid for task in tasks])


def spelled(cids: list[CID]) -> str:
    return "".join(NAMES.get(wanted, "?") for wanted in cids)
