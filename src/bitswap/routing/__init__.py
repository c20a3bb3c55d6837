"""Who has a block: routers, asked when the connected peers do not have it (boxo `routing`).

`StaticRouting` knows fixed peers, `CombinedRouting` asks several routers at once; any object with the method
of `ContentRouting` will do.
"""

from bitswap.routing.combined import CombinedRouting
from bitswap.routing.interface import ContentRouting, PeerRouting, Provider, RoutingError
from bitswap.routing.static import StaticRouting

__all__ = [
    "CombinedRouting",
    "ContentRouting",
    "PeerRouting",
    "Provider",
    "RoutingError",
    "StaticRouting",
]
