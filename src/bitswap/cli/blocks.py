"""`bitswap blocks make` and `bitswap blocks get`: many raw blocks in one call, for tests and measurements."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.cli.console import Progress, emit, rate_text, say, size_text
from bitswap.cli.node import connect_peers, opened_node, opened_store
from bitswap.dag import BlockSource, StoreGetter
from bitswap.errors import BitswapError, UsageError
from bitswap.options import MIB

PUT_BYTES = 16 * MIB
"""Bytes of blocks a store transaction while making blocks."""


def make_block(seed: str, index: int, size: int) -> Block:
    """Test block `index` of `seed`: concat(sha256("SEED:index:j"), j = 0…)[:size], as CIDv1 raw sha2-256."""
    digests = (
        hashlib.sha256(f"{seed}:{index}:{part}".encode()).digest() for part in range((size + 31) // 32)
    )
    return Block.of(b"".join(digests)[:size])


def make(args: argparse.Namespace) -> int:
    """Make, store and list test blocks."""
    started = time.monotonic()
    batch = max(1, PUT_BYTES // args.size)
    with (
        opened_store(args) as store,
        open(args.cids, "w", encoding="ascii") as listing,
        Progress("making", args.count * args.size, quiet=args.quiet) as progress,
    ):
        blocks = (make_block(args.seed, index, args.size) for index in range(args.count))
        done = 0
        while group := list(islice(blocks, batch)):
            store.put_many(group)
            listing.writelines(f"{block.cid}\n" for block in group)
            done += len(group)
            progress.update(done * args.size)
    seconds = time.monotonic() - started
    if args.json:
        emit(
            {
                "blocks": args.count,
                "bytes": args.count * args.size,
                "seconds": round(seconds, 6),
                "cids": args.cids,
            }
        )
    else:
        say(f"made {args.count} blocks of {size_text(args.size)}; their CIDs are in {args.cids}")
    return 0


def read_cids(source: str) -> list[CID]:
    """The CIDs of a file, one a line, empty lines passed over; raises UsageError naming a bad one's line."""
    if source == "-":
        lines = sys.stdin.read().split("\n")
    else:
        try:
            lines = Path(source).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the list of CIDs: {error}") from None
    cids = []
    for number, line in enumerate(lines, 1):
        if text := line.strip():
            try:
                cids.append(CID(text))
            except UsageError as error:
                raise UsageError(f"{source}, line {number}: {error}") from None
    return cids


def get(args: argparse.Namespace) -> int:
    """Fetch all blocks of a list in one call."""
    cids = read_cids(args.cids)
    stored = argparse.Namespace(store="memory:") if args.discard else args
    with opened_store(stored) as store:
        if not args.peer:
            result = _drain(args, StoreGetter(store), cids)
            duplicates = 0
        else:
            with opened_node(args, store) as node:
                peers = connect_peers(node, args.peer, args.timeout)
                source = node.client if args.discard else node
                with source.new_session(peers=peers, broadcast=False) as session:
                    with session.getter(args.timeout) as getter:
                        result = _drain(args, getter, cids)
                    duplicates = session.duplicates
    received, size, seconds, failure = result
    record: dict[str, Any] = {
        "bytes": size,
        "blocks": received,
        "seconds": round(seconds, 6),
        "duplicates": duplicates,
        "blocks_per_second": round(received / max(seconds, 1e-9), 1),
    }
    if failure is not None:
        record["error"] = str(failure)
    if args.json:
        emit(record)
    else:
        say(
            f"{received} blocks, {size_text(size)} in {seconds:.2f} s ({rate_text(size, seconds)}), "
            f"{duplicates} duplicates"
        )
    if failure is not None:
        raise failure
    return 0


class Drained(NamedTuple):
    """What came, and the error that ended it early."""

    blocks: int
    bytes: int
    seconds: float
    failure: BitswapError | None


def _drain(args: argparse.Namespace, source: BlockSource, cids: list[CID]) -> Drained:
    """Want everything at once and take what comes; the dial before it is not counted."""
    count = size = 0
    failure: BitswapError | None = None
    started = time.monotonic()
    with Progress(f"fetching {len(cids)} blocks", quiet=args.quiet) as progress:
        try:
            source.want(cids)
            while blocks := source.take():
                count += len(blocks)
                size += sum(len(block.data) for block in blocks)
                progress.update(size)
        except BitswapError as error:
            failure = error
    return Drained(count, size, time.monotonic() - started, failure)
