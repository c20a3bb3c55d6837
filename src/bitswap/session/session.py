"""Whom to ask for which block, and what to make of the answers (boxo session and sessionWantSender).

Every want has its want-block at one peer at a time. A session that knows nobody asks everybody whether they
have the first few blocks, or for the blocks themselves where only few peers are connected; who answers
becomes a peer of the session, and the other wants are dealt out among those by their speed. A DONT_HAVE, a
silence or a lost connection moves a want to the next peer at once. When nobody is left the others are asked
whether they have it, and after a pause everybody again; a session that is confined to named peers then gives
it up instead, and says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from bitswap.cid import CID
from bitswap.deadlines import Deadlines
from bitswap.network.interface import Peer
from bitswap.options import ClientOptions
from bitswap.peermanager import PeerManager
from bitswap.presence import BlockPresence
from bitswap.session.want import Want, Wants, asks
from bitswap.sessionpeermanager import SessionPeer, SessionPeerManager
from bitswap.sessionrequestsplitter import expected_wait, split, usual_speed

DONT_HAVE = "answered DONT_HAVE"
NOT_CONNECTED = "not connected"
_LOOK_AHEAD = 64  # wants whose holders have no room, after which the others wait as well


class Failure(NamedTuple):
    """A want that was given up: why, for each peer, and whether a connection was lost on the way."""

    cid: CID
    reasons: dict[Peer, str]
    lost: bool


class Session:
    """The machine of one session. `now` is in seconds; what it wants goes to the PeerManager at once."""

    def __init__(
        self,
        number: int,
        peers: PeerManager,
        presence: BlockPresence,
        deadlines: Deadlines[object],
        options: ClientOptions,
        *,
        named: Iterable[Peer] | None = None,
        broadcast: bool = True,
    ) -> None:
        self.number = number
        self.peers = SessionPeerManager(options, named)
        self.wants = Wants()
        self.failures: list[Failure] = []
        """Wants given up since somebody last looked."""
        self.closed = False
        self.blocks = 0
        self.bytes = 0
        self.duplicates = 0
        self._network = peers
        self._presence = presence
        self._deadlines = deadlines
        self._options = options
        self._broadcast = broadcast
        # Wants that all connected peers were asked about.
        self._sought: dict[CID, Want] = {}
        self._pause = options.retry_delay
        self._left_out = False  # in this round others were not asked, and that is counted
        for peer in self.peers.named or ():
            if peer in peers:
                self.peers.add(peer)

    # -- what is wanted

    def add(self, cids: Iterable[CID], now: float) -> None:
        """Want these blocks, which the session does not want yet; earlier ones come first."""
        presence, wants = self._presence, self.wants
        for cid in cids:
            wants.add(cid, known=cid in presence)
        self._ask(now)

    def cancel(self, cids: Iterable[CID], now: float) -> None:
        """Nobody in this session wants these any more; the caller tells the peers if nobody else does."""
        for cid in cids:
            want = self.wants.remove(cid)
            if want is not None:
                self._sought.pop(cid, None)
                if want.asked is not None:
                    want.asked.outstanding -= 1
        self._ask(now)

    # -- what peers say

    def blocks_received(self, peer: Peer | None, cids: Sequence[CID], size: int, now: float) -> None:
        """Wanted blocks came, together `size` bytes, from `peer` or, if None, from this node itself."""
        wants, sought = self.wants, self._sought
        for cid in cids:
            want = wants.all.pop(cid)
            if want.asked is not None:
                want.asked.outstanding -= 1
            else:
                wants.unplace(want)
            if sought:
                sought.pop(cid, None)
        if peer is not None:
            self.blocks += len(cids)
            self.bytes += size
        if peer is not None and self._may_ask(peer):
            self.peers.add(peer).delivered(len(cids), size, now)
            self._pause = self._options.retry_delay
        self._ask(now)

    def answers_received(
        self, peer: Peer, haves: Iterable[CID], dont_haves: Iterable[CID], now: float
    ) -> None:
        """`peer` has some of the wanted blocks and lacks others; the presences know of both already."""
        wants = self.wants
        for cid in haves:
            want = wants.all[cid]
            if self._may_ask(peer):
                member = self.peers.add(peer)
                member.denials = member.silences = 0
                self._pause = self._options.retry_delay
            self._sought.pop(cid, None)
            if want.tried:
                want.tried.pop(peer, None)
            wants.reconsider([want])
        denied = 0
        for cid in dont_haves:
            want = wants.all[cid]
            denied += 1
            self._release(want, peer)
            wants.reconsider([want])
        if denied:
            self._count_denials(peer, denied)
        self._ask(now)

    def _count_denials(self, peer: Peer, count: int) -> None:
        """A peer that has had nothing for long leaves, where there are others and it was not named."""
        member = self.peers.get(peer)
        if member is None:
            return
        member.silences = 0
        member.denials += count
        if (
            member.denials > self._options.dont_have_limit
            and len(self.peers) > 1
            and self.peers.named is None
        ):
            self._remove(peer, None)

    def silent(self, peer: Peer, cids: Iterable[CID], reason: str, now: float) -> None:
        """`peer` did not answer these in time, which counts as a DONT_HAVE until the next round."""
        wants = [want for want in map(self.wants.all.get, cids) if want is not None]
        member = self.peers.get(peer)
        if member is not None and wants:
            member.silences += 1
        for want in wants:
            want.pass_over(peer, reason)
            self._release(want, peer)
        self.wants.reconsider(wants)
        self._ask(now)

    def _may_ask(self, peer: Peer) -> bool:
        """Whether the session may turn to `peer`: it is there, and named where only named peers count."""
        return peer in self._network and (self._broadcast or peer in (self.peers.named or ()))

    def _release(self, want: Want, peer: Peer) -> None:
        if want.asked is not None and want.asked.peer == peer:
            want.asked.outstanding -= 1
            want.asked = None
            self.wants.again[want.cid] = want

    # -- connections

    def peer_connected(self, peer: Peer, now: float) -> None:
        """A newcomer is asked for what nobody else has."""
        named = self.peers.named
        if named is not None and peer in named:
            self.peers.add(peer)
        elif not self._broadcast:
            return
        elif len(self._network) <= self._options.few_peers:
            self.peers.add(peer)
        elif self._sought:
            self._network.want_haves(peer, asks(self._sought.values()), dont_have=False)
        self.wants.reconsider(self.wants.stuck.values())
        self._ask(now)

    def peer_disconnected(self, peer: Peer, reason: str, now: float) -> None:
        """What the peer was asked for goes to others at once."""
        self._remove(peer, reason)
        self.wants.reconsider(self.wants.stuck.values())
        self._ask(now)

    def _remove(self, peer: Peer, reason: str | None) -> None:
        member = self.peers.remove(peer, reason)
        if member is not None:
            # A loop over all wants, because connections are lost rarely and wants are counted all the time.
            for want in self.wants.all.values():
                if want.asked is member:
                    want.asked = None
                    self.wants.again[want.cid] = want
            member.outstanding = 0

    # -- asking

    def _ask(self, now: float) -> None:
        """Ask somebody for every want that nobody is asked for, as far as there is room."""
        wants = self.wants
        if not wants.again and not wants.fresh:
            return
        peers = self._share() or self._join_few()
        if wants.again:
            self._ask_again(peers, now)
        if wants.fresh:
            if peers:
                self._ask_fresh(peers, now)
            elif self._is_confined():
                for want in list(wants.fresh.values()):
                    self._give_up(want)
        if wants.stuck or (wants.fresh and not peers):
            self._seek(now)

    def _join_few(self) -> Sequence[SessionPeer]:
        """Where only few peers are connected they are all asked straight: an answer costs one round trip."""
        if self._broadcast and len(self._network) <= self._options.few_peers:
            for peer in self._network.peers_by_use():
                self.peers.add(peer)
        return self._share()

    def _share(self) -> Sequence[SessionPeer]:
        return self.peers.share(complete=self._is_confined() or len(self._network) == 1)

    def _ask_fresh(self, peers: Sequence[SessionPeer], now: float) -> None:
        fresh = self.wants.fresh
        room = _room(peers)
        if room < len(fresh):
            # Single places are not worth a message to a peer that has enough to do.
            peers = [peer for peer in peers if (peer.limit - peer.outstanding) * 8 >= peer.limit]
            room = _room(peers)
        taken = [fresh.popitem(last=False)[1] for _ in range(min(room, len(fresh)))]
        for member, numbers in split(len(taken), peers):
            mine = [taken[number] for number in numbers]
            for want in mine:
                want.asked = member
            member.asked(len(mine), now)
            self._network.want_blocks(member.peer, asks(mine))

    def _ask_again(self, peers: Sequence[SessionPeer], now: float) -> None:
        """Wants about which something is known go to who has them, or else to who may."""
        blocks: dict[SessionPeer, list[Want]] = {}
        haves: dict[SessionPeer, list[Want]] = {}
        usual = usual_speed(peers)
        left_out = 0
        for want in list(self.wants.again.values()):
            said = self._presence.of(want.cid)
            able = [peer for peer in peers if said.get(peer.peer) is not False]
            if want.tried:
                able = [peer for peer in able if peer.peer not in want.tried]
            if not able:
                del self.wants.again[want.cid]
                self.wants.stuck[want.cid] = want
                if self._is_confined() and self._is_hopeless(want):
                    self._give_up(want)
                continue
            holders = [peer for peer in able if said.get(peer.peer)]
            chosen = min(
                (peer for peer in holders or able if peer.outstanding < peer.limit),
                key=lambda peer: expected_wait(peer, usual),
                default=None,
            )
            del self.wants.again[want.cid]
            if chosen is None:
                # Behind the others, so that not the same ones are looked at in vain for every message.
                self.wants.again[want.cid] = want
                left_out += 1
                if left_out >= _LOOK_AHEAD:
                    break
                continue
            want.asked = chosen
            chosen.asked(1, now)
            blocks.setdefault(chosen, []).append(want)
            if not holders and not want.probed and len(able) > 1:
                want.probed = True
                for peer in able:
                    if peer is not chosen:
                        haves.setdefault(peer, []).append(want)
        for peer, mine in blocks.items():
            self._network.want_blocks(peer.peer, asks(mine))
        for peer, mine in haves.items():
            self._network.want_haves(peer.peer, asks(mine), dont_have=True)

    def _seek(self, now: float) -> None:
        """Ask those outside the session whether they have what nobody in it has; wait for the next round."""
        if self._broadcast:
            everybody = self._network.peers()
            outside = [peer for peer in everybody if peer not in self.peers]
            if outside and len(everybody) <= self._options.few_peers and self._join_untried(outside):
                self._ask(now)
                return
            limit = self._options.broadcast_wants
            if not self.peers and self._pause <= self._options.retry_delay:
                limit = self._options.discovery_wants
            places = max(limit - len(self._sought), 0)
            sought = list(
                islice((want for want in self.wants.idle() if want.cid not in self._sought), places)
            )
            self._sought.update((want.cid, want) for want in sought)
            for peer in outside if sought else ():
                self._network.want_haves(peer, asks(sought), dont_have=False)
        elif not self._left_out:
            self._left_out = True
            self._network.broadcast_skips += max(len(self._network) - len(self.peers), 0)
        self._deadlines.at(self, now + self._pause)

    def _join_untried(self, outside: Sequence[Peer]) -> bool:
        """Take in peers that left the session; False if no want could be asked of them."""
        for peer in outside:
            self.peers.add(peer)
        free = [want for want in self.wants.stuck.values() if self._untried(want, outside)]
        self.wants.reconsider(free)
        return bool(free) or bool(self.wants.fresh)

    def _untried(self, want: Want, peers: Sequence[Peer]) -> bool:
        said = self._presence.of(want.cid)
        return any(said.get(peer) is not False and peer not in (want.tried or ()) for peer in peers)

    def on_deadline(self, now: float) -> None:
        """The next round: everybody may be asked again, those outside the session too."""
        wants = self.wants
        if self.closed or not (wants.stuck or wants.again or (wants.fresh and not self.peers)):
            return
        for want in wants.stuck.values():
            want.tried = None
            want.probed = False
            self._presence.forget_denials(want.cid)
        self._pause = min(self._pause * 2.0, self._options.max_retry_delay)
        self._left_out = False
        self._sought.clear()
        wants.reconsider(wants.stuck.values())
        self._ask(now)

    # -- giving up

    def _is_confined(self) -> bool:
        return not self._broadcast

    def _is_hopeless(self, want: Want) -> bool:
        """Whether nobody that the session may ask will ever send it: a silent peer gets some more chances."""
        for peer in self.peers.named or ():
            member = self.peers.get(peer)
            if member is None or self._presence.of(want.cid).get(peer) is False:
                continue
            if member.silences < self._options.silent_attempts:
                return False
        return True

    def _give_up(self, want: Want) -> None:
        self.wants.remove(want.cid)
        reasons = self.reasons(want)
        lost = any(peer in self.peers.lost for peer in reasons)
        self.failures.append(Failure(want.cid, reasons, lost))

    def reasons(self, want: Want) -> dict[Peer, str]:
        """For each peer that counts for the session, why it has not sent the block."""
        said = self._presence.of(want.cid)
        peers = dict.fromkeys([*(self.peers.named or ()), *said, *(want.tried or ()), *self.peers.lost])
        if want.asked is not None:
            peers[want.asked.peer] = None
        return {peer: self._reason(want, peer, said.get(peer)) for peer in peers}

    def _reason(self, want: Want, peer: Peer, has: bool | None) -> str:
        if peer in self.peers.lost:
            return self.peers.lost[peer]
        if peer not in self._network:
            return NOT_CONNECTED
        if want.tried and peer in want.tried:
            return want.tried[peer]
        if has is False:
            return DONT_HAVE
        if has:
            return "answered HAVE, but has not sent the block"
        if want.asked is not None and want.asked.peer == peer:
            return "asked for the block, has not answered"
        return "has not answered"


def _room(peers: Iterable[SessionPeer]) -> int:
    """Wants that these peers can take."""
    return sum(peer.limit - peer.outstanding for peer in peers if peer.outstanding < peer.limit)
