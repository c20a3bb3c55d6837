"""What can be wrong with a CAR file; every error says at which byte of the file."""

from __future__ import annotations

from bitswap.errors import BitswapError


class CarError(BitswapError, ValueError):
    """Bytes that are no CAR file, or beyond a bound; `offset` is where, from the file's first byte on."""

    def __init__(self, words: str, offset: int) -> None:
        super().__init__(f"at byte {offset}: {words}")
        self.offset = offset


class CarTruncated(CarError, EOFError):
    """The file ends early; `offset` is where what is cut short begins."""


class CarMismatch(CarError):
    """A block that does not hash to its CID, or whose hash cannot be computed here."""
