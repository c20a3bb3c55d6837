"""Networks inside one process, for tests and simulations (boxo `testnet`).

`virtual` runs whole swarms of machines under a virtual clock, in one thread and repeatable by a seed.
`loopback` carries messages between real nodes, threads and all, without sockets.
"""

from bitswap.testnet.delays import Delay, fixed, internet, normal, uniform
from bitswap.testnet.fetch import Fetch
from bitswap.testnet.link import Link
from bitswap.testnet.loopback import LoopbackHub, LoopbackNetwork
from bitswap.testnet.node import VirtualNode
from bitswap.testnet.rates import Rate, TokenBucket, fixed_rate, normal_rate
from bitswap.testnet.virtual import VirtualNetwork

__all__ = [
    "Delay",
    "Fetch",
    "Link",
    "LoopbackHub",
    "LoopbackNetwork",
    "Rate",
    "TokenBucket",
    "VirtualNetwork",
    "VirtualNode",
    "fixed",
    "fixed_rate",
    "internet",
    "normal",
    "normal_rate",
    "uniform",
]
