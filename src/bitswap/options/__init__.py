"""Every bound and default of the library, with its unit and where it comes from.

Frozen dataclasses, a file for each section; a value out of range raises UsageError when the object is made.
`Options` holds one section a subsystem: `Options(server=ServerOptions(max_outstanding_bytes=4 * MIB))`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bitswap.options.client import ClientOptions
from bitswap.options.dag import DagOptions
from bitswap.options.limits import KIB, MAX_BLOCK, MAX_FRAME, MIB
from bitswap.options.network import NetworkOptions
from bitswap.options.routing import RoutingOptions
from bitswap.options.server import ServerOptions
from bitswap.options.store import StoreOptions
from bitswap.options.workers import WorkerOptions

__all__ = [
    "KIB",
    "MAX_BLOCK",
    "MAX_FRAME",
    "MIB",
    "ClientOptions",
    "DagOptions",
    "NetworkOptions",
    "Options",
    "RoutingOptions",
    "ServerOptions",
    "StoreOptions",
    "WorkerOptions",
]


@dataclass(frozen=True)
class Options:
    """All of a node's options; every section has defaults that suit a laptop and a server alike."""

    server: ServerOptions = field(default_factory=ServerOptions)
    client: ClientOptions = field(default_factory=ClientOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    store: StoreOptions = field(default_factory=StoreOptions)
    dag: DagOptions = field(default_factory=DagOptions)
    routing: RoutingOptions = field(default_factory=RoutingOptions)
