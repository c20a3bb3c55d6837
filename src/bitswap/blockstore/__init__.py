"""Places where blocks are kept: in memory, in LMDB, in files as kubo has them, verified on the way."""

from bitswap.blockstore.errors import StoreError, StoreFull
from bitswap.blockstore.flatfs import FlatfsBlockstore
from bitswap.blockstore.interface import Blockstore
from bitswap.blockstore.lmdb import LMDBBlockstore
from bitswap.blockstore.memory import MemoryBlockstore
from bitswap.blockstore.paths import data_directory, default_path
from bitswap.blockstore.urls import open_store
from bitswap.blockstore.verify import VerifyingBlockstore

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
