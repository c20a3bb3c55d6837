"""`python -m tests.soak --minutes 60`: a node whose peers and blocks come and go, and what it holds at rest.

Exit code 1 when something grew, or anything failed without a cause of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bitswap import IMPLEMENTATION
from tests.soak.flat import BOUNDS, FEWEST, grown, slopes
from tests.soak.run import Result, Settings, Soak


def main(argv: list[str] | None = None) -> int:
    """The exit code."""
    args = _parser().parse_args(argv)
    settings = Settings(
        seed=args.seed,
        seconds=args.minutes * 60,
        epochs=args.epochs,
        rounds=args.rounds,
        warm=args.warm,
        share=args.share,
        store=args.store,
        patience=args.patience,
        workers=args.workers,
    )
    with tempfile.TemporaryDirectory() as folder:
        result = Soak(settings, Path(folder), lambda text: print(text, file=sys.stderr, flush=True)).run()
    found = trouble(result)
    print(summary(result, found))
    if args.json is not None:
        args.json.write_text(json.dumps(record(result, found), indent=1) + "\n")
    return int(bool(found))


def trouble(result: Result) -> list[str]:
    """What grew, and what failed."""
    try:
        found = grown(result.samples, result.settings.warm)
    except ValueError as error:
        found = [str(error)]
    return found + result.tally.failures


def record(result: Result, found: list[str]) -> dict[str, object]:
    """Everything, for a file."""
    return {
        "implementation": IMPLEMENTATION,
        "seed": result.settings.seed,
        "store": result.settings.store,
        "seconds": round(result.seconds, 1),
        "longest_stall": round(result.longest_stall, 1),
        "disturbed": result.tally.disturbed,
        "processor_seconds": round(result.cpu, 1),
        "counts": result.tally.all(),
        "found": found,
        "slopes": slopes(result.samples[result.settings.warm :]),
        "samples": [vars(sample) for sample in result.samples],
        "peers_process": result.peers_process,
    }


def summary(result: Result, found: list[str]) -> str:
    """A page of Markdown."""
    settings, samples = result.settings, result.samples
    lines = [
        f"# Soak: {'something is wrong' if found else 'flat'}",
        "",
        f"{IMPLEMENTATION} core, {settings.store} store, seed {settings.seed}; "
        f"{result.seconds / 60:.1f} minutes, {len(samples)} epochs, "
        f"{result.cpu:.0f} s of processor time ({result.cpu / result.seconds:.2f} of one).",
        f"Longest time that the system let it wait: {result.longest_stall:.1f} s.",
        "",
        "| what was done | |",
        "|---|---|",
        *(f"| {name.replace('_', ' ')} | {count:,} |" for name, count in result.tally.all().items()),
        "",
    ]
    judged = samples[settings.warm :]
    if judged:
        lines += _memory(result)
        lines += ["", "| exact, the same in every epoch after the warm-up | |", "|---|---|"]
        plain = {k: v for k, v in judged[0].exact.items() if not k.startswith(("items of", "objects"))}
        lines += [f"| {name} | {count:,} |" for name, count in plain.items()]
        lines += [
            f"| kinds of containers, items in them | {_kinds(judged[0].exact, 'items of')} |",
            f"| classes of objects, objects | {_kinds(judged[0].exact, 'objects')} |",
            "",
        ]
    return "\n".join(lines + [f"- {what}" for what in found])


def _memory(result: Result) -> list[str]:
    warm, samples = result.settings.warm, result.samples
    judged = samples[warm:]
    lines = [
        "| memory after | " + " | ".join(judged[0].memory) + " |",
        "|---|" + "---|" * len(judged[0].memory),
    ]
    for sample in dict.fromkeys(range(0, len(judged), max(len(judged) // 8, 1))) | {len(judged) - 1: None}:
        at = judged[sample]
        values = " | ".join(f"{value:,}" for value in at.memory.values())
        lines.append(f"| epoch {at.epoch}, {at.seconds / 60:.1f} min, {at.peers:,} peers | {values} |")
    kept = " | ".join(f"{value:,.1f}" for value in slopes(judged).values())
    bounds = " | ".join(f"{BOUNDS[name]:,.0f}" for name in judged[0].memory)
    lines.append(f"| growth for 1,000 peers (Theil-Sen, the last three quarters) | {kept} |")
    told = "allowed" if len(judged) >= FEWEST else f"allowed, from {FEWEST} epochs"
    return [*lines, f"| {told} | {bounds} |"]


def _kinds(exact: dict[str, int], prefix: str) -> str:
    values = [count for name, count in exact.items() if name.startswith(prefix)]
    return f"{len(values):,}, {sum(values):,}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="no epoch is begun after that")
    parser.add_argument("--epochs", type=int, help="that many, instead of minutes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5, help="how much happens in an epoch")
    parser.add_argument("--warm", type=int, default=5, help="epochs before the first that is judged")
    parser.add_argument("--share", type=float, default=0.33, help="of one processor, 0 for no limit")
    parser.add_argument("--patience", type=float, default=4.0, help="seconds of silence that the node bears")
    parser.add_argument("--workers", type=int, default=6, help="things that happen at the same time")
    parser.add_argument("--store", choices=("lmdb", "memory"), default="lmdb")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
