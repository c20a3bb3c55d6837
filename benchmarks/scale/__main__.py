"""`python -m benchmarks.scale`: thousands of connections to one server of ours; Linux only.

Peers are light: an identity, a connection and its streams each, all in this process. Says what a connection
costs the server in memory and processor time, and how alike many are served that fetch at once.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.goals import MISSED, REACHED
from benchmarks.report import table
from benchmarks.scale.measured import Load, Measured
from bitswap import IMPLEMENTATION
from bitswap.network.libp2p.descriptors import descriptor_limit, raise_descriptor_limit
from bitswap.options import KIB, MIB

FAIR = 0.95
"""Jain's index at half time for equal peers, at least."""
FEW, LEECHERS = 50, 150
"""How many fetch among very many that are idle; how many fetch the same."""
_SPARE = 200
"""Descriptors beside connections."""

Row = tuple[str, str, str, str]


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 where a goal is missed."""
    args = _parser().parse_args(argv)
    raise_descriptor_limit(args.connections + _SPARE)
    limit = descriptor_limit()
    if limit.isdigit() and int(limit) < args.connections + _SPARE:
        args.connections = int(limit) - _SPARE
        print(f"only {limit} open files are allowed: {args.connections:,} connections", file=sys.stderr)
    with (
        tempfile.TemporaryDirectory() as folder,
        Measured(
            Path(folder),
            connections=args.connections + _SPARE,
            security=args.security,
            timeout=args.timeout,
        ) as measured,
    ):
        rows = _rows(args, measured)
    print(f"{args.security}, {IMPLEMENTATION} core\n")
    print("\n".join(table(["what", "figure", "goal", ""], rows, words=2)))
    if args.json is not None:
        args.json.write_text(json.dumps([list(row) for row in rows], indent=1) + "\n")
    return int(any(row[3] == MISSED for row in rows))


class Rows(list[Row]):
    """What was found, in order."""

    def add(self, what: str, figure: str, goal: str = "", reached: bool = True) -> None:
        self.append((what, figure, goal, "" if not goal else REACHED if reached else MISSED))

    def grown(self, measured: Measured, more: int, which: str) -> None:
        """Connect `more`, and say what each cost."""
        wall, cpu, memory = measured.grow(more)
        what = f"{more:,} connections, {which} half"
        self.add(f"{what}: memory each", f"{memory / more / KIB:.1f} KiB")
        self.add(f"{what}: processor time each", f"{cpu / more * 1e3:.2f} ms")
        self.add(f"{what}: together", f"{wall:.1f} s")

    def alive(self, measured: Measured, count: int, when: str) -> None:
        told = measured.ask(stat=True)
        self.add(f"connected {when}", f"{told['peers']:,}", f"{count:,}", told["peers"] == count)
        self.add(f"threads of the server {when}", f"{told['threads']}")

    def load(self, what: str, load: Load) -> None:
        """A fetch of many, with how alike they were served."""
        found, peers = load.fetch, len(load.fetch.half)
        least = min(found.half) / (sum(found.half) / peers)
        self.add(f"{what}: together", _speed(load))
        self.add(f"{what}: fairness at half time", f"{found.fairness:.3f}", f"{FAIR}", found.fairness >= FAIR)
        self.add(f"{what}: least of one at half time", f"{least:.0%} of the mean", "more than 0", least > 0)
        self.add(f"{what}: first, last to have all", f"{found.ended[0]:.2f}, {found.ended[-1]:.2f} s")
        self.add(f"{what}: processor time", f"{load.cpu / peers * 1e3:.2f} ms a peer")
        self.add(f"{what}: memory", f"{max(load.memory - load.given, 0) / peers / KIB:.0f} KiB a peer")


def _rows(args: argparse.Namespace, measured: Measured) -> Rows:
    count, active = args.connections, min(args.active, args.connections)
    few, rows = min(FEW, active), Rows()
    measured.grow(few)
    alone = measured.fetch(few, 2 * args.blocks, 16 * KIB, pool=1024)
    rows.grown(measured, count // 2 - few, "first")
    rows.grown(measured, count - count // 2, "second")
    rows.alive(measured, count, "after that")
    rest = measured.rest(args.idle) / count
    rows.add(f"an idle connection in {args.idle:g} s: processor time", f"{rest * 1e6:.0f} us")
    among = measured.fetch(few, 2 * args.blocks, 16 * KIB, pool=1024)
    rows.add(f"{few} fetch, nobody else is there", _speed(alone))
    rows.add(f"{few} fetch, {count:,} are there", _speed(among))
    rows.load(f"{active:,} fetch at once", measured.fetch(active, args.blocks, 16 * KIB, pool=4096))
    leechers, part = min(LEECHERS, active), max(args.blocks // 4, 1)
    rows.load(f"{leechers} fetch the same", measured.fetch(leechers, part, 256 * KIB, pool=part))
    rows.alive(measured, count, "at the end")
    return rows


def _speed(load: Load) -> str:
    bytes_, seconds = load.fetch.bytes, load.fetch.seconds
    return f"{bytes_ / seconds / 1e6:,.0f} MB/s, {load.cpu / (bytes_ / MIB) * 1e3:.1f} ms a MiB"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--active", type=int, default=1000, help="how many of them fetch at once")
    parser.add_argument("--blocks", type=int, default=64, help="blocks that each fetches")
    parser.add_argument("--idle", type=float, default=35.0, help="seconds of silence to measure")
    parser.add_argument("--security", choices=("tls", "noise"), default="tls")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for any one wait")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
