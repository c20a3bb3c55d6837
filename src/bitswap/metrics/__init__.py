"""What operators chart: a node tells a `Metrics` what happens; `PrometheusMetrics` exports it.

`docs/metrics.md` lists every name. Nothing here needs prometheus-client until a `PrometheusMetrics` is made.
"""

from __future__ import annotations

from bitswap.metrics.interface import (
    ClientGauges,
    Metrics,
    NetworkGauges,
    NetworkMetrics,
    ObservedNetwork,
    ServerGauges,
)
from bitswap.metrics.prometheus import PrometheusMetrics

__all__ = [
    "ClientGauges",
    "Metrics",
    "NetworkGauges",
    "NetworkMetrics",
    "ObservedNetwork",
    "PrometheusMetrics",
    "ServerGauges",
]
