"""One direction of a connection in a virtual network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bitswap.testnet.rates import TokenBucket

if TYPE_CHECKING:
    from bitswap.testnet.node import VirtualNode


class Link:
    """The way from one node to another: `latency` in seconds, `rate` in bytes a second, None for no limit.

    Both can be changed at any time; messages keep their order all the same.
    """

    __slots__ = ("_bucket", "_last", "bytes", "latency", "messages", "open", "rate", "target")

    def __init__(self, target: VirtualNode, latency: float, rate: float | None) -> None:
        self.target = target
        self.latency = latency
        self.rate = rate
        self.open = True
        self.messages = 0
        self.bytes = 0
        self._bucket: TokenBucket | None = None
        self._last = 0.0

    def carry(self, size: int, now: float, extra: float = 0.0) -> tuple[float, float]:
        """Count a message of `size` bytes; returns when it has left and when it arrives.

        `extra` seconds are added to the latency of this one message.
        """
        self.messages += 1
        self.bytes += size
        left = now
        if self.rate is not None:
            bucket = self._bucket
            if bucket is None:
                bucket = self._bucket = TokenBucket(self.rate, now)
            bucket.rate = self.rate
            left += bucket.take(size, now)
        self._last = max(left + self.latency + extra, self._last)
        return left, self._last
