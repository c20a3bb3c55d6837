"""Tables of text, for people and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bitswap.simulation.result import NodeResult, Result

_MOST_ROWS = 16
_HEAD = ("node", "seconds", "found", "received", "msgs out", "msgs in", "KiB out", "KiB in")


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns with two spaces between them: the first to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = []
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def describe(result: Result) -> str:
    """What a run came to: a line about all of it, and the nodes that fetched; of many a summary."""
    rows = [_row(node) for node in result.nodes]
    if len(rows) > _MOST_ROWS:
        rows = _summary(result.nodes)
    state = "all of it" if result.complete else f"{result.found:,} of them"
    words = (
        f"{result.scenario}, seed {result.seed}: {result.wanted:,} blocks wanted, {state} came in "
        f"{result.seconds:.3f} s; {result.blocks_received:,} received; {result.messages:,} messages, "
        f"{result.bytes / 1024:,.0f} KiB"
    )
    return f"{words}\n{text_table(_HEAD, rows)}"


def _row(node: NodeResult) -> list[str]:
    return [
        node.name,
        "-" if node.seconds is None else f"{node.seconds:.3f}",
        f"{node.found}/{node.wanted}",
        str(node.blocks_received),
        str(node.messages_sent),
        str(node.messages_received),
        f"{node.bytes_sent / 1024:.1f}",
        f"{node.bytes_received / 1024:.1f}",
    ]


def _summary(nodes: Sequence[NodeResult]) -> list[list[str]]:
    done = [node.seconds for node in nodes if node.seconds is not None]
    columns = [
        [float(node.found) for node in nodes],
        [float(node.blocks_received) for node in nodes],
        [float(node.messages_sent) for node in nodes],
        [float(node.messages_received) for node in nodes],
        [node.bytes_sent / 1024 for node in nodes],
        [node.bytes_received / 1024 for node in nodes],
    ]
    rows = []
    for name, choose in (("least", min), ("median", median), ("most", max)):
        first = f"{choose(done):.3f}" if done else "-"
        rows.append([f"{name} of {len(nodes):,}", first, *(f"{choose(column):,.0f}" for column in columns)])
    return rows
