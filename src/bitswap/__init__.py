"""Bitswap, the block exchange of IPFS.

    with Bitswap(Libp2pNetwork(), MemoryBlockstore()) as node:
        node.connect("/ip4/…/tcp/4001/p2p/12D3Koo…")
        block = node.get_block("bafkrei…", timeout=30)

Networks are in `bitswap.network`, stores in `bitswap.blockstore`, files and directories in `bitswap.dag`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bitswap import errors
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.errors import (
    BitswapError,
    Closed,
    HashMismatch,
    InvalidCid,
    NotFound,
    RemoteError,
    Timeout,
    UsageError,
    WireError,
)
from bitswap.options import (
    ClientOptions,
    DagOptions,
    NetworkOptions,
    Options,
    ServerOptions,
    StoreOptions,
)

if TYPE_CHECKING:
    from bitswap._core import IMPLEMENTATION
    from bitswap.bitswap import Bitswap
    from bitswap.client import Client
    from bitswap.server import Server

# Loaded when first used, so that `import bitswap` for a CID or a block costs little.
_LAZY = {
    "IMPLEMENTATION": "bitswap._core",
    "Bitswap": "bitswap.bitswap",
    "Client": "bitswap.client",
    "Server": "bitswap.server",
}

__all__ = [
    "CID",
    "IMPLEMENTATION",
    "Bitswap",
    "BitswapError",
    "Block",
    "Client",
    "ClientOptions",
    "Closed",
    "DagOptions",
    "HashMismatch",
    "InvalidCid",
    "NetworkOptions",
    "NotFound",
    "Options",
    "RemoteError",
    "Server",
    "ServerOptions",
    "StoreOptions",
    "Timeout",
    "UsageError",
    "WireError",
    "errors",
]


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
