"""Two nodes over loopback TCP and TLS, each a process: this one fetches, verifies and drops what the other
serves from a store.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from bitswap.bench.content import make_blocks
from bitswap.bench.row import Pace, Row, timed
from bitswap.bitswap import Bitswap
from bitswap.blockstore import LMDBBlockstore, MemoryBlockstore
from bitswap.cid import CID
from bitswap.clientsession import ClientSession
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import KIB, Options, ServerOptions
from bitswap.serving import serving

_TIMEOUT = 60.0
"""Seconds without a block after which the measurement fails."""


def rows(pace: Pace, folder: Path) -> Iterator[Row]:
    """Many large blocks in one call, many small ones in one call, small ones one after the other."""
    shapes = (
        ("large", pace.count(256), 256 * KIB),
        ("small", pace.count(5000), KIB),
        ("single", pace.count(200), 300),
    )
    path = folder / "served"
    wanted: dict[str, list[CID]] = {}
    store = LMDBBlockstore(path)
    for name, count, size in shapes:
        blocks = make_blocks(count, size, name)
        store.put_many(blocks)
        wanted[name] = [block.cid for block in blocks]
    store.close()
    with (
        serving(
            *("--quiet", "--store", f"lmdb:{path}"),
            *("--listen", "/ip4/127.0.0.1/tcp/0", "--security", "tls"),
        ) as served,
        Bitswap(
            Libp2pNetwork(security=("tls",)),
            MemoryBlockstore(),
            Options(server=ServerOptions(enabled=False)),
        ) as node,
    ):
        peer = node.connect(served["addrs"][0], timeout=_TIMEOUT)
        with node.client.new_session(peers=[peer], broadcast=False) as session:
            for shape, width, unit, per in (
                ("large", "256 KiB", "MB/s", 1e6),
                ("small", "1 KiB", "blocks/s", KIB),
            ):
                cids = wanted[shape]
                name = f"fetch {len(cids):,} x {width} in one call"
                yield pace.rate("network", name, unit, timed(partial(_drain, session, cids)), per=per)
            times = [_one(session, cid) for cid in wanted["single"]]
            name = f"fetch {len(times)} small blocks one by one, p50"
            yield Row("network", name, median(times) * 1e3, "ms", len(times), sum(times))


def _drain(session: ClientSession, cids: list[CID]) -> int:
    return sum(len(block.data) for block in session.get_blocks(cids, timeout=_TIMEOUT))


def _one(session: ClientSession, cid: CID) -> float:
    started = time.perf_counter()
    session.get_block(cid, timeout=_TIMEOUT)
    return time.perf_counter() - started
