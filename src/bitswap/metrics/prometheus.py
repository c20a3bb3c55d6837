"""Metrics under the names that operators of IPFS nodes chart, for a registry of prometheus-client."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from bitswap.errors import UsageError
from bitswap.metrics.gauges import Gauges
from bitswap.metrics.histogram import ANSWER_SECONDS, BLOCK_BYTES, MESSAGE_BYTES, WANT_SECONDS, Histogram
from bitswap.metrics.interface import (
    ClientGauges,
    Metrics,
    NetworkGauges,
    NetworkMetrics,
    ServerGauges,
    Stop,
)
from bitswap.metrics.series import Series, counter, gauges, histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from typing_extensions import Self

PREFIX = "ipfs_bitswap"
LIBP2P = "exchange_bitswap"
"""Scope of a network over libp2p streams."""

_NAME = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")


class PrometheusNetworkMetrics(NetworkMetrics):
    """What networks of one kind told."""

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._lock = threading.Lock()
        self._wantlists = self._items = 0
        self._response_bytes = Histogram(MESSAGE_BYTES)
        self._seconds = Histogram(WANT_SECONDS)
        self._gauges = Gauges(NetworkGauges._fields)

    def message_received(self, size: int) -> None:
        self._response_bytes.observe(size)

    def wants_sent(self, entries: int, seconds: float) -> None:
        with self._lock:
            self._wantlists += 1
            self._items += entries
        self._seconds.observe(seconds)

    def watch(self, read: Callable[[], NetworkGauges]) -> Stop:
        return self._gauges.watch(read)

    def read(self) -> Iterator[Series]:
        """Every metric as it is now."""
        scope = self._scope
        with self._lock:
            wantlists, items = self._wantlists, self._items
        yield from gauges(scope, self._gauges.read())
        yield histogram(scope, "response_bytes", self._response_bytes)
        yield counter(scope, "wantlists_total", wantlists)
        yield counter(scope, "wantlists_items_total", items)
        yield histogram(scope, "wantlists_seconds", self._seconds)


class PrometheusMetrics(Metrics):
    """For `Bitswap(network, store, metrics=PrometheusMetrics())`; whoever scrapes the registry sees the node.

    `registry` is prometheus-client's own unless given. Several nodes may share one object, which then tells
    their sums; to tell them apart within a registry, give each an object with `labels` of its own
    (`{"node": "a"}`). `close`, or the end of a `with`, takes the object out of the registry. Raises
    UsageError where prometheus-client is missing, and for labels or names that the registry cannot take.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        prefix: str = PREFIX,
        *,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        try:
            from bitswap.metrics import collector
        except ImportError as error:
            raise UsageError(
                f"metrics for Prometheus need prometheus-client: pip install 'bitswap[metrics]' ({error})"
            ) from error
        if not _NAME.fullmatch(prefix):
            raise UsageError(f"{prefix!r} cannot begin the name of a metric")
        for label in labels or {}:
            if label == "le" or label.startswith("__") or not _NAME.fullmatch(label):
                raise UsageError(f"{label!r} cannot be a label")
        self.prefix = prefix
        self.labels = dict(sorted((labels or {}).items()))
        self._lock = threading.Lock()
        self._received = Histogram(BLOCK_BYTES)
        self._duplicates = Histogram(BLOCK_BYTES)
        self._sent = Histogram(BLOCK_BYTES)
        self._send_times = Histogram(ANSWER_SECONDS)
        self._client = Gauges(ClientGauges._fields)
        self._server = Gauges(ServerGauges._fields)
        # There from the start, so that a chart shows 0 and not nothing.
        self._networks = {LIBP2P: PrometheusNetworkMetrics(LIBP2P)}
        self._leave = collector.join(registry, self)

    def blocks_received(self, sizes: Sequence[int]) -> None:
        self._received.observe_many(sizes)

    def duplicates_received(self, sizes: Sequence[int]) -> None:
        self._duplicates.observe_many(sizes)

    def answers_sent(self, size: int, seconds: float) -> None:
        self._sent.observe(size)
        self._send_times.observe(seconds)

    def answers_failed(self, seconds: float) -> None:
        self._send_times.observe(seconds)

    def watch_client(self, read: Callable[[], ClientGauges]) -> Stop:
        return self._client.watch(read)

    def watch_server(self, read: Callable[[], ServerGauges]) -> Stop:
        return self._server.watch(read)

    def network(self, scope: str) -> PrometheusNetworkMetrics:
        with self._lock:
            found = self._networks.get(scope)
            if found is None:
                found = self._networks[scope] = PrometheusNetworkMetrics(scope)
            return found

    def read(self) -> Iterator[Series]:
        """Every metric as it is now."""
        prefix = self.prefix
        yield histogram(prefix, "recv_all_blocks_bytes", self._received)
        yield histogram(prefix, "recv_dup_blocks_bytes", self._duplicates)
        yield histogram(prefix, "sent_all_blocks_bytes", self._sent)
        yield histogram(prefix, "send_times", self._send_times)
        yield from gauges(prefix, self._client.read())
        yield from gauges(prefix, self._server.read())
        with self._lock:
            networks = list(self._networks.values())
        for network in networks:
            yield from network.read()

    def close(self) -> None:
        """Leave the registry; a second call does nothing. Nodes may go on telling what happens."""
        self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
