"""Providers that somebody has written down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import TypeAlias

from bitswap.cid import CID
from bitswap.errors import UsageError
from bitswap.network.interface import Peer
from bitswap.routing.interface import Provider

Listed: TypeAlias = "Provider | str"
"""A provider, or an address that ends in /p2p/<peer id>, or a bare peer id."""


class StaticRouting:
    """Fixed providers: of everything, or of single blocks; those of a block come before those of everything.

    Blocks are told apart by their multihash, since a provider has the data under any codec. Raises
    UsageError for what is neither a Provider, nor an address with a peer id, nor a peer id.
    """

    def __init__(
        self, providers: Iterable[Listed] = (), blocks: Mapping[CID, Iterable[Listed]] | None = None
    ) -> None:
        self._everything = merge(map(provider_of, _several(providers)))
        self._blocks: dict[bytes, tuple[Provider, ...]] = {}
        for cid, listed in (blocks or {}).items():
            found = chain(self._blocks.get(cid.multihash, ()), map(provider_of, _several(listed)))
            self._blocks[cid.multihash] = merge(found)

    def find_providers(self, cid: CID, limit: int) -> Iterator[Provider]:
        found = merge(chain(self._blocks.get(cid.multihash, ()), self._everything))
        return islice(iter(found), limit)

    def find_peer(self, peer: Peer) -> Iterator[str]:
        """Every address that is written down for `peer`, whatever it is listed for."""
        for provider in merge(chain(self._everything, *self._blocks.values())):
            if provider.peer == peer:
                yield from provider.addresses


def provider_of(listed: Listed) -> Provider:
    """The provider that is meant; raises UsageError."""
    if isinstance(listed, Provider):
        return listed
    if not isinstance(listed, str) or not listed:
        raise UsageError(f"{listed!r} is neither a Provider nor an address nor a peer id")
    if not listed.startswith("/"):
        return Provider(listed)
    words = listed.split("/")
    if len(words) < 3 or words[-2] != "p2p" or not words[-1]:
        raise UsageError(f"{listed} does not say which peer is there: it has to end in /p2p/<peer id>")
    return Provider(words[-1], (listed,) if len(words) > 3 else ())


def merge(providers: Iterable[Provider]) -> tuple[Provider, ...]:
    """Each peer once, where it comes first, with all its addresses."""
    addresses: dict[Peer, dict[str, None]] = {}
    for provider in providers:
        addresses.setdefault(provider.peer, {}).update(dict.fromkeys(provider.addresses))
    return tuple(Provider(peer, tuple(known)) for peer, known in addresses.items())


def _several(listed: Iterable[Listed]) -> Iterable[Listed]:
    if isinstance(listed, (str, Provider)):
        raise UsageError("providers are given as a list")
    return listed
