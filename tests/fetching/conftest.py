"""Where messages are made or read the tests run on both implementations of the core: ids `py` and `c`."""

from __future__ import annotations

import sys

import pytest

from bitswap import _core, message
from bitswap.decision import engine
from bitswap.decision.implementations import implementations

_OWN = ("bitswap.message", "bitswap._core")


@pytest.fixture(params=["py", "c"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of one; whatever reads or writes messages in the test, the serving half too, runs on it."""
    name: str = request.param
    if name not in implementations():
        pytest.skip("the compiled core is not built")
    codec = _core.implementations()[name]
    for module_name, module in list(sys.modules.items()):
        if not module_name.startswith(("bitswap.", "tests.")) or module_name.startswith(_OWN):
            continue
        for attribute in ("Message", "FrameReader"):
            if vars(module).get(attribute) is getattr(message, attribute):
                monkeypatch.setattr(module, attribute, getattr(codec, attribute))
    monkeypatch.setattr(engine, "chosen", lambda: name)
    return name
