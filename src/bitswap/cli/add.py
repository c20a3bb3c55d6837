"""`bitswap add`: files and directories into the store, under the CIDs that kubo gives."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bitswap.cli.console import Progress, emit, say, size_text
from bitswap.cli.node import opened_store
from bitswap.errors import UsageError

if TYPE_CHECKING:
    from bitswap.blockstore import Blockstore
    from bitswap.dag import Added


def run(args: argparse.Namespace) -> int:
    """Add every path; one root CID a line on standard output."""
    with opened_store(args) as store:
        for path, added in add_paths(args, store):
            if args.json:
                emit(
                    {
                        "path": path,
                        "cid": str(added.cid),
                        "bytes": added.file_bytes,
                        "size": added.size,
                        "blocks": added.blocks,
                    }
                )
            else:
                print(added.cid, flush=True)
                say(f"added {path}: {size_text(added.file_bytes)} in {added.blocks} blocks")
    return 0


def add_paths(args: argparse.Namespace, store: Blockstore) -> Iterator[tuple[str, Added]]:
    """Add args.paths one after the other; raises UsageError for a path that is not there."""
    from bitswap.dag import ImportOptions, add_path

    options = ImportOptions(
        chunk_size=args.chunk_size or ImportOptions.chunk_size,
        cid_version=args.cid_version,
        hidden=args.hidden,
    )
    for path in args.paths:
        if not os.path.lexists(path):
            raise UsageError(f"{path}: no such file or directory")
    for path in args.paths:
        with Progress(f"adding {Path(path).name or path}", quiet=args.quiet) as progress:
            added = add_path(path, store, options, progress=progress.update)
        yield path, added
