"""What the tests of metrics share: reading the text as a scraper does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bitswap.metrics import PrometheusMetrics

TYPES = {
    "exchange_bitswap_requests_in_flight": "gauge",
    "exchange_bitswap_response_bytes": "histogram",
    "exchange_bitswap_wantlists_items_total": "counter",
    "exchange_bitswap_wantlists_seconds": "histogram",
    "exchange_bitswap_wantlists_total": "counter",
    "ipfs_bitswap_active_block_tasks": "gauge",
    "ipfs_bitswap_wants_denied": "gauge",
    "ipfs_bitswap_answers_delayed": "gauge",
    "ipfs_bitswap_requests_delayed": "gauge",
    "ipfs_bitswap_active_tasks": "gauge",
    "ipfs_bitswap_bcast_skips_total": "gauge",
    "ipfs_bitswap_blocks_received": "gauge",
    "ipfs_bitswap_haves_received": "gauge",
    "ipfs_bitswap_pending_block_tasks": "gauge",
    "ipfs_bitswap_pending_tasks": "gauge",
    "ipfs_bitswap_recv_all_blocks_bytes": "histogram",
    "ipfs_bitswap_recv_dup_blocks_bytes": "histogram",
    "ipfs_bitswap_send_times": "histogram",
    "ipfs_bitswap_sent_all_blocks_bytes": "histogram",
    "ipfs_bitswap_want_blocks_total": "gauge",
    "ipfs_bitswap_wanthaves_broadcast": "gauge",
    "ipfs_bitswap_wantlist_total": "gauge",
}
"""What kubo 0.40 exports of Bitswap (its test t0119-prometheus), with the kinds that boxo gives it; and, of
ours, what was denied or delayed."""


class Scraped:
    """One reading of a registry."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.splitlines()
        self.values: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
                self.values[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value

    def __getitem__(self, name: str) -> float:
        """By its full name, or that without `ipfs_bitswap_`."""
        return self.values[name] if name in self.values else self.values[f"ipfs_bitswap_{name}"]

    def histogram(self, name: str, labels: str = "") -> tuple[float, float]:
        """How many values, and their sum."""
        return self[f"{name}_count{labels}"], self[f"{name}_sum{labels}"]

    @property
    def types(self) -> dict[str, str]:
        found = (re.fullmatch(r"# TYPE (\S+) (\S+)", line) for line in self.lines)
        return {match[1]: match[2] for match in found if match is not None}


def scrape(registry: CollectorRegistry) -> Scraped:
    return Scraped(generate_latest(registry).decode())


class Side:
    """One node's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = PrometheusMetrics(self.registry)

    @property
    def now(self) -> Scraped:
        return scrape(self.registry)


@contextmanager
def metrics() -> Iterator[tuple[PrometheusMetrics, CollectorRegistry]]:
    """Metrics in a registry of their own."""
    registry = CollectorRegistry()
    with PrometheusMetrics(registry) as found:
        yield found, registry


def edges(lines: Iterable[str], name: str) -> list[str]:
    """The bounds of a histogram, as they are written."""
    return [match[1] for line in lines if (match := re.match(rf'{name}_bucket{{le="([^"]+)"}}', line))]
