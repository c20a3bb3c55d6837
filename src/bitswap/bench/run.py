"""All measurements, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from bitswap.bench import core, network, storage
from bitswap.bench.row import Pace, Row


def measure(store: str | None = None, scale: float = 1.0) -> Iterator[Row]:
    """Every figure as it is known: computing, then a store beside `store` (an URL), then two nodes.

    `scale` below 1 measures less of everything. Raises UsageError, and RemoteError where the second node does
    not start.
    """
    pace = Pace(scale)
    with storage.room(store) as (scheme, folder):
        yield from core.rows(pace)
        yield from storage.rows(pace, scheme, folder)
        yield from network.rows(pace, folder)
