"""For all tests of the serving half: a network in memory, and a look at what threads are left."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.decision.fake_network import FakeNetwork


@pytest.fixture
def network() -> Iterator[FakeNetwork]:
    network = FakeNetwork()
    yield network
    network.close()
    assert network.faults == []


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    yield
    assert [t.name for t in threading.enumerate() if t.name.startswith("bitswap-server")] == []
