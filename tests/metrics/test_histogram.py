"""Counting values under bounds, one by one and in batches."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitswap.metrics.histogram import BLOCK_BYTES, Histogram, edge_text

sizes = st.lists(st.integers(0, 5 * 1024 * 1024) | st.sampled_from(BLOCK_BYTES), max_size=50)


@given(sizes)
def test_a_batch_counts_as_its_values_do(values: list[int]) -> None:
    batch, single = Histogram(BLOCK_BYTES), Histogram(BLOCK_BYTES)
    batch.observe_many(values)
    for value in values:
        single.observe(value)
    assert batch.read() == single.read()
    counts = [sum(value <= bound for value in values) for bound in BLOCK_BYTES]
    assert batch.read().counts == (*counts, len(values))
    assert batch.read().sum == sum(values)


@pytest.mark.parametrize("values", [[], [64], [64] * 5, [65] * 5, [64, 65, 64], [10**9, 10**9]])
def test_equal_values_and_others(values: list[int]) -> None:
    found = Histogram((64,))
    found.observe_many(values)
    under = sum(value <= 64 for value in values)
    assert found.read() == (("64", "+Inf"), (under, len(values)), sum(values))


@pytest.mark.parametrize(
    ("bound", "text"),
    [
        *((0.05, "0.05"), (1, "1"), (1.0, "1"), (2.5, "2.5"), (262_144, "262144"), (999_999, "999999")),
        *((1e6, "1e+06"), (1_048_576, "1.048576e+06"), (4_194_304, "4.194304e+06"), (1e10, "1e+10")),
    ],
)
def test_bounds_as_text(bound: float, text: str) -> None:
    assert edge_text(bound) == text


@pytest.mark.timeout(60)
def test_nothing_is_lost_between_threads() -> None:
    found = Histogram((64,))
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        for _ in range(2000):
            found.observe(1)
            found.observe_many([1, 100])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.read() == (("64", "+Inf"), (16_000, 24_000), 8000 * 102)
