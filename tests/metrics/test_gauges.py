"""Numbers read from nodes when somebody looks."""

from __future__ import annotations

import pytest

from bitswap.metrics.gauges import Gauges

NAMES = ("wantlist_total", "blocks_received")


def test_sources_add_up_and_what_has_ended_keeps_what_it_counted() -> None:
    gauges = Gauges(NAMES)
    assert gauges.read() == {"wantlist_total": 0, "blocks_received": 0}
    first, second = [3, 10], [4, 20]
    end_first = gauges.watch(lambda: tuple(first))
    end_second = gauges.watch(lambda: tuple(second))
    assert gauges.read() == {"wantlist_total": 7, "blocks_received": 30}
    first[:] = [5, 11]
    end_first()
    first[:] = [100, 100]
    assert gauges.read() == {"wantlist_total": 4, "blocks_received": 31}
    end_first()
    end_second()
    assert gauges.read() == {"wantlist_total": 0, "blocks_received": 31}


def test_the_same_function_twice_is_two_sources() -> None:
    gauges = Gauges(NAMES)
    ends = [gauges.watch(lambda: (1, 1)) for _ in range(2)]
    ends[0]()
    assert gauges.read() == {"wantlist_total": 1, "blocks_received": 2}


def test_a_source_that_fails_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> tuple[int, ...]:
        raise RuntimeError("broken")

    gauges = Gauges(NAMES)
    end = gauges.watch(fails)
    gauges.watch(lambda: (1, 2))
    assert gauges.read() == {"wantlist_total": 1, "blocks_received": 2}
    assert "cannot be read" in caplog.text
    end()
    assert gauges.read() == {"wantlist_total": 1, "blocks_received": 2}
