"""Shared by the tests of the fetching half."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bitswap import Bitswap
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.testinstance import instances
from bitswap.testutils import make_blocks


@pytest.fixture
def blocks() -> list[Block]:
    return make_blocks(10)


@pytest.fixture
def cids(blocks: list[Block]) -> list[CID]:
    return [block.cid for block in blocks]


@pytest.fixture
def pair() -> Iterator[tuple[Bitswap, Bitswap]]:
    with instances(2) as nodes:
        yield nodes[0], nodes[1]
