"""Which member of a session is asked for which block (boxo sessionWantSender).

Every want has its want-block at one member at a time. What nothing is known about is dealt out by how fast
the members are and how much they usually have; what somebody has said about goes to who has it, or else to
who may. Where members often lack what they are asked for, others are asked at the same time whether they have
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bitswap.cid import CID
from bitswap.network.interface import Peer
from bitswap.options import ClientOptions
from bitswap.peermanager import PeerManager
from bitswap.presence import BlockPresence
from bitswap.session.search import EVERYBODY, Search
from bitswap.session.want import Want, Wants, asks, hand_over, take_first
from bitswap.sessionpeermanager import SessionPeer, SessionPeerManager
from bitswap.sessionrequestsplitter import expected_wait, split, usual_speed

SURE = 0.75
"""Share of hits from which a member is asked without asking others whether they have the block too."""
_RARE = 0.25  # share of hits below which a member is only asked whether it has a block
_LOOK_AHEAD = 64  # wants whose holders have no room, after which the others wait as well


class Asking:
    """Gives the wants of one session to its members, as far as their limits allow."""

    def __init__(
        self,
        wants: Wants,
        members: SessionPeerManager,
        network: PeerManager,
        presence: BlockPresence,
        search: Search,
        options: ClientOptions,
        is_shared: Callable[[CID], bool],
        may_ask: Callable[[Peer], bool],
        may_come: Callable[[Want], bool],
    ) -> None:
        """`is_shared`: whether other sessions want a block too. `may_ask`: whether a peer may be a member.

        `may_come`: whether there is a place for a block that everybody lacked.
        """
        self._wants = wants
        self._members = members
        self._network = network
        self._presence = presence
        self._search = search
        self._options = options
        self._is_shared = is_shared
        self._may_ask = may_ask
        self._may_come = may_come

    # -- wants that nothing is known about

    def fresh(self, now: float) -> None:
        """Deal out what nobody was asked for, first come first; what nobody has room for stays."""
        fresh = self._wants.fresh
        peers = self._members.likely()
        room = _room(peers)
        if room < len(fresh):
            # Single places are not worth a message to a peer that has enough to do.
            peers = [peer for peer in peers if (peer.limit - peer.outstanding) * 8 >= peer.limit]
            room = _room(peers)
        taken = take_first(fresh, min(room, len(fresh)))
        dealt = [
            (member, taken if len(numbers) == len(taken) else [taken[number] for number in numbers])
            for member, numbers in split(len(taken), peers)
        ]
        for member, mine in dealt:
            member.asked(len(mine), now)
            self._network.want_blocks(member.peer, hand_over(mine, member))
        told = [member for member, _ in dealt]
        for member, mine in dealt:
            if not self._is_sure(member):
                self._probe_others(member, mine, told, peers, now)

    def _probe_others(
        self,
        asked: SessionPeer,
        wants: Sequence[Want],
        told: Sequence[SessionPeer],
        peers: Sequence[SessionPeer],
        now: float,
    ) -> None:
        """Ask others whether they have these, first those who are told something anyway.

        A single other is not: it is asked for the block itself if the first one lacks it.
        """
        others = [peer for peer in told if peer is not asked]
        missing = self._options.probe_peers - len(others)
        if missing > 0:
            rest = [peer for peer in peers if peer is not asked and peer not in others]
            others += sorted(rest, key=lambda peer: -peer.hits.share)[:missing]
        if len(others) > 1:
            for peer in others:
                self._search.probe(peer.peer, wants, now)

    def _is_sure(self, member: SessionPeer) -> bool:
        """Whether it has most of what the session wants, going by what is known of it and of the others."""
        return member.hits.share >= SURE and self._members.hits.share >= SURE

    def _seldom_has(self, member: SessionPeer) -> bool:
        """Whether it had better be asked first if it has a block.

        Asked for a block that it lacks it sends it as soon as it gets it, when another one may have.
        """
        return member.hits.share < _RARE and self._network.knows_have(member.peer)

    # -- wants that somebody has too many of

    def take_back(self, peers: Sequence[SessionPeer], now: float) -> None:
        """Take the last wants of whoever has far more to do than its limit, for whoever has room first.

        It was alone when it got them, or has become slow. What is within its limit is about to come; of the
        rest a cancel arrives in time.
        """
        for member in peers:
            if member.outstanding <= 2 * member.limit:
                continue
            mine = [want for want in self._wants.all.values() if want.asked is member and want.blind]
            # Another session may have asked the same peer for the same, once for both.
            back = [want for want in mine[member.limit :] if not self._is_shared(want.cid)]
            member.outstanding -= len(back)
            for want in back:
                want.asked = None
                self._wants.again[want.cid] = want
            self._network.withdraw(member.peer, [want.cid for want in back], now)

    # -- wants that something is known about

    def again(self, peers: Sequence[SessionPeer], now: float) -> float | None:
        """Ask who has it, or else who may, for each want in `again`; who nobody can be asked for gets lost.

        Where answers of members are still to come the want rests; returns until when the first of them does.
        """
        wants = self._wants
        blocks: dict[SessionPeer, list[Want]] = {}
        haves: dict[SessionPeer, list[Want]] = {}
        usual = usual_speed(peers)
        likely = self._members.likely()
        left_out = 0
        rests: list[Want] = []
        for want in list(wants.again.values()):
            holders = self._holders(want)
            if not holders and want.awaited(now) is not None:
                rests.append(want)
                continue
            able = holders or self._candidates(want, likely)
            if not able:
                wants.lose(want)
                continue
            chosen = min(
                (peer for peer in able if peer.outstanding < peer.limit),
                key=lambda peer: (peer.withheld, expected_wait(peer, usual, blind=not holders)),
                default=None,
            )
            del wants.again[want.cid]
            if chosen is None:
                # Behind the others, so that not the same ones are looked at in vain for every message.
                wants.again[want.cid] = want
                left_out += 1
                if left_out >= _LOOK_AHEAD:
                    break
                continue
            only_probes = not holders and len(able) > 2 and self._seldom_has(chosen)
            if not only_probes and not self._may_come(want):
                wants.bar(want)
                continue
            if not holders:
                for peer in self._worth_probing(want, chosen, able):
                    haves.setdefault(peer, []).append(want)
            if only_probes:
                haves.setdefault(chosen, []).append(want)
                want.doubted = True
                rests.append(want)
            else:
                want.asked = chosen
                want.blind = not holders
                chosen.asked(1, now)
                blocks.setdefault(chosen, []).append(want)
        for peer, mine in blocks.items():
            self._network.want_blocks(peer.peer, asks(mine))
        for peer, mine in haves.items():
            self._search.probe(peer.peer, mine, now)
        return self._rest(rests, now)

    def _rest(self, resting: Iterable[Want], now: float) -> float | None:
        """Let these wait for answers; returns until when the first of them does."""
        first: float | None = None
        for want in resting:
            until = want.awaited(now)
            if until is None:
                # Nobody could be asked: those that are left lack it, or do not understand.
                self._wants.lose(want)
            else:
                self._wants.rest(want)
                first = until if first is None else min(first, until)
        return first

    def named(self, want: Want, member: SessionPeer, now: float) -> None:
        """Ask a member that a router named: for the block, or whether it has it while another is asked."""
        peer = member.peer
        if peer in self._presence.of(want.cid) or peer in (want.tried or ()):
            return
        if want.asked is not None:
            if want.asked is not member:
                self._search.probe(peer, [want], now)
        elif (not member.outstanding or member.outstanding < member.limit) and self._may_come(want):
            self._wants.unplace(want)
            self._search.restart(want)
            want.asked = member
            want.blind = True
            member.asked(1, now)
            self._network.want_blocks(peer, asks([want]))

    def _holders(self, want: Want) -> list[SessionPeer]:
        """Members that have said that they have it and are not passed over.

        If there are none, others that have said so, to another session or before they left, become members.
        """
        tried = want.tried or ()
        peers = [peer for peer, has in self._presence.of(want.cid).items() if has and peer not in tried]
        members = [member for peer in peers if (member := self._members.get(peer)) is not None]
        if members or not peers:
            return members
        return self._join(want, [peer for peer in peers if self._may_ask(peer)])

    def _join(self, want: Want, peers: Sequence[Peer]) -> list[SessionPeer]:
        """Make members of those that another session has asked for the block already, or else of all."""
        chosen = [peer for peer in peers if self._network.is_asked(peer, want.cid)] or peers
        members = [self._members.add(peer) for peer in chosen]
        for member in members:
            member.limit = self._options.min_window
        return members

    def _candidates(self, want: Want, likely: Sequence[SessionPeer]) -> Sequence[SessionPeer]:
        """Members that may have it: once they were asked if they do and nothing else, silence means no."""
        if want.wave >= EVERYBODY:
            return ()
        said = self._presence.of(want.cid)
        tried = want.tried or ()
        able = [peer for peer in likely if peer.peer not in said and peer.peer not in tried]
        if want.rounds or want.doubted:
            able = [peer for peer in able if not self._network.has_question(peer.peer, want.cid)]
        return able

    def _worth_probing(
        self, want: Want, chosen: SessionPeer, able: Sequence[SessionPeer]
    ) -> Sequence[SessionPeer]:
        """Who is asked whether it has what `chosen` is asked for: few while most members have most, since all
        of them would send a small block; many where each has little."""
        options = self._options
        denied = bool(want.tried or self._presence.of(want.cid))
        if self._is_sure(chosen):
            most = options.probe_peers - 1 if denied else 0
        else:
            most = options.search_peers if denied else options.probe_peers
        return [peer for peer in able if peer is not chosen][:most]


def _room(peers: Iterable[SessionPeer]) -> int:
    """Wants that these peers can take."""
    return sum(peer.limit - peer.outstanding for peer in peers if peer.outstanding < peer.limit)
