"""The cells of the matrix: which there are, how one is run, and what to say of it."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bitswap.cli.blocks import make_block
from tests.interop.matrix.peer import Direction, Known, Peer, Program, Shape, Verdict
from tests.interop.process import JsonProcess, ProcessFailed

SEED = "interop"
TIMEOUT = 120.0
"""Seconds a fetch may take; those that are known to fail have less."""
GRACE = 20.0
"""Seconds beyond its time-out that a program has to start and to end by itself."""


class Cell(NamedTuple):
    peer: Peer
    direction: Direction
    security: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.direction.value.format(self.peer.name)}, {self.security}, {self.shape.name}"

    @property
    def known(self) -> Known | None:
        found = (known for known in self.peer.known if known.covers(*self[1:]))
        return next(found, None)


def cells(peers: Iterable[Peer]) -> list[Cell]:
    return [
        Cell(peer, direction, security, shape)
        for peer in peers
        for direction in peer.directions
        for security in peer.securities
        for shape in peer.shapes
    ]


@dataclass(frozen=True)
class Transfer:
    """What both programs said of one fetch."""

    shape: Shape
    report: dict[str, Any]
    """Of the getter; `error` when it has none of its own."""
    served: dict[str, Any]
    """Of the server when it ended."""
    heard: str
    """Everything on both standard errors."""

    @property
    def blocks(self) -> int:
        return int(self.report.get("blocks", 0))

    @property
    def missing(self) -> int:
        return self.shape.count - self.blocks

    @property
    def duplicates(self) -> int | None:
        """What the getter counted, or else what was sent beyond what was asked for; None: nobody knows."""
        counted = self.report.get("duplicates")
        if counted is None and "blocks_sent" in self.served:
            return max(0, int(self.served["blocks_sent"]) - self.shape.count)
        return None if counted is None else int(counted)

    @property
    def complete(self) -> bool:
        whole = self.report.get("bytes") == self.shape.count * self.shape.size
        return "error" not in self.report and self.missing == 0 and whole

    def said(self) -> str:
        return "\n".join([json.dumps(self.report), json.dumps(self.served), self.heard])


class Outcome(NamedTuple):
    cell: Cell
    verdict: Verdict
    transfer: Transfer
    itself: Transfer | None
    """The peer against itself, where that has to show whose failure it is."""
    words: str
    """What went wrong, or what the peer's limit is; empty for a plain pass."""


@functools.cache
def cids_of(shape: Shape) -> str:
    """The CIDs of a shape's blocks as their definition gives them, one a line."""
    return "".join(f"{make_block(SEED, index, shape.size).cid}\n" for index in range(shape.count))


def run(cell: Cell, theirs: Program, ours: Program, folder: Path) -> Outcome:
    """Run one cell in `folder` and judge it."""
    known = cell.known
    timeout = known.timeout if known is not None and known.verdict is Verdict.PEER else TIMEOUT
    server, client = (theirs, ours) if cell.direction is Direction.WE_FETCH else (ours, theirs)
    transfer = fetch(server, client, cell, folder, timeout)
    itself = fetch(theirs, theirs, cell, folder, timeout) if known is not None and known.itself else None
    verdict, words = judge(known, transfer, itself)
    return Outcome(cell, verdict, transfer, itself, words)


def judge(known: Known | None, transfer: Transfer, itself: Transfer | None) -> tuple[Verdict, str]:
    """The verdict of a cell, and the words that go with it."""
    plain = transfer.complete and not transfer.duplicates
    if known is None:
        if plain:
            return Verdict.PASSED, ""
        told = str(transfer.report.get("error", f"{transfer.duplicates} blocks came twice"))
        return Verdict.FAILED, f"{transfer.blocks} of {transfer.shape.count}: {told}"
    if plain and not known.always:
        return Verdict.PASSED, ""
    if known.verdict is Verdict.PEER and transfer.complete:
        return Verdict.FAILED, f"it passes, and was said to fail: {known.cause}"
    if known.verdict is Verdict.LIMITED and not transfer.complete:
        return Verdict.FAILED, f"it does not even pass with the limit: {transfer.report.get('error')}"
    if itself is not None and known.verdict is Verdict.PEER and itself.complete:
        return (
            Verdict.FAILED,
            f"the peer gets everything from itself, so this is not its failure: {known.cause}",
        )
    if known.seen and re.search(known.seen, transfer.said()) is None:
        return Verdict.FAILED, f"nobody says {known.seen!r}: {transfer.said()[-2000:]}"
    return known.verdict, known.cause


def fetch(server: Program, client: Program, cell: Cell, folder: Path, timeout: float) -> Transfer:
    """One program fetches from the other; what goes wrong is in the report, nothing is raised."""
    shape, security = cell.shape, ("--security", cell.security)
    listing = folder / "cids"
    listing.write_text(cids_of(shape), encoding="ascii")
    made = ("--blocks-count", shape.count, "--blocks-size", shape.size, "--blocks-seed", SEED)
    report: dict[str, Any] = {}
    served: dict[str, Any] = {}
    errors = ""
    with _started(server, folder, "serve", *security, *made) as serving:
        try:
            address = serving.line()["addrs"][0]
            wanted = ("--peer", address, "--cids", listing, "--timeout", f"{timeout:g}s")
            report, errors = _fetched(client, folder, timeout, *security, *wanted)
            served = serving.stop()
        except (ProcessFailed, LookupError) as error:
            report.setdefault("error", f"{type(error).__name__}: {error}")
        heard = errors + serving.errors()
    return Transfer(shape, report, served, heard)


def _fetched(client: Program, folder: Path, timeout: float, *words: object) -> tuple[dict[str, Any], str]:
    with _started(client, folder, "fetch", *words) as fetching:
        report: dict[str, Any] = {}
        try:
            report = fetching.line(timeout + GRACE)
            code = fetching.wait(GRACE)
            if code != 0:
                report.setdefault("error", f"exit code {code}")
        except ProcessFailed as error:
            report.setdefault("error", str(error))
        return report, fetching.errors()


def _started(program: Program, folder: Path, *words: object) -> JsonProcess:
    command = [*program.words, *map(str, words)]
    return JsonProcess(command, folder, env={**os.environ, **program.env})
