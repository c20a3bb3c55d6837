"""What can go wrong with a place where blocks are kept, apart from its use."""

from __future__ import annotations

from bitswap.errors import BitswapError


class StoreError(BitswapError, OSError):
    """The place itself failed: disk, file system, memory map."""

    # OSError splits its arguments into number and text; there is only text here.
    __str__ = Exception.__str__


class WrongAnswer(StoreError):
    """The store gave what was not asked for: too few answers or too many, other blocks, impossible sizes."""


class StoreFull(StoreError):
    """The bound on the store's bytes is reached; nothing of the call was stored."""
