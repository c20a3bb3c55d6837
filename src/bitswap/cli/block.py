"""`bitswap block get|put|stat`: one raw block."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bitswap import multihash
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.cli.console import emit, say, size_text
from bitswap.cli.node import connect_peers, opened_node, opened_store
from bitswap.errors import NotFound, UsageError
from bitswap.options import MAX_BLOCK

CODECS = {"raw": 0x55, "dag-pb": 0x70, "dag-cbor": 0x71}
HASHES = {
    "sha2-256": multihash.SHA2_256,
    "sha2-512": multihash.SHA2_512,
    "sha3-256": multihash.SHA3_256,
    "sha3-512": multihash.SHA3_512,
    "blake2b-256": multihash.BLAKE2B_256,
    "blake3": multihash.BLAKE3,
}
"""What people store blocks under; blocks of any other function are fetched and verified all the same."""


def get(args: argparse.Namespace) -> int:
    """Write a block's bytes to a file or standard output."""
    with _fetched(args) as block:
        if args.output == "-":
            sys.stdout.buffer.write(block.data)
            sys.stdout.buffer.flush()
        else:
            _write(Path(args.output), block.data)
            if args.json:
                emit({"cid": str(block.cid), "size": len(block.data), "output": args.output})
    return 0


def stat(args: argparse.Namespace) -> int:
    """Print a block's CID and size."""
    with _fetched(args) as block:
        if args.json:
            emit({"cid": str(block.cid), "size": len(block.data)})
        else:
            print(f"{block.cid} {len(block.data)}")
    return 0


def put(args: argparse.Namespace) -> int:
    """Store each file as one block."""
    codec = _codec(args)
    with opened_store(args) as store:
        for name in args.files or ["-"]:
            data = _read(name)
            block = Block.of(data, version=args.cid_version, codec=codec, hash_code=HASHES[args.hash])
            store.put(block)
            if args.json:
                emit({"cid": str(block.cid), "size": len(data)})
            else:
                print(block.cid)
    return 0


@contextmanager
def _fetched(args: argparse.Namespace) -> Iterator[Block]:
    cid = CID(args.cid)
    with opened_store(args) as store:
        try:
            yield store.get(cid)
            return
        except NotFound:
            if not args.peer:
                raise NotFound(
                    f"{cid} is not in the store, and no --peer was given to ask", missing=[cid]
                ) from None
        with opened_node(args, store) as node:
            peers = connect_peers(node, args.peer, args.timeout)
            with node.new_session(peers=peers, broadcast=False) as session:
                yield session.get_block(cid, timeout=args.timeout)


def _codec(args: argparse.Namespace) -> int:
    if args.cid_version == 0 and (args.codec, args.hash) != ("dag-pb", "sha2-256"):
        raise UsageError("a CIDv0 is always dag-pb with sha2-256: add --codec dag-pb, or use --cid-version 1")
    return CODECS[args.codec]


def _read(name: str) -> bytes:
    data = sys.stdin.buffer.read(MAX_BLOCK + 1) if name == "-" else Path(name).read_bytes()
    if len(data) > MAX_BLOCK:
        raise UsageError(
            f"{'standard input' if name == '-' else name} is larger than a block may be "
            f"({size_text(MAX_BLOCK)}); "
            "`bitswap add` stores files of any size"
        )
    return data


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    say(f"wrote {size_text(len(data))} to {path}")
