"""Every scenario runs with each implementation of the serving half: ids `py` and `c`."""

from __future__ import annotations

import pytest

from bitswap.decision import engine
from bitswap.decision.implementations import implementations
from tests.decision.fixtures import network as network
from tests.decision.fixtures import no_threads_left as no_threads_left


@pytest.fixture(params=["py", "c"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of one; engines and servers made in the test run with it."""
    name: str = request.param
    if name not in implementations():
        pytest.skip("the compiled core is not built")
    monkeypatch.setattr(engine, "chosen", lambda: name)
    return name
