"""docs/interop.md: what the last run of the whole matrix gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.interop.matrix.cells import Outcome, Transfer
from tests.interop.matrix.peer import Peer, Program, Verdict

HEAD = """# Interoperation

Written by `make interop-matrix` (`python -m tests.interop.matrix`); do not edit.

Each cell is one transfer between two processes over TCP on one machine: a fresh node of ours, a fresh node of
the other implementation, made blocks that the getter asks for in one call. The first column reads
getter `<-` server. Every block is checked against its CID; *passed* means that each came, and came once.

- *limited*: everything came, with a limit of the peer, which the note tells.
- *peer fails*: the cause lies with the peer. The note tells it, and what shows it: what is seen on the wire,
  or the same transfer of the peer with itself.
- *failed*: anything else. The run ends with an error.
"""

SECURITY = {"tls": "TLS", "noise": "Noise"}
SHORT = {
    Verdict.PASSED: "passed",
    Verdict.LIMITED: "limited",
    Verdict.PEER: "peer fails",
    Verdict.FAILED: "**failed**",
}


class Played(NamedTuple):
    """One peer's part of a run: its program and outcomes, or why it was not run."""

    peer: Peer
    program: Program | None
    outcomes: Sequence[Outcome]
    absent: str = ""


def page(names: Sequence[str], played: Sequence[Played], before: str) -> str:
    """The page, with the peers in the order of `names`; of those who did not play what stands in `before`."""
    rows = {name: row for name in names if (row := old_row(before, name))}
    sections = {name: text for name in names if (text := old_section(before, name))}
    for one in played:
        if one.program is None and one.peer.name in sections:
            continue
        rows[one.peer.name] = summary_row(one)
        sections[one.peer.name] = section(one)
    head = ["implementation", "version", *(SHORT[verdict].strip("*") for verdict in Verdict)]
    summary = table(head, [rows[name] for name in names if name in rows])
    return "\n".join([HEAD, summary, *(sections[name] for name in names if name in sections)])


def old_row(before: str, name: str) -> list[str]:
    """The row of a peer in the summary of an earlier page; empty when there is none."""
    line = next((line for line in before.splitlines() if line.startswith(f"| {name} |")), "")
    return [part.strip() for part in line.split("|")[1:-1]]


def old_section(before: str, name: str) -> str:
    """The section of a peer in an earlier page; empty when there is none."""
    _, found, rest = before.partition(f"\n## {name}\n")
    return f"## {name}\n{rest.partition(chr(10) + '## ')[0]}" if found else ""


def summary_row(one: Played) -> list[str]:
    """How many cells came out how."""
    counts = [sum(found.verdict is verdict for found in one.outcomes) for verdict in Verdict]
    version = one.program.version if one.program is not None else one.absent
    return [one.peer.name, version, *(str(count or "") for count in counts)]


def section(one: Played) -> str:
    """One peer's cells, and the notes that they refer to."""
    lines = [f"## {one.peer.name}\n"]
    if one.program is None:
        return "\n".join([*lines, f"Not run: {one.absent}.\n"])
    notes: list[str] = []
    rows = []
    for direction in one.peer.directions:
        for security in one.peer.securities:
            row = [found for found in one.outcomes if found.cell[1:3] == (direction, security)]
            cells = [_cell(found, notes) for found in row]
            rows.append([f"`{direction.value.format(one.peer.name)}`", SECURITY[security], *cells])
    head = ["getter `<-` server", "channel", *(shape.name for shape in one.peer.shapes)]
    lines.append(table(head, rows))
    lines += [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    lines += [f"- {remark}" for remark in one.peer.remarks]
    if notes or one.peer.remarks:
        lines.append("")
    return "\n".join(lines)


def _cell(found: Outcome, notes: list[str]) -> str:
    if not found.words:
        return SHORT[found.verdict]
    note = found.words.replace("\n", " ").replace("|", "/")
    if note not in notes:
        notes.append(note)
    text = f"{SHORT[found.verdict]} ({notes.index(note) + 1}): {figures(found.transfer)}"
    return text if found.itself is None else f"{text}; with itself: {figures(found.itself)}"


def figures(transfer: Transfer) -> str:
    """`64 of 64, 3 twice`."""
    twice = f", {transfer.duplicates:,} twice" if transfer.duplicates else ""
    return f"{transfer.blocks:,} of {transfer.shape.count:,}{twice}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
