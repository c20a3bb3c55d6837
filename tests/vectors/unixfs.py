"""The recorded imports of kubo and boxo: same CID, same root block, same sizes, and the content read back."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bitswap.blockstore import MemoryBlockstore
from bitswap.dag.directory import Entry
from bitswap.dag.importer import Importer
from bitswap.dag.offline import StoreGetter
from bitswap.dag.profile import ImportOptions
from bitswap.dag.reader import read_file
from bitswap.dag.writer import Ref
from bitswap.multihash import SHA2_256

Record = Mapping[str, Any]

KINDS = ("file", "dir", "hamt", "dir-auto")
_BLOCK, _DIGEST = 262_144, 32
_HASHES = {"sha2-256": SHA2_256}


def load() -> list[dict[str, Any]]:
    """The records beside this module."""
    lines = Path(__file__).with_name("unixfs.open.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def check(record: Record, implementation: str) -> list[str]:
    """The differences between a record and what the importer makes of it; `implementation` plays no part in
    graphs.
    """
    if record["kind"] not in KINDS or record["params"]["layout"] != "balanced":
        return [f"unknown kind {record['kind']!r} or layout {record['params']['layout']!r}"]
    store = MemoryBlockstore()
    differences: list[str] = []

    def expect(what: str, want: object, got: object) -> None:
        if want != got:
            differences.append(f"{what}: {got} instead of {want}")

    importer = Importer(store, options_of(record))
    if record["kind"] == "file":
        ref = importer.file(content(record["seed"], record["size"]))
    else:
        ref = directory(importer, entries_of(record), expect, record.get("entry_cids", {}))
    added = importer.finish(ref)
    expect("cid", record["cid"], str(added.cid))
    expect("tsize", record["tsize"], added.size)
    expect("blocks", record["blocks"], len(store))
    root = store.get(added.cid)
    expect("root size", record["root_size"], len(root.data))
    if "root_hex" in record:
        expect("root block", record["root_hex"], root.data.hex())
    if record["kind"] == "file":
        expect("content bytes", record["size"], added.file_bytes)
        digest = hashlib.sha256()
        for part in read_file(StoreGetter(store), added.cid):
            digest.update(part)
        expect("content read back", record["sha256"], digest.hexdigest())
    return differences


def options_of(record: Record) -> ImportOptions:
    """The settings of a record. kubo 0.22 shards a directory that is exactly as big as the threshold, boxo
    0.43 does not.
    """
    params = record["params"]
    return ImportOptions(
        chunk_size=params["chunk_size"],
        cid_version=params["cid_version"],
        raw_leaves=params["raw_leaves"],
        max_links=params["max_links"],
        hash_code=_HASHES[params["hash"]],
        fanout=params.get("fanout", 256),
        sharding="always" if record["kind"] == "hamt" else "auto",
        shard_at_threshold=record["source"].startswith("kubo"),
    )


def entries_of(record: Record) -> Mapping[str, Any]:
    """The `tree` of a record, or what its `recipe` says."""
    if "tree" in record:
        tree: Mapping[str, Any] = record["tree"]
        return tree
    params = record["params"]
    entries: dict[str, Any] = {
        f"entry-{i:05d}": {"type": "file", "seed": str(1000 + i % 7), "size": i % 50}
        for i in range(params.get("entries", 0))
    }
    if params.get("extra"):
        entries["x" * params["extra"]] = {"type": "file", "seed": "", "size": 0}
    return entries


def directory(
    importer: Importer,
    tree: Mapping[str, Any],
    expect: Callable[[str, object, object], None],
    cids: Mapping[str, str],
) -> Ref:
    """Put a described tree; compares the CIDs of its entries where they are recorded."""
    entries = []
    for name, entry in tree.items():
        if entry["type"] == "dir":
            ref = directory(importer, entry["entries"], expect, {})
        elif entry["type"] == "symlink":
            ref = importer.symlink(entry["target"].encode())
        else:
            ref = importer.file(content(entry["seed"], entry["size"]))
        if name in cids:
            expect(f"cid of {name}", cids[name], str(ref.cid))
        entries.append(Entry(name.encode(), ref))
    return importer.directory(entries)


def content(seed: str, size: int) -> Content:
    """The bytes of (seed, size) as a binary stream."""
    return Content(seed, size)


class Content(io.RawIOBase):
    """block k = concat(sha256("SEED:k:j"), j = 0..8191); blocks concatenated and cut to size."""

    def __init__(self, seed: str, size: int) -> None:
        self._blocks = _blocks(seed, size)
        self._block = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        if not self._block:
            self._block = memoryview(next(self._blocks, b""))
        taken = self._block[: len(view)]
        self._block = self._block[len(taken) :]
        view[: len(taken)] = taken
        return len(taken)


def _blocks(seed: str, size: int) -> Iterator[bytes]:
    for k in range(-(-size // _BLOCK)):
        wanted = min(_BLOCK, size - k * _BLOCK)
        names = (b"%b:%d:%d" % (seed.encode(), k, j) for j in range(-(-wanted // _DIGEST)))
        yield b"".join(hashlib.sha256(name).digest() for name in names)[:wanted]
