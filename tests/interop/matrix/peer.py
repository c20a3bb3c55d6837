"""What the matrix has to know of an implementation: how it is built and started, what it is known to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol


class Absent(Exception):
    """This peer cannot be had here; the message is the sentence to show."""


class BuildFailed(Exception):
    """The tools are there, and the build failed; carries their words."""


class Direction(Enum):
    """Who fetches from whom."""

    WE_FETCH = "bitswap <- {}"
    PEER_FETCHES = "{} <- bitswap"


class Verdict(Enum):
    """How a cell came out."""

    PASSED = "passed"
    LIMITED = "passed with a limit of the peer"
    PEER = "fails because of the peer"
    FAILED = "failed"


class Shape(NamedTuple):
    """Made blocks that are wanted in one call."""

    name: str
    count: int
    size: int


SMALL = Shape("1,000 x 1 KiB", 1000, 1024)
MANY = Shape("3,000 x 1 KiB", 3000, 1024)
"""More than the 1,024 wants that most servers keep of one peer, in one call."""
LARGE = Shape("64 x 256 KiB", 64, 256 * 1024)
LARGEST = Shape("16 x 1 MiB", 16, 1024 * 1024)
SHAPES = (SMALL, MANY, LARGE, LARGEST)


@dataclass(frozen=True)
class Program:
    """A built peer: the words before `serve` or `fetch`, its versions for the page, more environment."""

    words: tuple[str | Path, ...]
    version: str
    env: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Where a peer's program comes from. Both raise Absent when this machine lacks what it takes."""

    def find(self) -> Program | None:
        """The program as it was built before; None when it was not."""

    def build(self) -> Program:
        """The program, built when need be; downloads what that takes. Raises BuildFailed."""


@dataclass(frozen=True)
class Known:
    """What a peer is known to do in some cells, which the runs have to bear out.

    A cell said to be PEER that passes is a failure of the matrix, and so is one whose cause does not show:
    `seen` is a regular expression for what either side says (its report, statistics or standard error),
    `itself` runs the peer against itself, which has to fail as well. PEER needs one of the two.
    """

    verdict: Verdict
    cause: str
    """One or two sentences for the page: what the peer does, and where that shows."""
    direction: Direction | None = None
    """None means both, of securities and shapes all."""
    securities: tuple[str, ...] | None = None
    shapes: tuple[Shape, ...] | None = None
    seen: str = ""
    itself: bool = False
    always: bool = True
    """False: it may as well pass in a run, and then has no limit."""
    timeout: float = 20.0
    """Seconds that a cell which is going to fail is given."""

    def __post_init__(self) -> None:
        if self.verdict is Verdict.PEER and not (self.seen or self.itself):
            raise ValueError("a failure of the peer has to be shown")

    def covers(self, direction: Direction, security: str, shape: Shape) -> bool:
        return (
            self.direction in (None, direction)
            and (self.securities is None or security in self.securities)
            and (self.shapes is None or shape in self.shapes)
        )


@dataclass(frozen=True)
class Peer:
    """One implementation; the module that defines it calls it PEER."""

    name: str
    source: Source
    securities: tuple[str, ...] = ("tls", "noise")
    shapes: tuple[Shape, ...] = SHAPES
    directions: tuple[Direction, ...] = tuple(Direction)
    known: tuple[Known, ...] = ()
    """The first that covers a cell counts."""
    required: bool = False
    """Whether BITSWAP_REQUIRE_INTEROP=1 makes its absence a failure."""
    remarks: tuple[str, ...] = ()
    """Sentences for the page about cells that do not exist (a secure channel that it lacks, say)."""
