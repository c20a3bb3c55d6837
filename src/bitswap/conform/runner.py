"""Runs checks one after the other against one peer; whatever happens, each ends with a verdict."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bitswap.cid import CID
from bitswap.conform.check import Check
from bitswap.conform.checks import all_checks
from bitswap.conform.line import Target
from bitswap.conform.peer import Peer
from bitswap.conform.verdict import (
    Lost,
    NotSpoken,
    Result,
    Silent,
    Unreachable,
    Verdict,
    failed,
    skipped,
)
from bitswap.errors import BitswapError, UsageError


@dataclass(frozen=True)
class Finding:
    """What one check came to."""

    check: Check
    result: Result
    seconds: float

    @property
    def verdict(self) -> Verdict:
        return self.result.verdict


def chosen(only: Sequence[str] = ()) -> list[Check]:
    """All checks, or those named; a name ending in * stands for all that begin so. Raises UsageError."""
    checks = all_checks()
    if not only:
        return checks
    for name in only:
        if not any(_matches(check, name) for check in checks):
            raise UsageError(f"there is no check {name!r}; --list shows them")
    return [check for check in checks if any(_matches(check, name) for name in only)]


def _matches(check: Check, name: str) -> bool:
    return check.name.startswith(name[:-1]) if name.endswith("*") else check.name == name


def run(
    target: Target, checks: Sequence[Check], *, cids: Sequence[CID] = (), timeout: float = 10.0
) -> Iterator[Finding]:
    """The findings as they come. `timeout` is how many seconds a check may take.

    Raises Unreachable before the first finding when the peer cannot be dialled.
    """
    peer = Peer(target, cids, timeout)
    peer.deadline = time.monotonic() + timeout
    peer.probe(timeout / 2)
    for check in checks:
        yield _look(peer, check, timeout)


def _look(peer: Peer, check: Check, timeout: float) -> Finding:
    started = time.monotonic()
    peer.deadline = started + timeout
    try:
        result = _skip(peer, check) or check.look(peer)
    except (Lost, Silent, NotSpoken, Unreachable) as error:
        result = failed(str(error))
    except BitswapError as error:
        result = failed(f"{type(error).__name__}: {error}")
    return Finding(check, result, time.monotonic() - started)


def _skip(peer: Peer, check: Check) -> Result | None:
    if check.barriers and not peer.says_dont_have:
        return skipped("the peer never says DONT_HAVE, so nothing tells when it has handled a message")
    if check.held > len(peer.cids):
        count = "a block" if check.held == 1 else f"{check.held} blocks"
        return skipped(f"needs {count} of the peer, named by --cid")
    return None
