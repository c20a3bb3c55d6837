"""The soak sees what grows: by its counts of a node, and by its verdict over epochs."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from bitswap import Bitswap
from bitswap.cid import CID
from bitswap.testutils import make_blocks
from tests.hostile.town import network_of, node_of
from tests.soak import census
from tests.soak.flat import BOUNDS, FEWEST, Sample, differences, grown, slope, slopes


def counts_of(node: Bitswap) -> dict[str, int]:
    started = threading.Event()
    network_of(node)._reactor.call(started.set)  # type: ignore[union-attr]
    assert started.wait(20)
    found = {f"items of {name}": count for name, count in census.containers(node).items()}
    found.update({f"objects {name}": count for name, count in census.objects().items()})
    return {**found, **census.own_counts(node), **census.process_counts()}


def leave_a_record(node: Bitswap, stack: ExitStack) -> None:
    node.client._machine._peers._asked[CID(make_blocks(1)[0].cid)] = ()


def leave_a_known_peer(node: Bitswap, stack: ExitStack) -> None:
    network_of(node)._host._pings["somebody"] = 1


def leave_a_session(node: Bitswap, stack: ExitStack) -> None:
    stack.enter_context(node.new_session())


def leave_a_want(node: Bitswap, stack: ExitStack) -> None:
    stack.enter_context(node.getter()).want([make_blocks(1)[0].cid])


def leave_a_socket(node: Bitswap, stack: ExitStack) -> None:
    stack.enter_context(socket.socket())


def leave_a_thread(node: Bitswap, stack: ExitStack) -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    stack.callback(thread.join)
    stack.callback(over.set)


def leave_a_block(node: Bitswap, stack: ExitStack) -> None:
    node.store.put(make_blocks(1)[0])


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("plant", "seen"),
    [
        (leave_a_record, "items of client._machine._peers._asked"),
        (leave_a_known_peer, "items of network._host._pings"),
        (leave_a_session, "objects session.session.Session"),
        (leave_a_want, "own wants"),
        (leave_a_socket, "sockets"),
        (leave_a_thread, "threads"),
        (leave_a_block, "blocks stored"),
    ],
)
def test_what_is_left_behind_is_counted(plant: Callable[[Bitswap, ExitStack], None], seen: str) -> None:
    with node_of() as node, ExitStack() as stack:
        before = counts_of(node)
        assert differences(before, counts_of(node)) == {}
        plant(node, stack)
        found = differences(before, counts_of(node))
        assert found[seen] == (before.get(seen, 0), before.get(seen, 0) + 1)


def test_an_object_that_only_the_collector_can_see_is_counted() -> None:
    with node_of() as node:
        before = counts_of(node)
        hidden: list[Any] = [node.client._machine.new_session(None)]
        node.client._machine.close_session(hidden[0], 0.0)
        found = differences(before, counts_of(node))
        assert found["objects session.session.Session"] == (0, 1)
        hidden.clear()
        gc.collect()


def samples_of(values: list[int], memory: list[float] | None = None) -> list[Sample]:
    return [
        Sample(
            epoch,
            epoch * 10.0,
            epoch * 100,
            {"threads": value},
            {"KiB resident": int(memory[epoch])} if memory else {},
        )
        for epoch, value in enumerate(values)
    ]


def test_counts_must_stay_as_they_are_after_the_warm_up() -> None:
    assert grown(samples_of([3, 5, 7, 7, 7]), 2) == []
    (told,) = grown(samples_of([3, 5, 7, 7, 8]), 2)
    assert told == "threads: 7 in epoch 2, 8 in epoch 4, 8 in the last"
    assert len(grown(samples_of([3, 7, 6, 7]), 1)) == 1
    with pytest.raises(ValueError, match="two epochs"):
        grown(samples_of([3, 5]), 1)


def test_what_is_bounded_may_differ_up_to_its_bound() -> None:
    samples = samples_of([1, 1, 1])
    samples[1].bounded, samples[2].bounded = {"known": (3, 4)}, {"known": (4, 4)}
    assert grown(samples, 0) == []
    samples[2].bounded = {"known": (5, 4)}
    assert grown(samples, 0) == ["known: 5 in epoch 2, where 4 are allowed"]


def test_the_slope_of_memory_is_that_of_most_pairs() -> None:
    assert slope([(0, 0), (1, 2), (2, 4), (3, 1000)]) == pytest.approx(2.0, abs=400)
    assert slope([(place, 5) for place in range(9)] + [(9, 10_000)]) == 0
    assert slope([(1, 1)]) == 0


def test_memory_that_grows_with_the_peers_is_found() -> None:
    count = FEWEST + 2
    a_peer = (BOUNDS["KiB resident"] + 20) / 1000
    rising = samples_of([1] * count, [50_000 + a_peer * 100 * at for at in range(count)])
    assert slopes(rising)["KiB resident"] == pytest.approx(a_peer * 1000, rel=0.05)
    assert [told.split(":")[0] for told in grown(rising, 0)] == ["KiB resident"]
    once = samples_of([1] * count, [50_000 + 9_000 * (at > 8) for at in range(count)])
    assert grown(once, 0) == []
    # Too few to say anything of.
    assert grown(rising[: FEWEST - 1], 0) == []
