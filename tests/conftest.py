"""For all tests: how hypothesis runs, that commands which are started can be interrupted, and some blocks."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.testutils import cids_of, make_blocks

# A deadline would fail a test because the machine is busy.
settings.register_profile("bitswap", deadline=None)
settings.load_profile("bitswap")

# A shell has what it starts in the background ignore interrupts, and that is inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def blocks() -> list[Block]:
    return make_blocks(10)


@pytest.fixture
def cids(blocks: list[Block]) -> list[CID]:
    return cids_of(blocks)
