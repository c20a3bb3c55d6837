"""Lists of wants by priority, for whoever keeps some (boxo `client/wantlist`)."""

from __future__ import annotations

import importlib
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING

from bitswap import _core
from bitswap._core.wantlist import WantlistEntry

__all__ = ["Wantlist", "WantlistEntry", "implementations"]


def implementations() -> dict[str, ModuleType]:
    """Modules with a `Wantlist` by name: "py", and "c" where the compiled core was built."""
    found = {"py": importlib.import_module("bitswap._core.wantlist_py")}
    if "c" in _core.names():
        with suppress(ModuleNotFoundError):
            found["c"] = importlib.import_module("bitswap._core.wantlist_c")
    return found


if TYPE_CHECKING:
    from bitswap._core.wantlist_py import Wantlist
else:
    _found = implementations()
    Wantlist = _found["c" if _core.IMPLEMENTATION == "compiled" and "c" in _found else "py"].Wantlist
