"""`bitswap demo`: two nodes, each a process with a store of its own, exchange a file over loopback TCP."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bitswap
from bitswap.cli.console import emit, rate_text, say, size_text
from bitswap.errors import RemoteError, UsageError
from bitswap.options import MIB
from bitswap.serving import serving


def run(args: argparse.Namespace) -> int:
    """Serve FILE from one process, fetch it with another, compare; returns 1 when the content differs."""
    with tempfile.TemporaryDirectory(prefix="bitswap-demo-") as name:
        room = Path(name)
        source = _source(args, room)
        say(
            f"one node serves {source.name}, another fetches it: "
            f"{args.security}, loopback TCP, {bitswap.IMPLEMENTATION} core"
        )
        with serving(*_arguments(args, source, room)) as first:
            result = _fetch(args, first, source, room)
            identical = fingerprint(source) == fingerprint(room / "fetched")
        record = {
            "cid": first["roots"][str(source)],
            "bytes": result["bytes"],
            "blocks": result["blocks"],
            "seconds": result["seconds"],
            "mb_per_second": round(result["bytes"] / max(result["seconds"], 1e-9) / 1e6, 1),
            "duplicates": result["duplicates"],
            "identical": identical,
            "security": args.security,
            "implementation": bitswap.IMPLEMENTATION,
        }
    _tell(args, record)
    return 0 if identical else 1


def _tell(args: argparse.Namespace, record: dict[str, Any]) -> None:
    if args.json:
        emit(record)
        return
    print(f"root        {record['cid']}")
    print(f"bytes       {record['bytes']} ({size_text(record['bytes'])})")
    print(f"blocks      {record['blocks']}")
    print(f"seconds     {record['seconds']:.3f}")
    print(f"rate        {rate_text(record['bytes'], record['seconds'])}")
    print(f"duplicates  {record['duplicates']}")
    print(f"content     {'identical' if record['identical'] else 'DIFFERENT'}")


def _source(args: argparse.Namespace, room: Path) -> Path:
    if args.file is not None:
        path = Path(args.file)
        if not path.exists():
            raise UsageError(f"{path}: no such file or directory")
        return path.resolve()
    path = room / "generated"
    say(f"making a file of {size_text(args.size)}")
    # Seeded, so that every demo moves the same content under the same CID.
    generator = random.Random("bitswap demo")
    with path.open("wb") as file:
        for start in range(0, args.size, MIB):
            file.write(generator.randbytes(min(MIB, args.size - start)))
    return path


def _arguments(args: argparse.Namespace, source: Path, room: Path) -> list[str]:
    """Of the process that serves."""
    return [
        *(str(source), "--store", f"lmdb:{room / 'serving'}", "--security", args.security),
        *("--listen", "/ip4/127.0.0.1/tcp/0", "--cid-version", str(args.cid_version)),
        *(("--chunk-size", str(args.chunk_size)) if args.chunk_size else ()),
        # Everything below FILE takes part in the comparison, so everything is served.
        "--hidden",
    ]


def _fetch(args: argparse.Namespace, first: dict[str, Any], source: Path, room: Path) -> dict[str, Any]:
    command = [
        *(sys.executable, "-m", "bitswap", "get", first["roots"][str(source)], "-o", str(room / "fetched")),
        *("--peer", first["addrs"][0], "--store", f"lmdb:{room / 'fetching'}", "--security", args.security),
        "--json",
    ]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode != 0:
        raise RemoteError(f"the fetching node ended with exit code {process.returncode}")
    result: dict[str, Any] = json.loads(process.stdout)
    return result


def fingerprint(path: Path) -> str:
    """A hash over the names, kinds and content of a file or of all that is below a directory."""
    total = hashlib.sha256()
    for entry in _entries(path):
        kind = b"l" if entry.is_symlink() else b"d" if entry.is_dir() else b"f"
        relative = b"" if entry == path else os.fsencode(entry.relative_to(path).as_posix())
        total.update(b"%d:%b%b" % (len(relative), relative, kind))
        if kind == b"l":
            total.update(hashlib.sha256(os.fsencode(os.readlink(entry))).digest())
        elif kind == b"f":
            with entry.open("rb") as file:
                content = hashlib.sha256()
                while part := file.read(MIB):
                    content.update(part)
            total.update(content.digest())
    return total.hexdigest()


def _entries(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        for child in sorted(path.iterdir()):
            yield from _entries(child)
