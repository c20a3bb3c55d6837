"""The implementations of the hot parts of the serving half: in Python, and compiled where that was built."""

from __future__ import annotations

import importlib
import warnings
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

from bitswap import _core
from bitswap.decision.score_ledger import DefaultScoreLedger


class Implementation(NamedTuple):
    """Classes that do what `decision.interface` and `score_ledger` say."""

    DecisionCore: type[Any]
    RequestQueue: type[Any]
    DefaultScoreLedger: type[Any]


@cache
def _compiled(name: str) -> ModuleType | None:
    """A compiled module, or None where it was not built."""
    try:
        return importlib.import_module(f"bitswap._core.{name}")
    except ModuleNotFoundError:
        return None
    except ImportError as error:
        warnings.warn(f"{name} does not load, Python runs instead: {error}", RuntimeWarning, stacklevel=2)
        return None


def names() -> tuple[str, ...]:
    """What there is: "py", and "c" where the compiled core was built."""
    return ("py", "c") if _compiled("decision_c") is not None and "c" in _core.names() else ("py",)


def implementation(name: str) -> Implementation:
    """One of `names`; the other is not loaded for it."""
    if name == "py":
        core = importlib.import_module("bitswap.decision.core")
        queue = importlib.import_module("bitswap.decision.request_queue")
        return Implementation(core.DecisionCore, queue.RequestQueue, DefaultScoreLedger)
    compiled, accounts = importlib.import_module("bitswap._core.decision_c"), _compiled("accounts_c")
    ledger = DefaultScoreLedger if accounts is None else accounts.DefaultScoreLedger
    return Implementation(compiled.DecisionCore, compiled.RequestQueue, ledger)


def implementations() -> dict[str, Implementation]:
    """All of them by name."""
    return {name: implementation(name) for name in names()}


def chosen() -> str:
    """The name of the one that goes with the codec of this process."""
    return "c" if _core.IMPLEMENTATION == "compiled" and "c" in names() else "py"
