"""Shapes: how many peers there are, and how many wants or answers each has."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, TypeVar

from bitswap.cid import CID

PER_MESSAGE = 1000
"""Entries of a message at most."""
ENOUGH = 10_000
"""Answers that are taken where all would take boxo too long."""

Item = TypeVar("Item")
Parts = list[list[Sequence[Item]]]
"""What each peer sends, cut into messages."""


@cache
def _names(count: int) -> list[str]:
    return [f"peer {i}" for i in range(count)]


class Shape(NamedTuple):
    peers: int
    each: int

    @property
    def all(self) -> int:
        return self.peers * self.each

    @property
    def names(self) -> list[str]:
        """The same texts each time: who knows a peer has its name, and no run is to make it."""
        return _names(self.peers)

    def __str__(self) -> str:
        return f"{self.peers:,} x {self.each:,}"


USUAL, MANY, ONE, SLOW = Shape(100, 1000), Shape(10_000, 10), Shape(1, 100_000), Shape(100, 100)


def parts(shape: Shape, wanted: Sequence[CID]) -> Parts[CID]:
    """Each peer has others."""
    return [shares(wanted[i : i + shape.each]) for i in range(0, shape.all, shape.each)]


def same(shape: Shape, wanted: Sequence[CID]) -> Parts[CID]:
    """All peers have the same."""
    return [shares(wanted[: shape.each])] * shape.peers


def shares(items: Sequence[Item], size: int = PER_MESSAGE) -> list[Sequence[Item]]:
    return [items[i : i + size] for i in range(0, len(items), size)]
