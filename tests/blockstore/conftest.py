"""Every kind of store, made fresh for a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bitswap.blockstore import (
    Blockstore,
    FlatfsBlockstore,
    LMDBBlockstore,
    MemoryBlockstore,
    VerifyingBlockstore,
)
from bitswap.options import MIB, StoreOptions

KINDS: dict[str, Callable[[Path], Blockstore]] = {
    "memory": lambda path: MemoryBlockstore(),
    "lmdb": lambda path: LMDBBlockstore(path / "blocks"),
    # Grows and splits batches at every turn.
    "lmdb-small": lambda path: LMDBBlockstore(
        path / "blocks", StoreOptions(map_bytes=MIB, transaction_bytes=20_000)
    ),
    "flatfs": lambda path: FlatfsBlockstore(path / "blocks", StoreOptions(durability="none")),
    "verify": lambda path: VerifyingBlockstore(MemoryBlockstore()),
    "verify-lmdb": lambda path: VerifyingBlockstore(LMDBBlockstore(path / "blocks")),
}


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blockstore]:
    made = KINDS[request.param](tmp_path)
    yield made
    made.close()
