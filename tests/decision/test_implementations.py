"""Which engine runs, and that the compiled one is there where it should be."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator

import pytest

from bitswap import _core
from bitswap.decision import implementations as module
from bitswap.decision.engine import Engine
from bitswap.decision.implementations import chosen, implementations, names
from bitswap.decision.interface import TaskInfo
from bitswap.errors import UsageError
from bitswap.options import ServerOptions
from tests.interpreter import python

from .support import Answer, Node, cid, one


def test_the_compiled_core_is_there_where_it_is_required() -> None:
    if os.environ.get("BITSWAP_REQUIRE_EXT") != "1":
        pytest.skip("BITSWAP_REQUIRE_EXT=1 is not set")
    assert "c" in implementations()
    if os.environ.get("BITSWAP_PURE") != "1":
        assert Engine("me").implementation == "c"


def test_it_is_there_where_the_compiled_codec_is() -> None:
    assert implementations().keys() == _core.implementations().keys()


def test_the_classes_of_each_are_its_own() -> None:
    found = implementations()
    assert found["py"].DecisionCore.__module__ == "bitswap.decision.core"
    if "c" in found:
        assert all(part.__module__.startswith("bitswap._core.") for part in found["c"])


def test_the_engine_goes_with_the_codec_of_the_process() -> None:
    code = "from bitswap.decision.engine import Engine; print(Engine('me').implementation)"
    assert python(code, BITSWAP_PURE="1") == "py"
    if "c" in implementations():
        assert python(code, BITSWAP_PURE="") == "c"
    assert Engine("me").implementation == chosen()


def test_an_engine_can_be_asked_for_by_name() -> None:
    for name in implementations():
        assert Engine("me", implementation=name).implementation == name
    with pytest.raises(UsageError, match="'rust'"):
        Engine("me", implementation="rust")


def test_an_order_of_ones_own_is_kept_in_python(implementation: str) -> None:
    def order(task: TaskInfo) -> int:
        return -task.priority

    engine = Engine("me", ServerOptions(task_order=order), implementation=implementation)
    assert engine.implementation == "py"


@pytest.mark.parametrize("codec", list(_core.implementations()))
def test_each_takes_in_messages_of_every_codec(implementation: str, codec: str) -> None:
    message = _core.implementations()[codec].Message()
    message.add_entry(cid("a"), 1)
    message.add_entry(cid("1"), 1, 1, True)
    node = Node()
    node.receive("A", message)
    assert one(node.drain()) == Answer("A", blocks="a", dont_haves="1")


@pytest.fixture
def unloaded() -> Iterator[None]:
    module._compiled.cache_clear()
    yield
    module._compiled.cache_clear()


def test_one_that_does_not_load_is_told(unloaded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError("built for another interpreter")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.warns(RuntimeWarning, match="built for another interpreter"):
        assert names() == ("py",)
    # Once is enough.
    assert chosen() == "py"


def test_one_that_was_not_built_is_not_missed(unloaded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", fail)
    assert names() == ("py",)
