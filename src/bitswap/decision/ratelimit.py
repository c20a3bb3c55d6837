"""How fast a node may give, to one peer and to all of them: token buckets for bytes and for requests."""

from __future__ import annotations

from collections import OrderedDict

from bitswap.tokenbucket import TokenBucket

MAX_ABSENT = 4096
"""Peers that left with a debt and are remembered, so that coming back is no way to be rid of it."""


class RateLimit:
    """One rate for each peer, one for all together; None = no limit. A machine.

    A peer, or everybody, may be given something while its bucket holds anything; what is given then may be
    more than the bucket holds, and the rest is owed before the next turn.
    """

    def __init__(
        self, peer_rate: float | None, total_rate: float | None, seconds: float, least: float
    ) -> None:
        """`seconds` of each rate may go at once, but `least` at the least."""
        self._peer_rate = peer_rate
        self._seconds, self._least = seconds, least
        self._peers: dict[str, TokenBucket] = {}
        self._absent: OrderedDict[str, TokenBucket] = OrderedDict()
        self._total: TokenBucket | None = None
        self._total_rate = total_rate

    def __bool__(self) -> bool:
        """Whether anything is limited."""
        return self._peer_rate is not None or self._total_rate is not None

    def burst(self, rate: float) -> float:
        """What of a rate may go at once."""
        return max(rate * self._seconds, self._least)

    @property
    def smallest_burst(self) -> float | None:
        """What may go to a peer at once, by either rate; None without a limit."""
        rates = [rate for rate in (self._peer_rate, self._total_rate) if rate is not None]
        return self.burst(min(rates)) if rates else None

    def took(self, peer: str, amount: float, now: float) -> None:
        """`peer` was given so much."""
        if self._peer_rate is not None:
            self._bucket(peer, self._peer_rate, now).take(amount, now)
        if self._total_rate is not None:
            self._of_all(self._total_rate, now).take(amount, now)

    def peer_ready_at(self, peer: str, now: float) -> float:
        """When `peer` may be given something, by its own rate: `now`, or later."""
        bucket = self._peers.get(peer) or self._absent.get(peer)
        return now if bucket is None else bucket.ready_at(now)

    def total_ready_at(self, now: float) -> float:
        """When anybody may be."""
        return now if self._total is None else self._total.ready_at(now)

    def forget(self, peer: str, now: float) -> None:
        """The peer has gone; what it owes is remembered, within bounds."""
        bucket = self._peers.pop(peer, None)
        if bucket is None or bucket.level(now) > 0:
            return
        self._absent[peer] = bucket
        if len(self._absent) > MAX_ABSENT:
            self._absent.popitem(last=False)

    def __len__(self) -> int:
        """Peers of which something is remembered."""
        return len(self._peers) + len(self._absent)

    def _bucket(self, peer: str, rate: float, now: float) -> TokenBucket:
        bucket = self._peers.get(peer)
        if bucket is None:
            bucket = self._absent.pop(peer, None) or TokenBucket(rate, self.burst(rate), now)
            self._peers[peer] = bucket
        return bucket

    def _of_all(self, rate: float, now: float) -> TokenBucket:
        if self._total is None:
            self._total = TokenBucket(rate, self.burst(rate), now)
        return self._total
