"""`bitswap get`: a file or directory from the store and from peers onto the disk, whole or not at all."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitswap.cli.console import Progress, emit, rate_text, say, size_text
from bitswap.cli.explaining import Explaining
from bitswap.cli.node import connect_peers, opened_node, opened_store
from bitswap.dag import Exported, Resolved, StoreGetter, export, export_stream, parse_path, resolve
from bitswap.errors import NotFound

if TYPE_CHECKING:
    from bitswap.bitswap import Bitswap, BitswapSession
    from bitswap.blockstore import Blockstore
    from bitswap.dag import BlockSource
    from bitswap.storedgetter import StoredGetter

Told = Callable[[int, "int | None"], None]


def run(args: argparse.Namespace) -> int:
    """Fetch CID[/PATH]; without --peer, from the store alone.

    `blocks` in the result came over the network; what the store had already is not fetched again.
    """
    parse_path(args.path)  # a bad path is told before anything is opened
    with opened_store(args) as store, Progress("fetching", quiet=args.quiet) as progress:
        if not args.peer:
            return _from_store(args, store, progress)
        with opened_node(args, store) as node:
            try:
                peers = connect_peers(node, args.peer, args.timeout)
            except NotFound as unreachable:
                # What the store has in full needs nobody.
                try:
                    return _from_store(args, store, progress)
                except NotFound:
                    raise unreachable from None
            started = time.monotonic()
            with node.new_session(peers=peers, broadcast=False) as session:

                def told(done: int, total: int | None) -> None:
                    progress.total = total or 0
                    progress.update(done, peers=len(node.peers()), duplicates=session.duplicates)

                with closing(_source(args, node, session, progress)) as source:
                    written, target = _write(args, source, told)
                stats = session.stats
            seconds = time.monotonic() - started
    return _tell(args, written, target, seconds, blocks=stats.blocks, duplicates=stats.duplicates)


def _from_store(args: argparse.Namespace, store: Blockstore, progress: Progress) -> int:
    def told(done: int, total: int | None) -> None:
        progress.total = total or 0
        progress.update(done)

    started = time.monotonic()
    written, target = _write(args, StoreGetter(store), told)
    return _tell(args, written, target, time.monotonic() - started, blocks=0, duplicates=0)


def _source(
    args: argparse.Namespace, node: Bitswap, session: BitswapSession, progress: Progress
) -> StoredGetter | Explaining:
    if args.explain:
        return Explaining(node, session, args.timeout, progress, as_json=args.json)
    return session.getter(args.timeout)


def _write(args: argparse.Namespace, source: BlockSource, told: Told) -> tuple[Exported, str]:
    found = resolve(source, args.path)
    if args.output == "-":
        return export_stream(source, found.cid, sys.stdout.buffer, progress=told), "standard output"
    target = _target(args.output, found)
    return export(source, found.cid, target, progress=told), str(target)


def _target(output: str | None, found: Resolved) -> Path:
    """Where to write: OUT itself, or under its own name below OUT when that ends in a slash or is a dot."""
    name = found.name or str(found.cid)
    if output is None:
        return Path(name)
    path = Path(output)
    if path.is_dir() and (output.endswith(os.sep) or output in (".", "..")):
        return path / name
    return path


def _tell(
    args: argparse.Namespace, written: Exported, target: str, seconds: float, *, blocks: int, duplicates: int
) -> int:
    record: dict[str, Any] = {
        "bytes": written.bytes,
        "blocks": blocks,
        "seconds": round(seconds, 6),
        "duplicates": duplicates,
        "files": written.files,
        "output": target,
    }
    if args.json and args.output != "-":
        emit(record)
    else:
        say(
            f"wrote {size_text(written.bytes)} to {target} in {seconds:.2f} s "
            f"({rate_text(written.bytes, seconds)}), {blocks} blocks fetched, {duplicates} duplicates"
        )
    return 0
