"""Stores by name, as users write them: `memory:`, `lmdb:PATH`, `flatfs:PATH`."""

from __future__ import annotations

from pathlib import Path

from bitswap.blockstore.flatfs import FlatfsBlockstore
from bitswap.blockstore.interface import Blockstore
from bitswap.blockstore.memory import MemoryBlockstore
from bitswap.blockstore.paths import default_path
from bitswap.errors import UsageError
from bitswap.options import StoreOptions

FORMS = "memory:, lmdb:PATH, lmdb: (the default place) or flatfs:PATH"


def open_store(url: str | None = None, options: StoreOptions | None = None) -> Blockstore:
    """The store that `url` names: "memory:", "lmdb:PATH", "flatfs:PATH" (a blocks folder of kubo), and
    "lmdb:" or None for the user's data directory.

    `~` in a path is the home directory. Raises UsageError for anything else, or where no store can be.
    """
    scheme, colon, rest = ("lmdb:" if url is None else url).partition(":")
    if not colon:
        raise UsageError(f"{url!r} does not say which kind of store it is; write lmdb:{url}")
    if scheme == "memory":
        if rest:
            raise UsageError(f"a store in memory has no path, as {url!r} has")
        return MemoryBlockstore()
    if scheme == "lmdb":
        from bitswap.blockstore.lmdb import LMDBBlockstore  # loads a library of its own

        return LMDBBlockstore(_expanded(rest) if rest else default_path(), options)
    if scheme == "flatfs":
        if not rest:
            raise UsageError("flatfs: needs a path, as in flatfs:~/.ipfs/blocks")
        return FlatfsBlockstore(_expanded(rest), options)
    raise UsageError(f"there are no stores {scheme + ':'!r}; there are {FORMS}")


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{path!r}: {error}") from None
