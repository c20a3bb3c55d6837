"""Names, kinds, bounds and text, as charts and alerts made for boxo expect them."""

from __future__ import annotations

import pytest

from tests.metrics.scraping import TYPES, edges, metrics, scrape

SIZES = ["64", "1024", "16384", "262144", "262159", "4.194304e+06", "+Inf"]
BODIES = ["1", "131072", "262144", "524288", "1.048576e+06", "2.097152e+06", "4.190208e+06", "+Inf"]
SECONDS = ["1", "10", "30", "60", "90", "120", "600", "+Inf"]
WANTS = [
    *("0.05", "0.1", "0.25", "0.5", "1", "2", "5", "10", "30"),
    *("60", "120", "240", "480", "960", "1920", "+Inf"),
]


def test_everything_is_there_from_the_start_and_nothing_else() -> None:
    with metrics() as (_, registry):
        found = scrape(registry)
    assert found.types == TYPES
    kinds = {"gauge": ("",), "counter": ("",), "histogram": ("_bucket", "_count", "_sum")}
    expected = {name + end for name, kind in TYPES.items() for end in kinds[kind]}
    assert {name.split("{")[0] for name in found.values} == expected
    assert set(found.values.values()) == {0.0}


def test_every_metric_has_its_words() -> None:
    with metrics() as (_, registry):
        lines = scrape(registry).lines
    words = {line.split(" ", 3)[2]: line.split(" ", 3)[3] for line in lines if line.startswith("# HELP")}
    assert words.keys() == TYPES.keys()
    assert all(words.values())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ipfs_bitswap_recv_all_blocks_bytes", SIZES),
        ("ipfs_bitswap_recv_dup_blocks_bytes", SIZES),
        ("ipfs_bitswap_sent_all_blocks_bytes", SIZES),
        ("ipfs_bitswap_send_times", SECONDS),
        ("exchange_bitswap_response_bytes", BODIES),
        ("exchange_bitswap_wantlists_seconds", WANTS),
    ],
)
def test_bounds_are_written_as_go_writes_them(name: str, expected: list[str]) -> None:
    with metrics() as (_, registry):
        assert edges(scrape(registry).lines, name) == expected


def test_a_histogram_in_full() -> None:
    with metrics() as (told, registry):
        told.blocks_received([1, 64, 65, 262_144, 262_145, 262_159, 5_000_000])
        lines = scrape(registry).lines
    start = lines.index("# TYPE ipfs_bitswap_recv_all_blocks_bytes histogram")
    assert lines[start + 1 : start + 10] == [
        'ipfs_bitswap_recv_all_blocks_bytes_bucket{le="64"} 2.0',
        'ipfs_bitswap_recv_all_blocks_bytes_bucket{le="1024"} 3.0',
        'ipfs_bitswap_recv_all_blocks_bytes_bucket{le="16384"} 3.0',
        'ipfs_bitswap_recv_all_blocks_bytes_bucket{le="262144"} 4.0',
        'ipfs_bitswap_recv_all_blocks_bytes_bucket{le="262159"} 6.0',
        'ipfs_bitswap_recv_all_blocks_bytes_bucket{le="4.194304e+06"} 6.0',
        'ipfs_bitswap_recv_all_blocks_bytes_bucket{le="+Inf"} 7.0',
        "ipfs_bitswap_recv_all_blocks_bytes_count 7.0",
        "ipfs_bitswap_recv_all_blocks_bytes_sum 5.786578e+06",
    ]


def test_counters_and_gauges_in_full() -> None:
    with metrics() as (told, registry):
        told.network("exchange_bitswap").wants_sent(3, 0.2)
        told.network("exchange_bitswap").wants_sent(4, 0.3)
        lines = scrape(registry).lines
    for line in (
        "# TYPE exchange_bitswap_wantlists_total counter",
        "exchange_bitswap_wantlists_total 2.0",
        "# TYPE exchange_bitswap_wantlists_items_total counter",
        "exchange_bitswap_wantlists_items_total 7.0",
        "# TYPE ipfs_bitswap_wantlist_total gauge",
        "ipfs_bitswap_wantlist_total 0.0",
    ):
        assert line in lines
    assert not [line for line in lines if "_created" in line]
