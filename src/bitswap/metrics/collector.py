"""What prometheus-client scrapes. The only module that imports it, so that all others do without.

Its own instruments are not used: their histograms write bounds as "64.0" where Go's client writes "64", and
take a lock and a search for each value; their counters add `_created` series.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol
from weakref import WeakKeyDictionary, ref

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from bitswap.errors import UsageError
from bitswap.metrics.histogram import Reading
from bitswap.metrics.series import Series


class Member(Protocol):
    """Metrics within a registry."""

    labels: dict[str, str]
    """Told with each of them, by name."""

    def read(self) -> Iterable[Series]:
        """Every metric as it is now."""


class Collector:
    """All members of one registry: a metric that several have is one family of series."""

    def __init__(self) -> None:
        self._members: tuple[Member, ...] = ()

    def add(self, member: Member) -> None:
        """Raises UsageError when it could not be told from another, or its labels have other names."""
        for other in self._members:
            if other.labels == member.labels:
                raise UsageError(
                    f"the registry has metrics with the labels {member.labels} already: share that object, "
                    "close it, or give each labels of its own"
                )
            if other.labels.keys() != member.labels.keys():
                raise UsageError(f"labels in one registry have the same names: {[*other.labels]}")
        self._members += (member,)

    def discard(self, member: Member) -> bool:
        """Whether any member is left."""
        self._members = tuple(other for other in self._members if other is not member)
        return bool(self._members)

    def describe(self) -> Iterable[Metric]:
        """Called by a registry to see that nobody else has these names."""
        return self.collect()

    def collect(self) -> Iterable[Metric]:
        families: dict[str, _Family] = {}
        for member in self._members:
            for series in member.read():
                family = families.get(series.name)
                if family is None:
                    family = families[series.name] = _family(series, tuple(member.labels))
                _add(family, tuple(member.labels.values()), series.value)
        return families.values()


_Family = HistogramMetricFamily | CounterMetricFamily | GaugeMetricFamily


def _family(series: Series, names: tuple[str, ...]) -> _Family:
    if series.kind == "histogram":
        return HistogramMetricFamily(series.name, series.help, labels=names)
    if series.kind == "counter":
        return CounterMetricFamily(series.name, series.help, labels=names)
    return GaugeMetricFamily(series.name, series.help, labels=names)


def _add(family: _Family, labels: tuple[str, ...], value: Reading | int) -> None:
    if isinstance(family, HistogramMetricFamily):
        assert isinstance(value, Reading)
        family.add_metric(labels, list(zip(value.edges, value.counts, strict=True)), value.sum)
    else:
        assert isinstance(value, int)
        family.add_metric(labels, value)


_lock = threading.Lock()
_collectors: WeakKeyDictionary[CollectorRegistry, Collector] = WeakKeyDictionary()


def join(registry: CollectorRegistry | None, member: Member) -> Callable[[], None]:
    """Put `member` into a registry (None: the default one); returns what takes it out again."""
    home = REGISTRY if registry is None else registry
    with _lock:
        collector = _collectors.get(home)
        if collector is None:
            collector = Collector()
            collector.add(member)
            try:
                home.register(collector)
            except ValueError as error:
                raise UsageError(f"the registry does not take the metrics: {error}") from None
            _collectors[home] = collector
        else:
            collector.add(member)

    # The member keeps this, and must not keep its registry with it.
    return partial(_leave, ref(home), member)


def _leave(home: ref[CollectorRegistry], member: Member) -> None:
    registry = home()
    if registry is None:
        return
    with _lock:
        found = _collectors.get(registry)
        if found is not None and not found.discard(member):
            del _collectors[registry]
            # The owner of the registry may have taken it out already.
            with contextlib.suppress(KeyError):
                registry.unregister(found)
