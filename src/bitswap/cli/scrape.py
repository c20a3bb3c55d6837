"""What `bitswap serve --admin` gives Prometheus: the node's metrics, and those of its process."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bitswap.errors import UsageError
from bitswap.metrics import PrometheusMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus text format."""


class Scrape(NamedTuple):
    """What the node is to tell, and how to read what it told."""

    metrics: PrometheusMetrics | None
    text: Callable[[], bytes]
    """Raises UsageError, which says what to install, where there are no metrics."""


def make_scrape() -> Scrape:
    """Metrics in a registry of their own; none where prometheus-client is missing."""
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

        registry = CollectorRegistry()
        metrics = PrometheusMetrics(registry)
        ProcessCollector(registry=registry)
    except ImportError as error:
        told = f"/metrics needs prometheus-client: pip install 'bitswap[metrics]' ({error})"
        return Scrape(None, lambda: _refuse(told))
    return Scrape(metrics, lambda: generate_latest(registry))


def _refuse(told: str) -> bytes:
    raise UsageError(told)
