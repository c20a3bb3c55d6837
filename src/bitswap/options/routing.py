"""Bounds and defaults of looking for providers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bitswap.options.limits import require

if TYPE_CHECKING:
    from bitswap.cid import CID


@dataclass(frozen=True)
class RoutingOptions:
    """Looking for providers: queries to routers, dials of those they name (boxo `providerquerymanager`)."""

    max_providers: int = 10
    """Connected providers after which a search is over (boxo WithMaxProviders; its Bitswap sets 10)."""
    max_queries: int = 8
    """Queries under way at a time, a thread at each router (boxo WithMaxInProcessRequests: 8)."""
    max_searches: int = 1024
    """Blocks that are searched for, waiting ones included; a further search is refused (boxo: no limit)."""
    max_session_searches: int = 8
    """Blocks that one session searches for at a time, once one search was not enough (our choice)."""
    max_session_waiting: int = 1024
    """Blocks of a session that wait for that, and of which it is remembered when they were searched for."""
    search_delay: float = 1.0
    """Seconds without progress after which a session searches although somebody is asked; doubles with each
    such search, up to `search_interval` (boxo WithProviderSearchDelay: 1 s)."""
    search_interval: float = 60.0
    """Seconds after which a block is searched for again (boxo: its periodic search, every 60 s)."""
    search_retry: float = 5.0
    """The same at first where the search failed, or its provider was lost; doubles up to the interval."""
    timeout: float = 10.0
    """Seconds for one query and the dials of those it names (boxo WithMaxTimeout: 10 s)."""
    queue_timeout: float = 30.0
    """Seconds that a query may wait for its turn (our choice)."""
    max_found: int = 128
    """Providers named by routers that one query looks at (our choice; the DHT of kubo stops at 20)."""
    max_addresses: int = 16
    """Addresses of one provider that are tried."""
    max_dials: int = 16
    """Dials under way at a time for all queries, a thread each (our choice)."""
    max_query_dials: int = 8
    """The same for one query, so that it leaves some to the others."""
    address_timeout: float = 4.0
    """Seconds for one address of a provider, so that a dead one leaves time for the next (our choice)."""
    dial_backoff: float = 5.0
    """Seconds in which addresses that failed are not dialled again (go-libp2p BackoffBase: 5 s)."""
    max_backoffs: int = 1024
    """Peers of which that is remembered."""
    find_peers: bool = True
    """Whether a router that can is asked where a provider is whose addresses failed (boxo, off there:
    WithFindPeerFallback)."""
    ignore_peers: frozenset[str] = frozenset()
    """Peer ids that are never dialled for a block (boxo WithIgnoreProviders)."""
    ignore_cids: frozenset[CID] = frozenset()
    """Blocks that no router is asked for, under any codec."""
    close_timeout: float = 5.0
    """Seconds that closing waits for a router or a dial to end; its thread is left behind then."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                require(value > 0, f"{name} must be positive")
        for name in ("ignore_peers", "ignore_cids"):
            require(isinstance(getattr(self, name), (set, frozenset)), f"{name} must be a set")
