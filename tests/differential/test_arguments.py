"""Arguments that make no sense: the same error from both, and nothing has happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bitswap.decision.implementations import implementations
from bitswap.decision.interface import MAX_ENVELOPES_PER_PEER, Task
from bitswap.errors import UsageError
from bitswap.options import ServerOptions

from .catalogue import CIDS, INT32, encode

IMPLEMENTATIONS = implementations()
BODY = encode([(1, 1, 0, False, True), (2, 1, 0, False, True)])


@pytest.fixture(params=list(IMPLEMENTATIONS))
def implementation(request: pytest.FixtureRequest) -> Any:
    return IMPLEMENTATIONS[request.param]


def new_core(implementation: Any) -> Any:
    core = implementation.DecisionCore(ServerOptions(max_known_blocks=5), 0, 2)
    core.receive("A", BODY, lambda cids: [5, None], 1.0)
    return core


def state(core: Any) -> Any:
    return core.counts(), core.wantlist_for_peer("A"), sorted(core.peers()), core.ready


CALLS: dict[str, tuple[Callable[[Any], object], str]] = {
    "a size below 0": (
        lambda core: core.receive("B", BODY, lambda cids: [1, -7], 1.0),
        "a block cannot have -7 bytes",
    ),
    "two sizes below 0": (
        lambda core: core.receive("B", BODY, lambda cids: [-1, -7], 1.0),
        "a block cannot have -1 bytes",
    ),
    "too few sizes": (lambda core: core.receive("B", BODY, lambda cids: [1], 1.0), "1 sizes for 2 blocks"),
    "a new block of less than nothing": (
        lambda core: core.notify_new_blocks({CIDS[2]: 5, CIDS[1]: -5}, 1.0),
        "a block cannot have -5 bytes",
    ),
    "a stored block of less than nothing": (
        lambda core: core.blocks_stored({CIDS[3]: -5}),
        "a block cannot have -5 bytes",
    ),
}


@pytest.mark.parametrize("name", list(CALLS))
def test_a_call_that_is_refused_changes_nothing(implementation: Any, name: str) -> None:
    call, text = CALLS[name]
    core = new_core(implementation)
    before = state(core)
    with pytest.raises(ValueError, match=f"^{text}$"):
        call(core)
    assert state(core) == before


def test_an_envelope_belongs_to_its_core(implementation: Any) -> None:
    core, other = new_core(implementation), new_core(implementation)
    envelope = other.next_envelope(1.0)
    mine = core.next_envelope(1.0)
    for call in (
        lambda: core.fill(envelope, [None] * len(envelope.cids)),
        lambda: core.envelope_sent(envelope, 1.0),
        lambda: core.envelope_failed(envelope, 1.0),
    ):
        with pytest.raises(ValueError, match=r"^this is another core's envelope$"):
            call()
    assert not envelope.ended
    assert core.envelope_failed(mine, 1.0)
    assert other.envelope_sent(envelope, 1.0)


@pytest.mark.parametrize("number", [0, -1, MAX_ENVELOPES_PER_PEER + 1])
def test_envelopes_per_peer_has_bounds(implementation: Any, number: int) -> None:
    with pytest.raises(UsageError, match=f"^envelopes_per_peer must be between 1 and 15, not {number}$"):
        implementation.DecisionCore(ServerOptions(), 0, number)


TASKS = {
    "a block cannot have -1 bytes": Task(CIDS[1], 1, -1, True),
    f"a block cannot have {2**32} bytes": Task(CIDS[1], 1, 2**32, True),
    f"priority {INT32[1] + 1} does not fit in 32 bits": Task(CIDS[1], INT32[1] + 1, -1, True),
    f"priority {INT32[0] - 1} does not fit in 32 bits": Task(CIDS[1], INT32[0] - 1, 5, True),
}


@pytest.mark.parametrize("text", list(TASKS))
def test_a_task_out_of_range_is_refused_with_all_that_came_with_it(implementation: Any, text: str) -> None:
    queue = implementation.RequestQueue()
    with pytest.raises(UsageError, match=f"^{text}$"):
        queue.push("A", [Task(CIDS[0], 1, 5, True), TASKS[text]], 1.0)
    assert queue.stat == (0, 0, 0)


def test_a_batch_belongs_to_its_queue(implementation: Any) -> None:
    queue, other = implementation.RequestQueue(), implementation.RequestQueue()
    for one in (queue, other):
        one.push("A", [Task(CIDS[0], 1, 5, True)], 1.0)
    batch = other.pop(100, 1.0)
    for call in (queue.done, queue.failed):
        with pytest.raises(ValueError, match=r"^this is another queue's batch$"):
            call(batch, 1.0)
    other.done(batch, 1.0)
    assert (queue.stat, other.stat) == ((1, 1, 0), (0, 0, 0))


def test_a_queue_has_bounds_too(implementation: Any) -> None:
    with pytest.raises(UsageError, match=r"^batches_per_peer must be at most 15, not 16$"):
        implementation.RequestQueue(batches_per_peer=16)
    with pytest.raises(UsageError, match=r"^merging must be one of bitswap, first, replace, not 'none'$"):
        implementation.RequestQueue(merging="none")
