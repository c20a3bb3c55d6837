"""`python -m tests.interop.matrix --markdown docs/interop.md` builds the peers, runs all cells, writes it.

The exit code is 1 when a cell failed, or, with --require, when a peer could not be had. Peers that are
not run (--peers) or cannot be had stay on the page as they are.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.interop.matrix.cells import Cell, Outcome, cells, run
from tests.interop.matrix.ours import OURS
from tests.interop.matrix.page import SHORT, Played, figures, page
from tests.interop.matrix.peer import Absent, BuildFailed, Peer, Program, Verdict
from tests.interop.matrix.peers import peers


def main() -> int:
    args = arguments()
    if args.markdown is not None and args.only:
        print("--markdown needs every cell of a peer: leave out --only", file=sys.stderr)
        return 2
    everybody = peers()
    chosen = [peer for peer in everybody if not args.peers or peer.name in args.peers]
    if unknown := set(args.peers) - {peer.name for peer in everybody}:
        print(f"no such peer: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        played = [play(peer, Path(folder), args) for peer in chosen]
    failed = [found for one in played for found in one.outcomes if found.verdict is Verdict.FAILED]
    absent = [one.peer.name for one in played if one.program is None]
    count = sum(len(one.outcomes) for one in played)
    print(f"{count} cells, {len(failed)} failed; absent: {', '.join(absent) or 'none'}")
    if args.markdown is not None:
        before = args.markdown.read_text(encoding="utf-8") if args.markdown.exists() else ""
        names = [peer.name for peer in everybody]
        args.markdown.write_text(page(names, played, before), encoding="utf-8")
    return 1 if failed or (args.require and absent) else 0


def play(peer: Peer, folder: Path, args: argparse.Namespace) -> Played:
    """Build one peer and run its cells."""
    try:
        program = peer.source.build()
    except (Absent, BuildFailed) as error:
        print(f"{peer.name}: {error}", file=sys.stderr)
        return Played(peer, None, (), str(error).splitlines()[0])
    print(f"{peer.name}: {program.version}", flush=True)
    wanted = [cell for cell in cells([peer]) if args.only in str(cell)]
    return Played(peer, program, [told(cell, program, folder, args) for cell in wanted])


def told(cell: Cell, program: Program, folder: Path, args: argparse.Namespace) -> Outcome:
    began = time.monotonic()
    found = run(cell, program, OURS, folder)
    seconds = time.monotonic() - began
    took = found.transfer.report.get("seconds", 0)
    print(
        f"  {cell}: {SHORT[found.verdict]}, {figures(found.transfer)}, {took:.2f} s of {seconds:.1f} s",
        flush=True,
    )
    if found.words:
        print(f"    {found.words}", flush=True)
    if args.verbose or found.verdict is Verdict.FAILED:
        print(found.transfer.said()[-6000:], file=sys.stderr, flush=True)
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.interop.matrix", description=__doc__)
    parser.add_argument("--peers", nargs="+", default=[], metavar="NAME", help="only these")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cells whose name contains this")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page here")
    parser.add_argument("--require", action="store_true", help="a peer that cannot be had is a failure")
    parser.add_argument("--verbose", action="store_true", help="show what both sides said")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
