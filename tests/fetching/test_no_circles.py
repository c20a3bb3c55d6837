"""Once all that is due was done, the next time named is a later one: else whoever drives turns in circles.

Here for all that a node does, in swarms made up by a seed; the models of the parts check it as well
(`one_peer.py`, `tests/decision/test_engine_model.py`, `tests/routing/test_random.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bitswap.testnet import VirtualNode
from tests.fetching.schedules import Schedule
from tests.sizes import LONG

SEEDS = range(300 if LONG else 15)


def is_later(when: float | None, now: float) -> bool:
    return when is None or when > now


def watched(node: VirtualNode) -> Callable[[float], None]:
    def on_timer(when: float) -> None:
        VirtualNode._on_timer(node, when)
        if not is_later(node.wants.next_deadline(), node.now):
            # What one part has done may be due for another that had its turn before.
            VirtualNode._on_timer(node, when)
        assert node.wants.outgoing(node.now) == []
        assert is_later(node.wants.next_deadline(), node.now)
        assert node.engine is None or is_later(node.engine.next_deadline(), node.now)

    return on_timer


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("seed", SEEDS)
def test_of_a_node(seed: int) -> None:
    schedule = Schedule(seed)
    for node in schedule.net.nodes.values():
        vars(node)["_on_timer"] = watched(node)
    schedule.over()
    schedule.run(600.0, schedule.is_done)
