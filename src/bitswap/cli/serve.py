"""`bitswap serve`: answer other nodes until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from bitswap.cli.add import add_paths
from bitswap.cli.admin import answering, stat_record
from bitswap.cli.console import emit, say, size_text
from bitswap.cli.node import opened_node, opened_store
from bitswap.cli.scrape import Scrape, make_scrape

if TYPE_CHECKING:
    from bitswap import Bitswap

LISTEN = "/ip4/127.0.0.1/tcp/0"
"""Nothing is offered to the world unless --listen says so."""
WAKE_SECONDS = 1.0
"""Windows does not interrupt an endless wait for a signal."""


def run(args: argparse.Namespace) -> int:
    """Add the paths, listen, print where, and serve.

    The first line of standard output is {"peer_id", "addrs", "roots"}, with --admin also {"admin"}, where it
    answers. Statistics come at the end: as JSON with --json, in words on standard error without.
    """
    with _stop_signals() as stop, opened_store(args) as store:
        roots = {path: str(added.cid) for path, added in add_paths(args, store)}
        scrape = make_scrape() if args.admin is not None else None
        metrics = None if scrape is None else scrape.metrics
        with opened_node(args, store, args.listen or [LISTEN], serve=True, metrics=metrics) as node:
            with _administered(node, args.admin, scrape) as admin:
                _tell(args, node, roots, admin)
                while not stop.wait(WAKE_SECONDS):
                    pass
            stat = node.stat()
    if args.json:
        emit({"stat": stat_record(stat)})
    else:
        say(f"served {stat.blocks_sent} blocks, {size_text(stat.data_sent)}")
    return 0


def _tell(args: argparse.Namespace, node: Bitswap, roots: dict[str, str], admin: str | None) -> None:
    network = node.network
    record = {"peer_id": network.self_id, "addrs": list(network.addrs), "roots": roots}
    emit(record if admin is None else {**record, "admin": admin})
    if args.json:
        return
    for address in network.addrs:
        say(f"listening on {address}")
    for path, cid in roots.items():
        say(f"serving {path} as {cid}")
    if admin is not None:
        say(f"answering questions at {admin}")


@contextmanager
def _administered(
    node: Bitswap, endpoint: tuple[str, int] | None, scrape: Scrape | None
) -> Iterator[str | None]:
    if endpoint is None:
        yield None
    else:
        with answering(node, endpoint, scrape) as admin:
            yield admin


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
