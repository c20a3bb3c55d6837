"""Bitswap over libp2p: TCP, TLS 1.3 or Noise, yamux, identify, ping; one thread for all connections."""

from __future__ import annotations

from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.network import Libp2pNetwork

__all__ = ["Libp2pNetwork", "PeerIdentity"]
