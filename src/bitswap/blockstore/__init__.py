"""Places where blocks are kept: in memory, in LMDB, in files as kubo has them, verified on the way."""

from typing import TYPE_CHECKING, Any

from bitswap.blockstore.errors import StoreError, StoreFull
from bitswap.blockstore.flatfs import FlatfsBlockstore
from bitswap.blockstore.interface import Blockstore
from bitswap.blockstore.memory import MemoryBlockstore
from bitswap.blockstore.paths import data_directory, default_path
from bitswap.blockstore.urls import open_store
from bitswap.blockstore.verify import VerifyingBlockstore

if TYPE_CHECKING:
    from bitswap.blockstore.lmdb import LMDBBlockstore

__all__ = [
    "Blockstore",
    "FlatfsBlockstore",
    "LMDBBlockstore",
    "MemoryBlockstore",
    "StoreError",
    "StoreFull",
    "VerifyingBlockstore",
    "data_directory",
    "default_path",
    "open_store",
]


def __getattr__(name: str) -> Any:
    """LMDB is loaded by whoever uses it."""
    if name == "LMDBBlockstore":
        from bitswap.blockstore.lmdb import LMDBBlockstore

        return LMDBBlockstore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
