"""The peers of one session: how fast they are, what each may be asked for (boxo SessionPeerManager)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

from bitswap.network.interface import Peer
from bitswap.options import ClientOptions

_ASSUMED = 2.0
_MOST_ASKED = 64.0
_LEAST_SHARE = 0.005
_WORTH = 0.2  # of the best one's share of hits: those below it are not asked without knowledge
_KEPT = 0.9
"""What remains of the old measure after a message; some twenty messages back hardly count."""


class Hits:
    """How many of the blocks that peers were asked about without knowledge they had; the last count most.

    It begins as if `share` of a few had been there.
    """

    __slots__ = ("_asked", "_had")

    def __init__(self, share: float) -> None:
        self._asked = _ASSUMED
        self._had = _ASSUMED * share

    def add(self, had: int, lacked: int) -> None:
        self._had += had
        self._asked += had + lacked
        if self._asked > _MOST_ASKED:
            self._had *= _MOST_ASKED / self._asked
            self._asked = _MOST_ASKED

    @property
    def share(self) -> float:
        """0 to 1, and not quite 0."""
        return max(self._had / self._asked, _LEAST_SHARE)


class SessionPeer:
    """A peer as one session sees it; counts are of want-blocks and blocks of this session only."""

    __slots__ = (
        "_blocks",
        "_busy",
        "_idle",
        "_since",
        "blocks",
        "bytes",
        "denials",
        "duplicates",
        "hits",
        "latency",
        "limit",
        "outstanding",
        "peer",
        "silences",
        "withheld",
    )

    def __init__(self, peer: Peer, share: float = 1.0) -> None:
        self.peer = peer
        self.outstanding = 0
        self.limit = 0
        """How many wants it may have outstanding; set by `SessionPeerManager.share`."""
        self.blocks = 0
        self.bytes = 0
        self.duplicates = 0
        self.denials = 0
        """DONT_HAVEs in a row."""
        self.silences = 0
        """Times in a row that it left wants without an answer."""
        self.withheld = 0
        """Times, since the last block, that it had said HAVE and sent nothing: others come first."""
        self.hits = Hits(share)
        """What it had of the blocks that it was asked about blindly."""
        self.latency = 0.0
        """Seconds to the first answer after a pause; the shortest so far."""
        self._since = 0.0
        self._idle = True
        self._busy = 0.0
        self._blocks = 0.0

    def asked(self, count: int, now: float) -> None:
        if not self.outstanding:
            self._since = now
            self._idle = True
        self.outstanding += count

    def delivered(self, count: int, size: int, now: float) -> None:
        """`count` blocks of together `size` bytes came that the session wanted."""
        self.blocks += count
        self.bytes += size
        self.denials = self.silences = self.withheld = 0
        if self._idle:
            self._idle = False
            waited = now - self._since
            self.latency = min(self.latency or waited, waited)
        self._blocks = self._blocks * _KEPT + count
        self._busy = self._busy * _KEPT + (now - self._since)
        self._since = now

    @property
    def speed(self) -> float | None:
        """Blocks a second while it had something to do, or None before the first block."""
        if not self.blocks:
            return None
        return self._blocks / max(self._busy, 1e-6)


class SessionPeerManager:
    """The peers that a session asks. `named`: those given by the caller, the only ones asked unprompted."""

    def __init__(self, options: ClientOptions, named: Iterable[Peer] | None) -> None:
        self._options = options
        self._peers: dict[Peer, SessionPeer] = {}
        # Those who left as well, for the statistics and in case they come back; the oldest of them are
        # dropped.
        self._known: dict[Peer, SessionPeer] = {}
        self.named: tuple[Peer, ...] | None = None if named is None else tuple(dict.fromkeys(named))
        self.hits = Hits(1.0)
        """Those of all peers together."""
        self.lost: dict[Peer, str] = {}
        """Why peers of the session are gone."""

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, peer: object) -> bool:
        return peer in self._peers

    def get(self, peer: Peer) -> SessionPeer | None:
        return self._peers.get(peer)

    def add(self, peer: Peer) -> SessionPeer:
        """The session peer for a connected `peer`, new unless it is one."""
        found = self._peers.get(peer)
        if found is None:
            found = self._known.setdefault(peer, SessionPeer(peer, self.hits.share))
            found.outstanding = found.denials = found.silences = 0
            self._peers[peer] = found
            self.lost.pop(peer, None)
            if len(self._known) > self._options.max_peer_records:
                self._drop_oldest()
        return found

    def _drop_oldest(self) -> None:
        gone = next((peer for peer in self._known if peer not in self._peers), None)
        if gone is not None:
            del self._known[gone]
        gone = next((peer for peer in self.lost if not self.named or peer not in self.named), None)
        if gone is not None:
            del self.lost[gone]

    def remove(self, peer: Peer, reason: str | None = None) -> SessionPeer | None:
        """What it was, None if it was none; `reason` says why it is gone if it is."""
        if reason is not None and (peer in self._peers or (self.named and peer in self.named)):
            self.lost[peer] = reason
        return self._peers.pop(peer, None)

    def learned(self, member: SessionPeer, had: int, lacked: int) -> None:
        """`member` has and lacks so many blocks of those that it was asked about without knowledge."""
        member.hits.add(had, lacked)
        self.hits.add(had, lacked)

    def has_sure(self, share: float) -> bool:
        """Whether somebody has had at least this share of what it was asked about."""
        return any(peer.hits.share >= share for peer in self._peers.values())

    def likely(self) -> Sequence[SessionPeer]:
        """Those that are worth asking without knowledge: all of few, else those that had most.

        Not those that leave everything unanswered, unless they were named: the search tells them what is
        wanted, and nobody waits for them.
        """
        options = self._options
        if self.named is not None:
            return self.candidates()
        peers = [peer for peer in self._peers.values() if peer.silences < options.silent_attempts]
        most = options.search_peers
        if len(peers) <= most:
            return peers
        best = sorted(peers, key=lambda peer: -peer.hits.share)[:most]
        least = best[0].hits.share * _WORTH
        return [peer for peer in best if peer.hits.share >= least]

    def candidates(self) -> Sequence[SessionPeer]:
        return list(self._peers.values())

    def statistics(self) -> dict[Peer, SessionPeer]:
        """Everybody who was ever asked, whether it is there or not."""
        return dict(self._known)

    def share(self, *, complete: bool = True, expected: int = 0) -> Sequence[SessionPeer]:
        """Set everybody's limit and return all of them; `complete`: nobody else is expected to join.

        `expected`: how many others may join any moment. One peer alone may have everything. Otherwise each
        gets what it delivers in the next moment, so that a slow one does not sit on wants that a fast one, or
        a newcomer, could have answered.
        """
        options = self._options
        peers = self.candidates()
        if complete and len(peers) == 1:
            peers[0].limit = options.max_outstanding_wants
            return peers
        first = 2 * options.initial_window // max(len(peers) + expected, 2)
        first = min(max(first, options.min_window), options.initial_window)
        for peer in peers:
            speed = peer.speed
            if peer.silences:
                # One want is enough to see whether it is there again.
                peer.limit = 1
            elif speed is None:
                peer.limit = first
            else:
                # Four times the way lets a speed grow that is limited by how much was asked.
                # What it lacks it says at once, so that it is given more of what it may lack.
                wanted = ceil(speed * (options.window_seconds + 4.0 * peer.latency) / peer.hits.share)
                peer.limit = min(max(wanted, options.min_window), options.max_outstanding_wants)
        return peers
