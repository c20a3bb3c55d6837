"""The implementations of the serving half, by name, each with the codec that belongs to it."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from bitswap._core import implementations as codecs
from bitswap.decision.engine import Engine
from bitswap.decision.implementations import Implementation, implementations
from bitswap.options import ServerOptions


class Serving(NamedTuple):
    name: str
    """ "py" or "c"."""
    codec: ModuleType
    """Decodes what comes in, and is what goes out."""
    parts: Implementation

    def engine(self, options: ServerOptions) -> Engine:
        if self.name == "py":
            # It uses the messages of the process otherwise, compiled ones unless BITSWAP_PURE=1.
            self.parts.DecisionCore.message_type = self.codec.Message
        return Engine("us", options, 1, implementation=self.name)


def engines() -> dict[str, Serving]:
    """Every one there is: "py", and "c" where it was built."""
    codec = codecs()
    return {name: Serving(name, codec[name], parts) for name, parts in implementations().items()}
