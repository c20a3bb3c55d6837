"""Multiaddrs: self-describing addresses such as /ip4/127.0.0.1/tcp/4001/p2p/12D3Koo…."""

from __future__ import annotations


class Multiaddr:
    """An address, immutable, hashable, equal by its binary form.

    `host` (IP address or DNS name, unresolved), `port` (TCP) and `peer_id` (text) are None where there are
    none.
    """

    host: str | None
    port: int | None
    peer_id: str | None

    @classmethod
    def parse(cls, text: str) -> Multiaddr:
        """Read the text form; raises UsageError."""
        raise NotImplementedError

    @classmethod
    def from_bytes(cls, data: bytes) -> Multiaddr:
        """Read the binary form; raises UsageError."""
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        """The binary form."""
        raise NotImplementedError

    def with_peer(self, peer_id: str) -> Multiaddr:
        """The same address ending in /p2p/`peer_id` (replaces another one)."""
        raise NotImplementedError
