"""`bitswap serve`: answer other nodes until SIGINT or SIGTERM, from one process or several."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from bitswap.cli.add import add_paths
from bitswap.cli.answers import stat_record
from bitswap.cli.node import opened_node, opened_store
from bitswap.cli.scrape import make_scrape
from bitswap.cli.serve_workers import run_workers
from bitswap.cli.serving import administered, tell, tell_end
from bitswap.errors import UsageError

if TYPE_CHECKING:
    from bitswap.options import ServerOptions

LISTEN = "/ip4/127.0.0.1/tcp/0"
"""Nothing is offered to the world unless --listen says so."""
WAKE_SECONDS = 1.0
"""Windows does not interrupt an endless wait for a signal."""


def run(args: argparse.Namespace) -> int:
    """Add the paths, listen, print where, and serve.

    The first line of standard output is {"peer_id", "addrs", "roots"}, with --admin also {"admin"}, where it
    answers, with several --workers also {"workers"}, their process ids. Statistics come at the end: as JSON
    with --json, in words on standard error without.
    """
    if args.workers > 1:
        if args.max_rate or args.max_peer_rate or args.deny:
            raise UsageError("--max-rate, --max-peer-rate and --deny need --workers 1")
        return run_workers(args, args.listen or [LISTEN])
    with _stop_signals() as stop, opened_store(args) as store:
        roots = {path: str(added.cid) for path, added in add_paths(args, store)}
        scrape = make_scrape() if args.admin is not None else None
        metrics = None if scrape is None else scrape.metrics
        listen = args.listen or [LISTEN]
        with (
            opened_node(args, store, listen, serving=_limits(args), metrics=metrics) as node,
            administered(node, args.admin, scrape) as admin,
        ):
            network = node.network
            tell(args, {"peer_id": network.self_id, "addrs": list(network.addrs), "roots": roots}, admin)
            while not stop.wait(WAKE_SECONDS):
                pass
    # What leaves while the node closes counts as well.
    tell_end(args, stat_record(node.stat()))
    return 0


def _limits(args: argparse.Namespace) -> ServerOptions:
    from bitswap.denylist import Denylist
    from bitswap.options import ServerOptions

    return ServerOptions(
        max_total_rate=args.max_rate,
        max_peer_rate=args.max_peer_rate,
        peer_block_request_filter=None if args.deny is None else Denylist.load(args.deny),
    )


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the earlier handlers come back at the end."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    earlier = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
