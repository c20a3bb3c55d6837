"""A store of the kind and in the folder that are asked for: blocks in, and out again."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from bitswap.bench.content import make_blocks
from bitswap.bench.row import Pace, Row, timed
from bitswap.block import Block
from bitswap.blockstore import Blockstore, open_store
from bitswap.blockstore.paths import default_path
from bitswap.cid import CID
from bitswap.errors import UsageError
from bitswap.options import KIB


@contextmanager
def room(url: str | None) -> Iterator[tuple[str, Path]]:
    """The scheme of the store `url`, and a new folder on the same disk: beside it, or inside the nearest
    folder above that is there. It is removed afterwards, and the store itself is not touched.
    """
    scheme, colon, rest = ("lmdb:" if url is None else url).partition(":")
    if not colon:
        raise UsageError(f"{url!r} does not say which kind of store it is; write lmdb:{url}")
    if scheme == "memory":
        near = Path(tempfile.gettempdir())
    else:
        near = (Path(rest).expanduser() if rest else default_path()).absolute().parent
    while not near.is_dir():
        near = near.parent
    with tempfile.TemporaryDirectory(prefix=".bitswap-bench-", dir=near, ignore_cleanup_errors=True) as name:
        yield scheme, Path(name)


def rows(pace: Pace, scheme: str, folder: Path) -> Iterator[Row]:
    """Batches of large and of small blocks, in one call each."""
    numbers = count()
    # A store in memory hands out what it was given, so that bytes a second say nothing.
    large = ("blocks/s", 1.0) if scheme == "memory" else ("MB/s", 1e6 / (256 * KIB))
    small = 1000 if scheme == "flatfs" else 10_000  # each is a file, brought to the disk
    for size, full, name, unit, per in (
        (256 * KIB, 256, "256 KiB", *large),
        (KIB, small, "1 KiB", "blocks/s", 1.0),
    ):
        blocks = make_blocks(pace.count(full), size, "store")
        cids = [block.cid for block in blocks]

        def put(blocks: list[Block] = blocks) -> tuple[int, float]:
            with _store(scheme, folder / f"store{next(numbers)}") as store:
                started = time.perf_counter()
                store.put_many(blocks)
                store.flush()
                return len(blocks), time.perf_counter() - started

        yield pace.rate("store", f"{scheme}: put blocks of {name}, flushed", unit, put, per=per)
        with _store(scheme, folder / f"store{next(numbers)}") as store:
            store.put_many(blocks)

            def get(store: Blockstore = store, cids: list[CID] = cids) -> int:
                return sum(block is not None for block in store.get_many(cids))

            yield pace.rate("store", f"{scheme}: get blocks of {name}", unit, timed(get), per=per)


@contextmanager
def _store(scheme: str, path: Path) -> Iterator[Blockstore]:
    store = open_store(f"{scheme}:" if scheme == "memory" else f"{scheme}:{path}")
    try:
        yield store
    finally:
        store.close()
