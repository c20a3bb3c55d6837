"""`python -m benchmarks.nodes`: our node and boxo's, each fetching from each, over 127.0.0.1.

`python -m benchmarks.nodes sizes` measures throughput by block size instead, and draws it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import bitswap
from benchmarks.nodes import sizes
from benchmarks.nodes.runs import Samples, name, run
from benchmarks.nodes.scenarios import SCENARIOS, Scenario
from benchmarks.nodes.sides import Setting
from benchmarks.nodes.table import lines
from tests.interop import gopeer


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 where there is no Go."""
    args = _parser().parse_args(argv)
    try:
        binary = gopeer.build()
    except gopeer.GoAbsent as error:
        print(error, file=sys.stderr)
        return 1
    record: dict[str, object] = {}
    for security in ("tls", "noise") if args.security == "both" else (args.security,):
        with tempfile.TemporaryDirectory() as folder:
            setting = Setting(binary, Path(folder), security, args.timeout)
            record[security] = _measure(args, setting)
    if args.json is not None:
        args.json.write_text(json.dumps(record, indent=1) + "\n")
    return 0


def _measure(args: argparse.Namespace, setting: Setting) -> dict[str, object]:
    """All samples, by scenario and pair."""
    told = f"{setting.security}, {bitswap.IMPLEMENTATION} core, medians of {args.rounds} rounds"
    if args.what == "sizes":
        found = sizes.measure(setting, args.rounds, quick=args.quick)
        print(f"MB/s by block size: {told}\n")
        print("\n".join(sizes.lines(found)), flush=True)
        if args.svg is not None:
            args.svg.write_text(sizes.drawing(found, f"{setting.security}, two nodes on one machine"))
    else:
        chosen = [scenario for scenario in SCENARIOS if args.scenario in (None, []) or _named(args, scenario)]
        if args.quick:
            chosen = [scenario.shortened() for scenario in chosen]
        found = [(scenario, run(setting, scenario, args.rounds, pure=args.pure)) for scenario in chosen]
        print(f"{told}\n")
        print("\n".join(lines(found)) + "\n", flush=True)
    return {scenario.key: _plain(samples) for scenario, samples in found}


def _named(args: argparse.Namespace, scenario: Scenario) -> bool:
    return scenario.key in args.scenario


def _plain(samples: Samples) -> dict[str, object]:
    return {name(pair): [asdict(sample) for sample in found] for pair, found in samples.items()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nodes", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("table", "sizes"), default="table")
    parser.add_argument("--rounds", type=int, default=5, help="figures behind each median (default: 5)")
    keys = [scenario.key for scenario in SCENARIOS]
    parser.add_argument(
        "--scenario", nargs="+", choices=keys, metavar="NAME", help=f"some of {', '.join(keys)}"
    )
    parser.add_argument("--security", choices=("tls", "noise", "both"), default="tls")
    parser.add_argument("--quick", action="store_true", help="few blocks: to see that it runs")
    parser.add_argument("--pure", action="store_true", help="our node with the pure core too")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one transfer")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to FILE")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="with sizes: draw them into FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
