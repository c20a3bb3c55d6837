"""A named check: what is expected, by which rule, and the function that looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bitswap.conform.peer import Peer
from bitswap.conform.verdict import Result

MESSAGES = "Bitswap 1.2.0: Interaction Pattern"
FORMAT = "Bitswap 1.2.0: Wire Format"
FRAMES = "Bitswap 1.0.0: Protocol Format"
SIZES = "Block Sizes"
VERSIONS = "Bitswap Protocol Versions"
INTRODUCTION = "Introduction"
BOXO = "as boxo does"

Look = Callable[[Peer], Result]


@dataclass(frozen=True)
class Check:
    """Run by `runner.run`."""

    name: str
    expected: str
    """One line."""
    rule: str
    """Section of the specification, or "as boxo does"."""
    look: Look
    barriers: bool = True
    """Whether it needs a peer that says DONT_HAVE."""
    held: int = 0
    """How many blocks the user must have named."""


class Checks:
    """The checks of one module, in order."""

    def __init__(self) -> None:
        self.all: list[Check] = []

    def add(
        self, name: str, expected: str, rule: str, *, barriers: bool = True, held: int = 0
    ) -> Callable[[Look], Look]:
        """Decorator of the function that looks."""

        def keep(look: Look) -> Look:
            self.all.append(Check(name, expected, rule, look, barriers, held))
            return look

        return keep
