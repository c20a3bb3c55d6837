"""Shared by the tests of the fetching half."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bitswap import Bitswap
from bitswap.testinstance import instances


@pytest.fixture
def pair() -> Iterator[tuple[Bitswap, Bitswap]]:
    with instances(2) as nodes:
        yield nodes[0], nodes[1]
