"""The hot paths, twice: compiled (`*_c`) and in Python (`*_py`). This module picks one for the process.

The compiled one runs where it was built, unless BITSWAP_PURE=1 is set when the package is imported.
"""

from __future__ import annotations

import importlib
import os
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Literal

__all__ = ["IMPLEMENTATION", "FrameReader", "Message", "implementations", "names"]


def _compiled() -> ModuleType | None:
    """The compiled codec, or None where it was not built."""
    try:
        return importlib.import_module("bitswap._core.wire_c")
    except ModuleNotFoundError:
        return None
    except ImportError as error:
        warnings.warn(
            f"the compiled core does not load, Python runs instead: {error}", RuntimeWarning, stacklevel=2
        )
        return None


def names() -> tuple[str, ...]:
    """What there is: "py", and "c" where it was built. The one that does not run is not loaded for that."""
    return ("py",) if _compiled() is None else ("py", "c")


def implementations() -> dict[str, ModuleType]:
    """Both codecs by name."""
    return {name: importlib.import_module(f"bitswap._core.wire_{name}") for name in names()}


IMPLEMENTATION: Literal["compiled", "pure"]

if TYPE_CHECKING:
    from bitswap._core.wire_py import FrameReader, Message
else:
    _chosen = None if os.environ.get("BITSWAP_PURE") == "1" else _compiled()
    IMPLEMENTATION = "pure" if _chosen is None else "compiled"
    if _chosen is None:
        _chosen = importlib.import_module("bitswap._core.wire_py")
    FrameReader, Message = _chosen.FrameReader, _chosen.Message
