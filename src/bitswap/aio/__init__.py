"""Bitswap for asyncio: `Bitswap` and its sessions, over the same threads as `bitswap.Bitswap`.

    async with aio.Bitswap(network, store) as node:
        await node.connect("/ip4/…/tcp/4001/p2p/12D3Koo…")
        block = await node.get_block("bafkrei…", timeout=30)
        async for block in node.get_blocks(cids):
            ...

What may wait for a peer, the store or a thread is awaited; questions that memory answers, and `new_session`,
are plain calls. Networks, stores, options and errors are those of the threaded interface.
"""

from __future__ import annotations

from bitswap.aio.fetcher import AnyCids
from bitswap.aio.node import Bitswap, Session

__all__ = ["AnyCids", "Bitswap", "Session"]
