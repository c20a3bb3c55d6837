"""Memory that runs out in the middle of a call: the call must not have done anything then."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from bitswap import _core

from .world import Operation

WHOLE = (
    *("message", "lookup", "looked_up", "notify", "stored", "removed", "next", "fill", "sent", "failed"),
    *("push", "pop", "done", "remove", "disconnect", "clear", "thaw_round", "thaw"),
)
"""Operations that are one call, which is repeated if memory was short."""


def _modules() -> list[Callable[[int | None], None]]:
    found = []
    for module in pkgutil.iter_modules(_core.__path__):
        if module.name.endswith("_c"):
            fail_after = getattr(importlib.import_module(f"bitswap._core.{module.name}"), "fail_after", None)
            found += [fail_after] if fail_after is not None else []
    return found


FAIL_AFTER = _modules()


def plainly(side: Any, operation: Operation) -> Any:
    return side.apply(operation)


def scarcely(side: Any, operation: Operation) -> Any:
    """Let the first allocation of a call fail, then the second, until there are none left that could."""
    if side.implementation != "c" or operation[0] not in WHOLE:
        return side.apply(operation)
    for allocations in range(100):
        allow(allocations)
        try:
            return side.apply(operation)
        except MemoryError:
            allow(None)
            side.check()
        finally:
            allow(None)
    raise AssertionError("memory is short, however much there is")


def allow(allocations: int | None) -> None:
    """Let so many allocations of the compiled core succeed, and none after them; None = all."""
    for fail_after in FAIL_AFTER:
        fail_after(allocations)
