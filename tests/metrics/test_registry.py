"""Several nodes in one process, registries, and prometheus-client that is not there."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Gauge

from bitswap.errors import UsageError
from bitswap.metrics import ClientGauges, PrometheusMetrics
from tests.metrics.scraping import TYPES, metrics, scrape

GAUGES = ClientGauges(
    wantlist_total=2,
    want_blocks_total=1,
    blocks_received=5,
    haves_received=3,
    wanthaves_broadcast=4,
    bcast_skips_total=6,
)


def test_one_object_tells_the_sums_of_its_nodes() -> None:
    with metrics() as (told, registry):
        end = told.watch_client(lambda: GAUGES)
        told.watch_client(lambda: GAUGES)
        found = scrape(registry)
        assert {name: found[name] for name in GAUGES._fields} == {
            name: 2 * number for name, number in GAUGES._asdict().items()
        }
        end()
        found = scrape(registry)
        assert (found["wantlist_total"], found["want_blocks_total"]) == (2, 1)
        assert (found["blocks_received"], found["haves_received"]) == (10, 6)
        assert (found["wanthaves_broadcast"], found["bcast_skips_total"]) == (8, 12)


def test_labels_tell_nodes_apart_in_one_registry() -> None:
    registry = CollectorRegistry()
    with (
        PrometheusMetrics(registry, labels={"node": "a"}) as first,
        PrometheusMetrics(registry, labels={"node": "b"}) as second,
    ):
        first.blocks_received([10])
        second.blocks_received([20, 30])
        found = scrape(registry)
        assert found.types == TYPES
        assert len([line for line in found.lines if line.startswith("# TYPE")]) == len(TYPES)
        assert found.histogram("recv_all_blocks_bytes", '{node="a"}') == (1, 10)
        assert found.histogram("recv_all_blocks_bytes", '{node="b"}') == (2, 50)
        assert found['recv_all_blocks_bytes_bucket{le="64",node="b"}'] == 2
        assert 'ipfs_bitswap_pending_tasks{node="a"}' in found.values
        first.close()
        assert 'ipfs_bitswap_pending_tasks{node="a"}' not in scrape(registry).values
        assert 'ipfs_bitswap_pending_tasks{node="b"}' in scrape(registry).values
    assert scrape(registry).values == {}


def test_two_that_could_not_be_told_apart_are_refused() -> None:
    registry = CollectorRegistry()
    with PrometheusMetrics(registry):
        with pytest.raises(UsageError, match="already"):
            PrometheusMetrics(registry)
        with pytest.raises(UsageError, match="same names"):
            PrometheusMetrics(registry, labels={"node": "a"})
        with PrometheusMetrics(CollectorRegistry()):
            pass
    with PrometheusMetrics(registry, labels={"node": "a", "zone": "x"}) as first:
        with pytest.raises(UsageError, match="already"):
            PrometheusMetrics(registry, labels={"zone": "x", "node": "a"})
        with PrometheusMetrics(registry, labels={"zone": "y", "node": "a"}):
            first.close()
            first.close()
            assert scrape(registry).values


def test_names_that_somebody_else_has_are_refused() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("ipfs_bitswap_pending_tasks", "Somebody else's.", registry=registry)
    with pytest.raises(UsageError, match="ipfs_bitswap_pending_tasks"):
        PrometheusMetrics(registry)
    registry.unregister(gauge)
    with PrometheusMetrics(registry):
        assert scrape(registry).types == TYPES


@pytest.mark.parametrize("prefix", ["", "1st", "a-b", "a b"])
def test_a_prefix_that_cannot_be_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError):
        PrometheusMetrics(CollectorRegistry(), prefix)


@pytest.mark.parametrize("label", ["", "le", "__name__", "a-b"])
def test_a_label_that_cannot_be_is_refused(label: str) -> None:
    with pytest.raises(UsageError):
        PrometheusMetrics(CollectorRegistry(), labels={label: "x"})


def test_a_prefix_of_its_own() -> None:
    registry = CollectorRegistry()
    with PrometheusMetrics(registry, "my_node"):
        expected = {name.replace("ipfs_bitswap", "my_node"): kind for name, kind in TYPES.items()}
        assert scrape(registry).types == expected


def test_the_default_registry_is_that_of_prometheus_client() -> None:
    with PrometheusMetrics():
        assert scrape(REGISTRY).types.items() >= TYPES.items()
    assert not scrape(REGISTRY).types.keys() & TYPES.keys()


def test_a_registry_may_be_forgotten_with_its_metrics() -> None:
    registry = CollectorRegistry()
    told = weakref.ref(PrometheusMetrics(registry))
    assert told() is not None
    del registry
    gc.collect()
    assert told() is None


def test_a_registry_that_was_cleared_does_not_keep_metrics_from_leaving() -> None:
    registry = CollectorRegistry()
    told = PrometheusMetrics(registry)
    for collector in list(registry._collector_to_names):
        registry.unregister(collector)
    told.close()


def test_another_kind_of_network_has_its_own_names() -> None:
    with metrics() as (told, registry):
        told.network("exchange_other").message_received(100)
        found = scrape(registry)
        assert found.histogram("exchange_other_response_bytes") == (1, 100)
        assert found.histogram("exchange_bitswap_response_bytes") == (0, 0)
        assert told.network("exchange_other") is told.network("exchange_other")


WITHOUT = """
import sys
sys.modules["prometheus_client"] = None
import bitswap.metrics, bitswap.client, bitswap.server, bitswap.network.libp2p, bitswap.cli.serve
from bitswap import Bitswap
from bitswap.blockstore import MemoryBlockstore
from bitswap.testnet import LoopbackHub
with LoopbackHub() as hub, Bitswap(hub.network("a"), MemoryBlockstore()):
    pass
try:
    bitswap.metrics.PrometheusMetrics()
except bitswap.errors.UsageError as error:
    print(error)
"""


@pytest.mark.timeout(60)
def test_without_prometheus_client_everything_else_works() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert "need prometheus-client: pip install 'bitswap[metrics]'" in done.stdout
