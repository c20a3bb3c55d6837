"""A network in memory, and a look at what threads are left."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from bitswap.decision.implementations import implementations

from .fake_network import FakeNetwork
from .support import Node


@pytest.fixture(params=["py", "c"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs with each implementation of the engine."""
    name: str = request.param
    if name not in implementations():
        pytest.skip("the compiled core is not built")
    monkeypatch.setattr(Node, "implementation", name)
    return name


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
