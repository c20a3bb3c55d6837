"""What must hold in an engine after every call."""

from __future__ import annotations

from collections import Counter

from bitswap.decision.engine import Engine
from bitswap.decision.envelope import Envelope
from bitswap.decision.peer_ledger import PeerLedger
from bitswap.decision.peer_queue import PeerQueue


def check(engine: Engine, out: list[Envelope]) -> None:
    """`out` are the envelopes that have not ended."""
    check_ledger(engine._ledger)
    queue = engine._queue
    assert queue.active_work == sum(task.work for envelope in out for task in envelope.batch.tasks)
    assert queue._under_way == Counter(envelope.peer for envelope in out)
    ready = 0
    for peer, lane in queue._lanes.items():
        check_queue(lane.queue)
        current = [envelope for envelope in out if queue.is_current(envelope.batch) and envelope.peer == peer]
        tasks = [task for envelope in current for task in envelope.batch.tasks]
        assert sorted(map(id, tasks)) == sorted(id(t) for ts in lane.queue.active.values() for t in ts)
        ready += queue._scheduler._turns[peer].ready
    assert queue._scheduler.ready == ready
    assert queue._scheduler._turns.keys() == queue._lanes.keys()
    stat = engine.stat
    assert min(stat.blocks_sent, stat.data_sent, stat.pending_tasks, stat.active_tasks, stat.wants) >= 0


def check_ledger(ledger: PeerLedger) -> None:
    by_peer = {(peer, c): want for peer, wants in ledger._peers.items() for c, want in wants.items()}
    by_cid = {(peer, c): want for c, wanters in ledger._cids.items() for peer, want in wanters.items()}
    assert by_peer == by_cid
    assert ledger.size == len(by_peer)
    assert all(ledger._peers.values())
    assert all(ledger._cids.values())
    assert ledger._lowest.keys() <= ledger._peers.keys()
    for peer, heap in ledger._lowest.items():
        entered = {id(want) for rank, want in heap if rank == want.rank}
        assert all(id(want) in entered for want in ledger._peers[peer].values())


def check_queue(queue: PeerQueue) -> None:
    assert queue.pending_work == sum(task.work for task in queue.pending.values())
    assert queue.active_work == sum(task.work for tasks in queue.active.values() for task in tasks)
    assert all(queue.active.values())
    live = {id(task) for order, _, task in queue._heap if task.live and task.order == order}
    assert live == {id(task) for task in queue.pending.values()}
    assert len(queue._heap) <= max(65, 2 * len(queue.pending) + 1)
