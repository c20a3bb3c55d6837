"""TLS 1.3 between peers (libp2p specification tls/tls.md)."""

from __future__ import annotations

from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.security import SecureChannel


def tls_channel(identity: PeerIdentity, *, initiator: bool, expected_peer: str | None) -> SecureChannel:
    """A TLS channel; `expected_peer` (text) is what the other side must prove, None accepts any peer."""
    raise NotImplementedError
