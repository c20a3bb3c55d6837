"""Shared by the tests of the fetching half."""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.testutils import make_blocks


@pytest.fixture
def blocks() -> list[Block]:
    return make_blocks(10)


@pytest.fixture
def cids(blocks: list[Block]) -> list[CID]:
    return [block.cid for block in blocks]
