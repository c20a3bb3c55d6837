"""What can go wrong with a place where blocks are kept, apart from its use."""

from __future__ import annotations

from bitswap.errors import BitswapError


class StoreError(BitswapError, OSError):
    """The place itself failed: disk, file system, memory map."""

    # OSError splits its arguments into number and text; there is only text here.
    __str__ = Exception.__str__


class StoreFull(StoreError):
    """The bound on the store's bytes is reached; nothing of the call was stored."""
