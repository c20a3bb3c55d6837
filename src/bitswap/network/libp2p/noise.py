"""Noise XX between peers (libp2p specification noise/README.md)."""

from __future__ import annotations

from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.security import SecureChannel


def noise_channel(identity: PeerIdentity, *, initiator: bool, expected_peer: str | None) -> SecureChannel:
    """A Noise channel; `expected_peer` (text) is what the other side must prove, None accepts any peer."""
    raise NotImplementedError
