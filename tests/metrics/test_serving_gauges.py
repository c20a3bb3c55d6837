"""Numbers of the serving half, held still by gates and by peers that take nothing."""

from __future__ import annotations

import pytest

from bitswap import Server
from tests.decision.fake_network import FakeNetwork
from tests.decision.serving import GatedStore, store_with, wants
from tests.metrics.scraping import Side

pytestmark = pytest.mark.timeout(120)
SECONDS = 30.0


def test_what_is_queued_and_under_way() -> None:
    side, network, store = Side(), FakeNetwork(), store_with("ab")
    with Server(network, store, metrics=side.metrics) as server:  # type: ignore[arg-type]
        network.start(server)
        network.manner["A"] = "keep"
        network.deliver("A", wants("a"))
        network.next("A")
        network.deliver("A", wants("b"))
        network.deliver("B", wants("a"))
        network.next("B")
        while side.now["active_tasks"] != 1 or side.now["pending_tasks"] != 1:
            pass
        network.end("A")
        network.next("A")
        network.end("A")
        while side.now["active_tasks"] or side.now["pending_tasks"]:
            pass
        network.close()
    found = side.now
    assert found.histogram("sent_all_blocks_bytes") == (3, 3)
    assert not network.faults


def test_reads_under_way_and_messages_that_wait() -> None:
    side, network = Side(), FakeNetwork()
    store: GatedStore = store_with("abc")
    store.sizes_gate.clear()
    with Server(network, store, metrics=side.metrics) as server:  # type: ignore[arg-type]
        network.start(server)
        try:
            network.deliver("A", wants("ab"))
            assert store.at_sizes.wait(SECONDS)
            assert side.now["active_block_tasks"] >= 2
            for _ in range(4):
                network.deliver("A", wants("c"))
            network.flush()
            assert side.now["pending_block_tasks"] == 4
        finally:
            store.sizes_gate.set()
        for _ in range(2):
            network.next("A")
        network.close()


def test_a_send_that_fails_counts_its_time_only() -> None:
    for manner in ("fail", "raise"):
        side, network = Side(), FakeNetwork()
        with Server(network, store_with("a"), metrics=side.metrics) as server:  # type: ignore[arg-type]
            network.start(server)
            network.manner["A"] = manner
            network.deliver("A", wants("a"))
            network.next("A")
            while not side.now.histogram("send_times")[0]:
                pass
            network.close()
        assert side.now.histogram("sent_all_blocks_bytes") == (0, 0)
