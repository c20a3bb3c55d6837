"""What must hold in an engine in Python after every call."""

from __future__ import annotations

from collections import Counter

from bitswap.decision.core import DecisionCore
from bitswap.decision.envelope import Envelope
from bitswap.decision.lanes import Batch, L, Lanes
from bitswap.decision.peer_ledger import PeerLedger
from bitswap.decision.peer_queue import PeerQueue


def check(core: DecisionCore, out: list[Envelope]) -> None:
    """`out` are the envelopes that have not ended."""
    check_ledger(core._ledger)
    check_lanes(core._queue._lanes, [envelope.batch for envelope in out])
    assert min(core.counts()) >= 0


def check_lanes(lanes: Lanes[L], out: list[Batch]) -> None:
    """`out` are the batches that have not ended."""
    assert lanes.active_work == sum(task.work for batch in out for task in batch.taken)
    assert lanes._under_way == Counter(batch.peer for batch in out)
    ready = 0
    for lane in lanes:
        queue = lane.queue
        check_queue(queue)
        current = [batch for batch in out if lanes.is_current(batch) and batch.peer == queue.peer]
        tasks = [task for batch in current for task in batch.taken]
        assert sorted(map(id, tasks)) == sorted(id(t) for ts in queue.active.values() for t in ts)
        ready += lanes._scheduler._turns[queue.peer].rank is not None
    assert lanes._scheduler.ready == ready
    assert lanes._scheduler._turns.keys() == {lane.queue.peer for lane in lanes}


def check_ledger(ledger: PeerLedger) -> None:
    by_peer = {(peer, c): want for peer, wants in ledger._peers.items() for c, want in wants.items()}
    by_cid = {(peer, c): want for c, wanters in ledger._cids.items() for peer, want in wanters.items()}
    assert by_peer == by_cid
    assert ledger.size == len(by_peer)
    assert all(ledger._peers.values())
    assert all(ledger._cids.values())
    assert ledger._ranked.keys() <= ledger._peers.keys()
    for peer, ranked in ledger._ranked.items():
        assert list(ranked) == sorted(want.rank for want in ledger._peers[peer].values())


def check_queue(queue: PeerQueue) -> None:
    assert queue.pending_work == sum(task.work for task in queue.pending.values())
    assert queue.active_work == sum(task.work for tasks in queue.active.values() for task in tasks)
    assert all(queue.active.values())
    assert queue._cancelled <= queue.active.keys()
    assert queue._repeated <= queue.active.keys()
    assert list(queue._in_order) == sorted((task.order, task.seq, task) for task in queue.pending.values())
