"""How many connections there are from one address, so that one address cannot take all places."""

from __future__ import annotations

import ipaddress
from collections import Counter


class Origins:
    """Counts of connections by where they come from."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, origin: str) -> int:
        """Connections from there."""
        return self._counts.get(origin, 0)

    def add(self, origin: str) -> None:
        """One more."""
        self._counts[origin] += 1

    def discard(self, origin: str) -> None:
        """One fewer; nothing is kept of an address without any."""
        left = self._counts[origin] - 1
        if left > 0:
            self._counts[origin] = left
        else:
            del self._counts[origin]

    def __len__(self) -> int:
        return len(self._counts)


def origin_of(host: str) -> str:
    """What stands for `host`, an IP address in text: itself, or the first 64 bits of an IPv6 address.

    A site is given at least so many IPv6 addresses, so a single one says nothing; IPv4 in IPv6 is IPv4.
    """
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(address) >> 64 << 64)) + "/64"
