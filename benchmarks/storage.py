"""The embedded store, and the import of a file; one implementation each."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from benchmarks import inputs
from benchmarks.operation import Operation
from bitswap.blockstore import LMDBBlockstore, MemoryBlockstore
from bitswap.cid import CID
from bitswap.dag.importer import add_path

MIB = 1024 * inputs.KIB
SHAPES = ((10_000, inputs.KIB, "10,000 blocks of 1 KiB"), (256, 256 * inputs.KIB, "256 blocks of 256 KiB"))
FILE = 64 * MIB


class Place(NamedTuple):
    folder: Path
    store: LMDBBlockstore


def operations() -> Iterator[Operation]:
    """All in one call; the store's file is in the folder for temporary files."""
    for count, size, shape in SHAPES:
        yield from _at_shape(count, size, shape)
    yield Operation("UnixFS: import 64 MiB", "MiB", _import, _write_file, _remove_file)


def _at_shape(count: int, size: int, shape: str) -> Iterator[Operation]:
    def put(place: Place) -> int:
        place.store.put_many(inputs.blocks(count, size))
        return count

    def filled() -> Place:
        place = _new_place()
        put(place)
        return place

    def get(place: Place) -> int:
        return sum(block is not None for block in place.store.get_many(_cids(count, size)))

    def sizes(place: Place) -> int:
        return sum(found is not None for found in place.store.sizes(_cids(count, size)))

    yield Operation(f"LMDB: put {shape}", "block", put, _new_place, _remove_place)
    yield Operation(f"LMDB: get {shape}", "block", get, filled, _remove_place, repeats=True)
    yield Operation(f"LMDB: sizes of {shape}", "block", sizes, filled, _remove_place, repeats=True)


@cache
def _cids(count: int, size: int) -> tuple[CID, ...]:
    return tuple(block.cid for block in inputs.blocks(count, size))


def _new_place() -> Place:
    folder = Path(tempfile.mkdtemp(prefix="bitswap-bench-"))
    return Place(folder, LMDBBlockstore(folder / "blocks"))


def _remove_place(place: Place) -> None:
    place.store.close()
    shutil.rmtree(place.folder)


def _write_file() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="bitswap-bench-"))
    (folder / "file").write_bytes(_content())
    return folder


@cache
def _content() -> bytes:
    return hashlib.shake_128(b"a file").digest(FILE)


def _import(folder: Path) -> int:
    return add_path(folder / "file", MemoryBlockstore()).file_bytes // MIB


def _remove_file(folder: Path) -> None:
    shutil.rmtree(folder)
