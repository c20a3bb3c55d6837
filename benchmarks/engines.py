"""The implementations of the serving half, by name, each with the codec that belongs to it."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

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

    def core(self, options: ServerOptions) -> Any:
        self._choose_messages()
        return self.parts.DecisionCore(options, 1)

    def engine(self, options: ServerOptions) -> Engine:
        self._choose_messages()
        return Engine("us", options, 1, implementation=self.name)

    def _choose_messages(self) -> None:
        # The pure one uses the messages of the process otherwise, compiled ones unless BITSWAP_PURE=1.
        if self.name == "py":
            self.parts.DecisionCore.message_type = self.codec.Message


def engines() -> dict[str, Serving]:
    """Every one there is: "py", and "c" where it was built."""
    codec = codecs()
    return {name: Serving(name, codec[name], parts) for name, parts in implementations().items()}
