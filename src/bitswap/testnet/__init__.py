"""Networks inside one process, for tests and simulations (boxo `testnet`).

`virtual` runs whole swarms of machines under a virtual clock, in one thread and repeatable by a seed.
`loopback` carries messages between real nodes, threads and all, without sockets.
"""

from bitswap.testnet.delays import Delay, fixed, internet, normal
from bitswap.testnet.loopback import LoopbackHub, LoopbackNetwork
from bitswap.testnet.node import Fetch, VirtualNode
from bitswap.testnet.virtual import Link, VirtualNetwork

__all__ = [
    "Delay",
    "Fetch",
    "Link",
    "LoopbackHub",
    "LoopbackNetwork",
    "VirtualNetwork",
    "VirtualNode",
    "fixed",
    "internet",
    "normal",
]
