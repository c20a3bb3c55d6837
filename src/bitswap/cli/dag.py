"""`bitswap dag export|import`: a whole graph as a CAR file, and back."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from bitswap.block import Block
from bitswap.blockstore import Blockstore
from bitswap.car import CarError, graph_blocks, read_car, store_blocks, write_car
from bitswap.car.reader import CarReader
from bitswap.car.writer import Written
from bitswap.cid import CID
from bitswap.cli.console import Progress, emit, rate_text, say, size_text
from bitswap.cli.node import connect_peers, opened_node, opened_store
from bitswap.dag import BlockSource, StoreGetter
from bitswap.errors import NotFound, UsageError


def export(args: argparse.Namespace) -> int:
    """Write the graph below CID; without --peer, from the store alone. The file is whole or not there."""
    cid = CID(args.cid)
    if args.output == "-" and sys.stdout.isatty():
        raise UsageError("a CAR file is not for a terminal: add -o FILE, or send it on with > or |")
    with opened_store(args) as store, Progress("exporting", quiet=args.quiet) as progress:
        if not args.peer:
            return _export(args, StoreGetter(store), cid, progress)
        with opened_node(args, store) as node:
            try:
                peers = connect_peers(node, args.peer, args.timeout)
            except NotFound as unreachable:
                # What the store has in full needs nobody; to a pipe, though, half of it must not go.
                if args.output == "-":
                    raise
                try:
                    return _export(args, StoreGetter(store), cid, progress)
                except NotFound:
                    raise unreachable from None
            with (
                node.new_session(peers=peers, broadcast=False) as session,
                closing(session.getter(args.timeout)) as source,
            ):
                return _export(
                    args,
                    source,
                    cid,
                    progress,
                    lambda: {"fetched": session.stats.blocks, "duplicates": session.stats.duplicates},
                )


def _export(
    args: argparse.Namespace,
    source: BlockSource,
    cid: CID,
    progress: Progress,
    counted: Any = lambda: {"fetched": 0, "duplicates": 0},
) -> int:
    started = time.monotonic()
    with _output(args.output) as file, closing(graph_blocks(source, cid)) as blocks:
        written = write_car(file, [cid], _told(blocks, progress))
    _tell_export(args, cid, written, time.monotonic() - started, counted())
    return 0


def _told(blocks: Iterator[Block], progress: Progress) -> Iterator[Block]:
    done = 0
    for block in blocks:
        yield block
        done += len(block.data)
        progress.update(done)


@contextmanager
def _output(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    if path.exists() and not path.is_file():
        # A device or a pipe is written to, never replaced; a directory is an error.
        with path.open("wb") as file:
            yield file
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _tell_export(
    args: argparse.Namespace, cid: CID, written: Written, seconds: float, counted: dict[str, int]
) -> None:
    if args.json and args.output != "-":
        emit(
            {
                "root": str(cid),
                "blocks": written.blocks,
                "bytes": written.bytes,
                "size": written.size,
                "seconds": round(seconds, 6),
                **counted,
                "output": args.output,
            }
        )
        return
    target = "standard output" if args.output == "-" else args.output
    say(
        f"wrote {written.blocks} blocks, {size_text(written.size)}, to {target} in {seconds:.2f} s "
        f"({rate_text(written.size, seconds)}), {counted['fetched']} blocks fetched, "
        f"{counted['duplicates']} duplicates"
    )


def load(args: argparse.Namespace) -> int:
    """Store the blocks of every file, up to the first byte that is wrong; then raises CarError."""
    with opened_store(args) as store:
        for name in args.files:
            with _input(name) as file, Progress(f"importing {name}", quiet=args.quiet) as progress:
                _load(args, name, file, store, progress)
    return 0


@contextmanager
def _input(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    if not os.path.lexists(name):
        raise UsageError(f"{name}: no such file")
    with Path(name).open("rb") as file:
        yield file


def _load(args: argparse.Namespace, name: str, file: BinaryIO, store: Blockstore, progress: Progress) -> None:
    started = time.monotonic()
    if name != "-":
        progress.total = os.fstat(file.fileno()).st_size
    car: CarReader | None = None
    failure: CarError | None = None
    try:
        car = read_car(file)
        store_blocks(car, store, progress=progress.update)
    except CarError as error:
        failure = error
    store.flush()
    seconds = time.monotonic() - started
    roots = car.roots if car is not None else ()
    missing = [root for root, there in zip(roots, store.has_many(roots), strict=True) if not there]
    record: dict[str, Any] = {
        "file": name,
        "version": car.version if car is not None else None,
        "roots": [str(root) for root in roots],
        "blocks": car.blocks if car is not None else 0,
        "bytes": car.bytes if car is not None else 0,
        "seconds": round(seconds, 6),
        "missing_roots": [str(root) for root in missing],
    }
    progress.clear()
    if failure is not None:
        record.update(error=str(failure), offset=failure.offset)
    if args.json:
        emit(record)
    elif failure is None:
        for root in roots:
            print(root, flush=True)
    if failure is not None:
        say(f"{name}: stored {record['blocks']} blocks, {size_text(record['bytes'])}, up to the broken one")
        # The message names the file as well as the byte.
        failure.args = (f"{name}: {failure}",)
        raise failure
    say(f"imported {name}: {record['blocks']} blocks, {size_text(record['bytes'])} in {seconds:.2f} s")
    for root in missing:
        say(f"the root {root} is neither in {name} nor in the store")
