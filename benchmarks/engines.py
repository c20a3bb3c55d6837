"""The implementations of the serving half, by name, each with the codec that belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from bitswap._core import implementations
from bitswap.decision import envelope
from bitswap.decision.engine import Engine
from bitswap.options import ServerOptions


class Serving(NamedTuple):
    codec: ModuleType
    """Decodes what comes in, and is what goes out."""
    make: Callable[[ServerOptions], Engine]


def engines() -> dict[str, Serving]:
    """Every engine there is: "py", and "c" once there is a compiled one, which is one more line here."""
    codecs = implementations()
    return {
        "py": Serving(codecs["py"], lambda options: _pure(codecs["py"], options)),
    }


def _pure(codec: ModuleType, options: ServerOptions) -> Engine:
    # It answers with the messages of the process, which are compiled ones unless BITSWAP_PURE=1.
    vars(envelope)["Message"] = codec.Message
    return Engine("us", options, 1)
