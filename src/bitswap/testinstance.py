"""Nodes for tests and experiments, as many as wanted (boxo `testinstance`).

`instances`: whole ones with threads and stores, over a network inside the process. `virtual_instances`: their
machines alone, in virtual time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from bitswap.bitswap import Bitswap
from bitswap.blockstore import MemoryBlockstore
from bitswap.options import Options
from bitswap.testnet import Delay, LoopbackHub, Rate, VirtualNetwork, VirtualNode


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


def virtual_instances(
    count: int,
    *,
    seed: int = 0,
    delay: Delay | None = None,
    rate: Rate | None = None,
    connected: bool = True,
    **options: Any,
) -> tuple[VirtualNetwork, list[VirtualNode]]:
    """A network and `count` nodes "node-0", "node-1"… on it, every two of them connected.

    `delay` and `rate` are drawn for each direction of a connection; `options` are those of VirtualNode. Time
    passes only in `VirtualNetwork.run`.
    """
    network = VirtualNetwork(seed, delay=delay, rate=rate)
    nodes = [network.node(**options) for _ in range(count)]
    if connected:
        network.mesh()
    return network, nodes
