"""A node in two processes, and clients of it in this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bitswap import CID, Bitswap, Block
from bitswap.blockstore import LMDBBlockstore, MemoryBlockstore
from bitswap.network.libp2p import Libp2pNetwork

MakeClient = Callable[[str], Bitswap]


@pytest.fixture
def filled(tmp_path: Path) -> tuple[str, list[CID]]:
    """URL of a store with 192 blocks of 256 KiB, and their CIDs."""
    path = tmp_path / "store"
    blocks = [Block.of(index.to_bytes(4, "big") * 65536) for index in range(192)]
    with LMDBBlockstore(path) as store:
        store.put_many(blocks)
    return f"lmdb:{path}", [block.cid for block in blocks]


@pytest.fixture
def client() -> Iterator[MakeClient]:
    """Nodes that are connected to an address."""
    with ExitStack() as nodes:

        def make(address: str) -> Bitswap:
            node = nodes.enter_context(Bitswap(Libp2pNetwork(), MemoryBlockstore()))
            node.connect(address)
            return node

        yield make
