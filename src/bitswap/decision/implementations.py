"""The implementations of the hot parts of the serving half: in Python, and compiled where that was built."""

from __future__ import annotations

import importlib
import warnings
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

from bitswap import _core
from bitswap.decision.core import DecisionCore
from bitswap.decision.request_queue import RequestQueue
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


def implementations() -> dict[str, Implementation]:
    """By name: "py", and "c" where the compiled core was built."""
    found = {"py": Implementation(DecisionCore, RequestQueue, DefaultScoreLedger)}
    core, accounts = _compiled("decision_c"), _compiled("accounts_c")
    if core is not None and "c" in _core.implementations():
        ledger = DefaultScoreLedger if accounts is None else accounts.DefaultScoreLedger
        found["c"] = Implementation(core.DecisionCore, core.RequestQueue, ledger)
    return found


def chosen() -> str:
    """The name of the one that goes with the codec of this process."""
    return "c" if _core.IMPLEMENTATION == "compiled" and "c" in implementations() else "py"
