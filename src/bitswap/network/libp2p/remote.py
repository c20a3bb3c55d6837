"""What is known of one connected peer: its connections, its protocols, how far away it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitswap.network.libp2p.lane import Lane
    from bitswap.network.libp2p.link import Link
    from bitswap.network.libp2p.message_reader import MessageReader

_SMOOTHING = 0.1
"""Weight of a new round trip (go-libp2p peerstore: latency EWMA)."""


class RemotePeer:
    """Lives from the first connection of a peer to its last; changed on the reactor's thread only."""

    def __init__(self, peer: str) -> None:
        self.id = peer
        self.links: list[Link] = []
        """Open connections, oldest first."""
        self.lanes: dict[int, Lane] = {}
        self.readers: set[MessageReader] = set()
        self.paused = False
        """Set from any thread; its messages wait until `resume`."""
        self.latency: float | None = None
        self.identified = False
        self.protocols: frozenset[str] = frozenset()
        self.agent = ""
        self.observed_address: bytes = b""

    @property
    def link(self) -> Link | None:
        """The connection for streams of ours: the oldest that still takes some."""
        for link in self.links:
            if link.is_open and not link.connection.session.remote_going_away:
                return link
        return None

    @property
    def in_flight(self) -> int:
        """Messages being sent, and streams of the peer that messages are read from; from any thread."""
        sending = sum(lane.busy for lane in list(self.lanes.values()))
        return sending + sum(reader.inbound for reader in list(self.readers))

    def add_round_trip(self, seconds: float) -> None:
        """Smooth a new measurement in; the first is taken as it is."""
        if self.latency is None:
            self.latency = seconds
        else:
            self.latency += (seconds - self.latency) * _SMOOTHING
