"""Connected peers, their message queues, and who was asked for what (boxo `peermanager`)."""

from bitswap.peermanager.peermanager import Outgoing, PeerManager

__all__ = ["Outgoing", "PeerManager"]
