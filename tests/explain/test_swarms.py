"""What is said of blocks while swarms made up by a seed fetch them: always something, and never amiss."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest

from bitswap.cid import CID
from bitswap.explanation import Explanation, State
from tests.client.test_random_swarms import SECONDS, Swarm
from tests.sizes import LONG

RUNS = 200 if LONG else 15
EVERY = 0.05  # virtual seconds between two questions


def check(swarm: Swarm, cid: CID, told: Explanation) -> None:
    """Whoever waits is told for what, and when that will be unless something else has to come first."""
    ours = swarm.ours.wants
    connected = set(ours.peers())
    assert told.wanted == bool(told.waits)
    for wait in told.waits:
        if wait.state in (State.READY, State.GIVEN_UP):
            continue
        assert wait.next, told
        assert all(step.due is None or step.due >= -1e-9 for step in wait.next), told
        if wait.state is State.QUEUED:
            continue
        assert {view.peer for view in wait.peers if view.connected} == connected
        for view in wait.peers:
            assert view.reason
            assert (view.asked_ago or 0.0) >= 0.0
            assert (view.answered_ago or 0.0) >= 0.0
            assert view.outstanding == ours.outstanding(view.peer)
        timed = [step.due for step in wait.next if step.due is not None]
        if wait.state is State.ASKED:
            assert any(view.asked == "block" for view in wait.peers), told
        elif wait.state is State.NO_PEERS:
            assert not connected
        elif wait.state is State.NO_ROOM:
            # Whatever is asked for will make room, or somebody will be found who has some.
            assert sum(view.outstanding for view in wait.peers) or "looked for" in wait.words, told
        else:
            assert timed, told
    assert str(told).startswith(str(cid))
    assert json.loads(json.dumps(told.record()))["cid"] == str(cid)


@pytest.mark.parametrize("seed", range(RUNS))
def test_there_is_always_something_to_say(seed: int) -> None:
    swarm = Swarm(seed)
    random = Random(seed)
    ours, net = swarm.ours.wants, swarm.net
    states: Counter[State] = Counter()

    def ask() -> None:
        wanted = ours.wantlist()
        for cid in random.sample(wanted, min(len(wanted), 5)):
            told = ours.explain(cid, net.clock.now())
            check(swarm, cid, told)
            assert told.state is not State.NOT_WANTED
            states[told.state] += 1
        net.at(EVERY, ask)

    fetches = swarm.fetches()
    swarm.disturb()
    ask()
    assert net.run(lambda: all(fetch.done for fetch, _ in fetches), seconds=SECONDS)
    assert states
    for _, part in fetches:
        for block in part:
            assert not ours.explain(block.cid, net.clock.now()).wanted
