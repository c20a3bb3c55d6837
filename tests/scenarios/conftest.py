"""Every scenario runs with each implementation of the serving half: ids `py` and `c`."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from bitswap.decision import engine
from bitswap.decision.implementations import implementations
from tests.decision.fake_network import FakeNetwork


@pytest.fixture(params=["py", "c"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of one; engines and servers made in the test run with it."""
    name: str = request.param
    if name not in implementations():
        pytest.skip("the compiled core is not built")
    monkeypatch.setattr(engine, "chosen", lambda: name)
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
