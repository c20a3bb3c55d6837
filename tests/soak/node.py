"""The node that is watched: bounds small enough to be reached, waits short enough to end within an epoch."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from bitswap import Bitswap, Block, Options
from bitswap.blockstore import LMDBBlockstore, MemoryBlockstore
from bitswap.blockstore.interface import Blockstore
from bitswap.cid import CID
from bitswap.metrics import PrometheusMetrics
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import (
    KIB,
    MIB,
    ClientOptions,
    NetworkOptions,
    RoutingOptions,
    ServerOptions,
    StoreOptions,
)
from bitswap.routing import Provider, StaticRouting
from bitswap.testutils import make_blocks

LISTEN = "/ip4/127.0.0.1/tcp/0"
BASE = make_blocks(256, 4 * KIB, "base")
"""Blocks that stay."""
POOL = 4
"""Threads that ask routers, and threads that dial providers, at most."""
BACKOFFS = 8
"""Peers of which it is remembered that they could not be dialled."""
REMEMBERED = 64
"""Blocks that are remembered so that duplicates are told."""
KNOWN_PEERS = 16
"""Peers whose addresses are kept after they left."""


def options(patience: float) -> Options:
    """Options of the node; `patience` is how many seconds a stream may take, others a few times that."""
    return Options(
        network=NetworkOptions(
            handshake_timeout=2 * patience,
            stream_timeout=patience,
            keepalive_interval=0.5,
            keepalive_timeout=3 * patience,
            write_timeout_min=2 * patience,
            write_timeout_max=2 * patience,
            linger=0.5,
            max_known_peers=KNOWN_PEERS,
            raise_descriptor_limit=False,
        ),
        client=ClientOptions(
            max_remembered=REMEMBERED,
            resend_after=5.0,
            max_retry_delay=2.0,
            max_peer_records=64,
            cancel_delay=0.2,
        ),
        server=ServerOptions(max_known_blocks=8192, max_wantlist_entries=4096, task_workers=2),
        routing=RoutingOptions(
            search_delay=0.2,
            search_interval=2.0,
            search_retry=0.3,
            dial_backoff=1.0,
            max_backoffs=BACKOFFS,
            max_queries=POOL,
            max_dials=POOL,
            timeout=4.0,
            address_timeout=2.0,
        ),
        store=StoreOptions(durability="none", map_bytes=64 * MIB, max_bytes=512 * MIB),
    )


class LateRouter:
    """A static router whose table is written while it is asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[CID, list[Provider]] = {}
        self._table = StaticRouting()
        self._asked: set[CID] = set()
        self._was_asked = threading.Condition(self._lock)

    def learn(self, cids: Sequence[CID], provider: Provider) -> None:
        """`provider` has these from now on."""
        with self._lock:
            for cid in cids:
                self._known.setdefault(cid, []).append(provider)
            self._table = StaticRouting(blocks=self._known)

    def forget(self, cids: Sequence[CID]) -> None:
        """Nobody has these."""
        with self._lock:
            for cid in cids:
                self._known.pop(cid, None)
                self._asked.discard(cid)
            self._table = StaticRouting(blocks=self._known)

    def wait_asked(self, cids: Collection[CID], timeout: float) -> None:
        """Until one of these was asked for since the last `forget` of it; raises TimeoutError."""
        with self._was_asked:
            if not self._was_asked.wait_for(lambda: not self._asked.isdisjoint(cids), timeout):
                raise TimeoutError("nobody asked for them")

    def find_providers(self, cid: CID, limit: int) -> Iterator[Provider]:
        with self._was_asked:
            table = self._table
            self._asked.add(cid)
            self._was_asked.notify_all()
        return table.find_providers(cid, limit)

    def __len__(self) -> int:
        return len(self._known)

    def rest(self) -> None:
        """Nobody waits to be asked."""
        with self._lock:
            self._asked.clear()


def make_store(kind: str, folder: Path, chosen: Options) -> Blockstore:
    """ "lmdb" in `folder`, or "memory" with a budget."""
    store: Blockstore
    if kind == "memory":
        store = MemoryBlockstore(max_bytes=256 * MIB)
    else:
        store = LMDBBlockstore(folder / "blocks", chosen.store)
    store.put_many(BASE)
    return store


def make_registry() -> Any:
    """A registry for metrics, or None where prometheus-client is not installed."""
    try:
        from prometheus_client import CollectorRegistry
    except ImportError:
        return None
    return CollectorRegistry()


def make_node(store: Blockstore, router: LateRouter, registry: Any, chosen: Options) -> Bitswap:
    """The node, listening for TLS and Noise."""
    network = Libp2pNetwork([LISTEN], security=["tls", "noise"], options=chosen.network)
    metrics = None if registry is None else PrometheusMetrics(registry)
    return Bitswap(network, store, chosen, routing=router, metrics=metrics)


def fresh(seed: str, count: int, size: int) -> list[Block]:
    """Blocks that nobody had before."""
    return make_blocks(count, size, seed)
