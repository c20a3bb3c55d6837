"""Tests run with each implementation of the engine: ids `py` and `c`."""

from __future__ import annotations

import pytest

from bitswap.decision.implementations import implementations

from .fixtures import network as network
from .fixtures import no_threads_left as no_threads_left
from .support import Node


@pytest.fixture(params=["py", "c"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs with each implementation of the engine."""
    name: str = request.param
    if name not in implementations():
        pytest.skip("the compiled core is not built")
    monkeypatch.setattr(Node, "implementation", name)
    return name
