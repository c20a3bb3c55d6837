"""Whole nodes for tests: real threads and stores over a loopback network (boxo `testinstance`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bitswap.bitswap import Bitswap
from bitswap.blockstore import MemoryBlockstore
from bitswap.options import Options
from bitswap.testnet.loopback import LoopbackHub


@contextmanager
def instances(
    count: int, options: Options | None = None, *, connected: bool = True
) -> Iterator[list[Bitswap]]:
    """`count` running nodes "node-0", "node-1"…, every two of them connected; all are closed at the end."""
    with ExitStack() as stack:
        hub = stack.enter_context(LoopbackHub())
        nodes = [
            stack.enter_context(Bitswap(hub.network(f"node-{index}"), MemoryBlockstore(), options))
            for index in range(count)
        ]
        if connected:
            connect_all(nodes)
        yield nodes


def connect_all(nodes: list[Bitswap]) -> None:
    """Connect every two of these nodes."""
    for place, first in enumerate(nodes):
        for second in nodes[place + 1 :]:
            first.connect(second.network.addrs[0])
