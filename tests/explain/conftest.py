"""Shared by the tests of what a node says about its requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bitswap import Bitswap, ClientOptions, Options
from bitswap.blockstore import MemoryBlockstore
from bitswap.testnet import LoopbackHub

Pair = Callable[..., tuple[Bitswap, Bitswap]]
"""Makes two connected nodes "ours" and "theirs"; takes `ClientOptions` of ours."""


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


@pytest.fixture
def pair(hub: LoopbackHub) -> Iterator[Pair]:
    nodes: list[Bitswap] = []

    def make(**options: int) -> tuple[Bitswap, Bitswap]:
        client = ClientOptions(**options)  # type: ignore[arg-type]
        ours = Bitswap(hub.network("ours"), MemoryBlockstore(), Options(client=client))
        nodes.append(ours)
        theirs = Bitswap(hub.network("theirs"), MemoryBlockstore())
        nodes.append(theirs)
        ours.connect("/loopback/theirs")
        return ours, theirs

    yield make
    for node in nodes:
        node.close()
