"""Every bound and default of the library, with its unit and where it comes from.

Frozen dataclasses; a value out of range raises UsageError when the object is made. `Options` holds one section a
subsystem, so that `Options(server=ServerOptions(max_outstanding_bytes=4 * MIB))` reads as what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bitswap.errors import UsageError

KIB = 1024
MIB = 1024 * 1024

MAX_FRAME = 4 * MIB
"""Bytes of one protobuf body on the wire (specification: every message is at most 4 MiB; libp2p MessageSizeMax)."""
MAX_BLOCK = 2 * MIB
"""Bytes of a block that every implementation must handle (specification)."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UsageError(message)


@dataclass(frozen=True)
class ServerOptions:
    """The serving half: decision engine and its driver (boxo `bitswap/server` options)."""

    enabled: bool = True


@dataclass(frozen=True)
class ClientOptions:
    """The fetching half: sessions, peer manager, message queues (boxo `bitswap/client` options)."""


@dataclass(frozen=True)
class NetworkOptions:
    """The libp2p transport: connections, streams, buffers, timeouts."""


@dataclass(frozen=True)
class StoreOptions:
    """The embedded blockstore."""


@dataclass(frozen=True)
class DagOptions:
    """Walking, reading and writing of UnixFS graphs."""


@dataclass(frozen=True)
class Options:
    """All of a node's options; every section has defaults that suit a laptop and a server alike."""

    server: ServerOptions = field(default_factory=ServerOptions)
    client: ClientOptions = field(default_factory=ClientOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    store: StoreOptions = field(default_factory=StoreOptions)
    dag: DagOptions = field(default_factory=DagOptions)
