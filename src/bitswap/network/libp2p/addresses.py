"""Which of a peer's addresses are worth a dial, and in what order."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from bitswap.errors import UsageError
from bitswap.network.libp2p.multiaddr import Multiaddr

_ORDER = ("ip4", "ip6", "dns", "dns4", "dns6")


def dialable(peer: str, addresses: Iterable[str]) -> list[str]:
    """The plain TCP addresses among these, each once and naming `peer`; left out are those that name another.

    Public ones come first, then names, private networks and this host, since what a router tells of a
    stranger's private addresses is hardly ever true here.
    """
    found: dict[str, tuple[int, int]] = {}
    for text in addresses:
        try:
            address = Multiaddr.parse(text)
            rank = _rank(address)
            if rank is not None and address.peer_id in (None, peer):
                found.setdefault(str(address.with_peer(peer)), rank)
        except UsageError:
            # Routers pass on what others claim; one odd address spoils nothing.
            continue
    return sorted(found, key=lambda text: found[text])


def _rank(address: Multiaddr) -> tuple[int, int] | None:
    """The lower the better; None for what cannot be dialled."""
    kind = address.host_kind
    if not address.is_tcp or not address.port or kind not in _ORDER or address.host is None:
        return None
    place = _ORDER.index(kind)
    if not kind.startswith("ip"):
        return 1, place
    host = ipaddress.ip_address(address.host.partition("%")[0])
    if host.is_unspecified or host.is_multicast:
        return None
    if host.is_loopback:
        return 3, place
    return (0 if host.is_global else 2), place
