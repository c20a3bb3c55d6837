"""Ours and boxo in turn, each as server and as client: `python -m tests.interop.throughput`.

Every round runs each pair once, so that what else the machine does falls on all of them alike. Servers keep
their blocks in memory; clients verify and drop them. Prints the medians and their ratio to boxo with boxo.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import bitswap
from tests.interop import gopeer, ours
from tests.interop.gopeer import GoPeer

Fetch = Callable[[], float]
"""One transfer; returns its seconds, dial not counted."""
REFERENCE = "boxo <- boxo"
SEED = "throughput"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--size", type=int, default=256 * 1024, help="bytes a block")
    parser.add_argument("--security", choices=("tls", "noise"), default="tls")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1024, help="blocks a call of a boxo client")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one transfer")
    return parser.parse_args()


def transfers(args: argparse.Namespace, folder: Path, stack: ExitStack) -> dict[str, Fetch]:
    """The four pairs, "client <- server"; the two servers run until `stack` ends."""
    cids = folder / "cids"
    boxo = GoPeer(gopeer.build(), folder)
    boxo_server = stack.enter_context(
        boxo.serve(
            security=args.security,
            blocks_count=args.count,
            blocks_size=args.size,
            blocks_seed=SEED,
            cids_out=cids,
        )
    )
    our_server = stack.enter_context(
        ours.serve_made(folder, security=args.security, count=args.count, size=args.size, seed=SEED)
    )
    addresses = {"boxo": boxo_server.line()["addrs"][0], "ours": our_server.line(300)["addrs"][0]}

    def by_boxo(server: str, batch: int) -> float:
        report = boxo.fetch(
            addresses[server],
            security=args.security,
            timeout=args.timeout,
            cids=cids,
            batch=batch,
            discard=True,
        )
        return seconds(report["blocks"], report["fetch_seconds"])

    def by_us(server: str) -> float:
        where = ("--peer", addresses[server], "--security", args.security)
        report = ours.run("blocks", "get", "--cids", cids, "--discard", *where, timeout=args.timeout)
        return seconds(report["blocks"], report["seconds"])

    def seconds(blocks: int, elapsed: float) -> float:
        if blocks != args.count:
            raise RuntimeError(f"{blocks} of {args.count} blocks came")
        return elapsed

    pairs = {
        REFERENCE: lambda: by_boxo("boxo", args.batch),
        "ours <- ours": lambda: by_us("ours"),
        "ours <- boxo": lambda: by_us("boxo"),
        "boxo <- ours": lambda: by_boxo("ours", args.batch),
    }
    if args.count > args.batch:
        # Of a boxo server this would stall: it drops what is above 1,024 wants.
        pairs["boxo <- ours, one call"] = lambda: by_boxo("ours", 0)
    return pairs


def table(args: argparse.Namespace, measured: Mapping[str, Sequence[float]]) -> str:
    total = args.count * args.size
    medians = {pair: statistics.median(times) for pair, times in measured.items()}
    lines = [
        f"{args.count:,} x {args.size:,} bytes over {args.security}, "
        f"medians of {args.rounds} alternating rounds; {bitswap.IMPLEMENTATION} core",
        "",
        "| client <- server | MB/s | blocks/s | slowest to fastest, MB/s | to boxo with boxo |",
        "|---|---|---|---|---|",
    ]
    for pair, median in medians.items():
        times = measured[pair]
        spread = f"{total / max(times) / 1e6:,.0f}-{total / min(times) / 1e6:,.0f}"
        ratio = medians[REFERENCE] / median
        speed = f"{total / median / 1e6:,.0f} | {args.count / median:,.0f}"
        lines.append(f"| {pair} | {speed} | {spread} | {ratio:.2f}x |")
    return "\n".join(lines)


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        pairs = transfers(args, Path(folder), stack)
        for fetch in pairs.values():
            fetch()  # the first run warms caches and is not counted
        measured: dict[str, list[float]] = {pair: [] for pair in pairs}
        for _ in range(args.rounds):
            for pair, fetch in pairs.items():
                measured[pair].append(fetch())
    print(table(args, measured))


if __name__ == "__main__":
    main()
