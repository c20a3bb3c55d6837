"""What a node asks of a router, and what it gets (go-libp2p `routing.ContentRouting` and `PeerRouting`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from bitswap.errors import RemoteError
from bitswap.network.interface import Peer

if TYPE_CHECKING:
    from bitswap.cid import CID


class RoutingError(RemoteError):
    """A router could not be reached, or answered what has no meaning."""


class Provider(NamedTuple):
    """A peer that is said to have a block, and where it can be dialled.

    Addresses are what `Network.connect` takes, with or without the peer id at their end; without any the
    network is asked for the peer by its id.
    """

    peer: Peer
    addresses: tuple[str, ...] = ()


class ContentRouting(Protocol):
    """Knows who has which block."""

    def find_providers(self, cid: CID, limit: int) -> Iterable[Provider]:
        """At most `limit` providers as they are found, each when it is found; the best first where known.

        Called, and its result read, on a thread that may wait; several calls may be under way at once. A
        generator will do: it is left alone once nobody waits for it, at its next result. An object of
        another kind may have `close()`, which is then called from another thread, more than once perhaps:
        it should return at once, and end the reading. What is raised counts as a failure of this router and
        of nothing else; RoutingError is for what is foreseen.
        """


@runtime_checkable
class PeerRouting(Protocol):
    """Knows where peers are. A router may be this too, and is asked where a provider's addresses fail."""

    def find_peer(self, peer: Peer) -> Iterable[str]:
        """Addresses of a peer, none if it is not known; called and read as `find_providers` is."""
