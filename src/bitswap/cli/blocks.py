"""`bitswap blocks make` and `bitswap blocks get`: many raw blocks in one call, for tests and measurements."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.cli.console import Progress, emit, rate_text, say, size_text
from bitswap.cli.node import connect_peers, opened_node, opened_store
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
    with opened_store(stored) as store, opened_node(args, store) as node:
        peers = connect_peers(node, args.peer, args.timeout)
        # Measured from here: what is wanted is the speed of the exchange, told apart from the dial.
        started = time.monotonic()
        source = node.client if args.discard else node
        with source.new_session(peers=peers, broadcast=False) as session:
            received, size, failure = _drain(args, session.get_blocks(cids, timeout=args.timeout), len(cids))
            seconds = time.monotonic() - started
            duplicates = session.duplicates
    record = {
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


def _drain(
    args: argparse.Namespace, blocks: Iterable[Block], wanted: int
) -> tuple[int, int, BitswapError | None]:
    """Take every block; returns (count, bytes, what ended it early)."""
    count = size = 0
    with Progress(f"fetching {wanted} blocks", quiet=args.quiet) as progress:
        iterator: Iterator[Block] = iter(blocks)
        try:
            for block in iterator:
                count += 1
                size += len(block.data)
                progress.update(size)
        except BitswapError as error:
            return count, size, error
    return count, size, None
