"""A list of wants: add, has, remove, at two lengths (boxo `client/wantlist`)."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.engines import Serving
from benchmarks.operation import Operation


def operations(serving: Serving) -> Iterator[Operation]:
    yield from ()
