"""What a check says in the end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bitswap.errors import BitswapError


class Verdict(Enum):
    """One word for what was seen."""

    PASS = "pass"
    """As expected."""
    FAIL = "fail"
    """Against a MUST, against the truth, or to the harm of others."""
    DIFFERS = "differs"
    """Otherwise than expected, which the specification allows."""
    SKIPPED = "skipped"
    """Not looked at; the result says why."""


@dataclass(frozen=True)
class Result:
    """A verdict, and one line of what was seen (or why nothing was looked at)."""

    verdict: Verdict
    seen: str


def passed(seen: str) -> Result:
    return Result(Verdict.PASS, seen)


def failed(seen: str) -> Result:
    return Result(Verdict.FAIL, seen)


def differs(seen: str) -> Result:
    return Result(Verdict.DIFFERS, seen)


def skipped(why: str) -> Result:
    return Result(Verdict.SKIPPED, why)


class Unreachable(BitswapError):
    """The peer cannot be dialled, or not any more."""


class Lost(BitswapError):
    """The connection ended in the middle of a check; the message says how."""


class Silent(BitswapError):
    """The peer did not do in time what it did before."""


class NotSpoken(BitswapError):
    """The peer does not agree to a protocol."""
