"""Units, what the wire allows, and the check that every section makes of its values."""

from __future__ import annotations

from bitswap.errors import UsageError

KIB = 1024
MIB = 1024 * 1024

MAX_FRAME = 4 * MIB
"""Bytes of one protobuf body on the wire (specification: at most 4 MiB; libp2p MessageSizeMax)."""
MAX_BLOCK = 2 * MIB
"""Bytes of a block that every implementation must handle (specification)."""


def require(condition: bool, message: str) -> None:
    """Raise UsageError with that message unless the condition holds."""
    if not condition:
        raise UsageError(message)
