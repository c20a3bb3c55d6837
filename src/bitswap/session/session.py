"""What becomes of the wants of a session: what peers say, who joins, what is tried next (boxo session).

A session that knows nobody asks some peers whether they have the first few blocks, or all for the blocks
themselves where only few are connected; who has something becomes a member, and the members are asked for
the other blocks (`asking`). A DONT_HAVE, a silence or a lost connection moves a want to the next member. When
none is left the search widens to the peers outside (`search`), and begins anew after a pause; a session that
is confined to named peers gives the want up instead, and says why.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, islice

from bitswap.cid import CID
from bitswap.deadlines import Deadlines
from bitswap.errors import Reason
from bitswap.moments import Moments
from bitswap.network.interface import Peer
from bitswap.options import ClientOptions
from bitswap.peermanager import PeerManager
from bitswap.presence import BlockPresence
from bitswap.providerquerymanager import SessionSearches
from bitswap.session.asking import SURE, Asking
from bitswap.session.providers import Providers
from bitswap.session.reasons import Failure, reasons
from bitswap.session.search import ENDED, Search
from bitswap.session.shelf import Shelf
from bitswap.session.want import Want, Wants, came
from bitswap.sessionpeermanager import SessionPeer, SessionPeerManager

_HOLD = 0.25  # of the way there and back: how long what was denied waits for other answers
_LONGEST_HOLD = 0.05  # seconds
_MOST_PUT_OFF = 8.0  # pauses


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
        is_shared: Callable[[Session, CID], bool] = lambda _, __: False,
        has_place: Callable[[Session, CID], bool] = lambda _, __: True,
        searches: SessionSearches[Session] | None = None,
    ) -> None:
        """`is_shared` says whether other sessions ask for a block as well; `searches` finds providers."""
        self.number = number
        self.peers = SessionPeerManager(options, named)
        self.wants = Wants()
        self.failures: list[Failure] = []
        """Wants given up since somebody last looked."""
        self.absent: list[CID] = []
        """What everybody was asked for in vain since somebody last looked."""
        self.moments: Moments | None = None
        """Where what it does by itself is noted, if it is."""
        self.closed = False
        self.blocks = 0
        self.bytes = 0
        self.duplicates = 0
        self._network = peers
        self._presence = presence
        self._deadlines = deadlines
        self._options = options
        self._broadcast = broadcast
        self._search = Search(number, peers, self.peers, presence, options)
        shared = partial(is_shared, self)
        self.shelf = Shelf(self.wants, peers, presence, self._search, options, shared)
        self.providers = Providers(self, self.wants, presence, deadlines, searches if broadcast else None)
        self._asking = Asking(
            self.wants,
            self.peers,
            peers,
            presence,
            self._search,
            options,
            shared,
            self._may_ask,
            self._may_come,
        )
        self._has_place = has_place
        self._pause = options.retry_delay
        self._round_due: float | None = None  # when everybody may be asked again
        self._round_limit = 0.0  # until when that is put off because the session gets on
        self._got_on = 0.0  # when it last did
        self._held_until = 0.0
        self._joined = False  # somebody who may take something over from the others
        self._left_out = False  # in this round others were not asked, and that is counted
        for peer in self.peers.named or ():
            if peer in peers:
                self.peers.add(peer)

    # -- what is wanted

    def add(self, cids: Iterable[CID], now: float) -> None:
        """Want these blocks, which the session does not want yet; earlier ones come first."""
        presence, wants = self._presence, self.wants
        if presence or self.shelf:
            for cid in cids:
                if not self.shelf.want_again(cid):
                    wants.add(cid, known=cid in presence)
        else:
            wants.add_all(cids)
        self.providers.wanted(now)
        self._ask(now)

    def cancel(self, cids: Collection[CID], now: float) -> None:
        """Nobody in this session wants these any more; the caller tells the peers if nobody else does."""
        for cid in cids:
            want = self.wants.remove(cid)
            if want is not None:
                self._search.found(want)
                if want.asked is not None:
                    want.asked.outstanding -= 1
            else:
                self.shelf.drop(cid)
        self.providers.stop(cids, now)
        self._ask(now)

    # -- what peers say

    def blocks_received(self, peer: Peer | None, cids: Sequence[CID], size: int, now: float) -> None:
        """Wanted blocks came, together `size` bytes, from `peer` or, if None, from this node itself."""
        wants, search = self.wants, self._search
        known, left, elsewhere = came(wants.all, cids)
        for cid in elsewhere:
            self.shelf.drop(cid)
        for want in left:
            if want.asked is None:
                wants.unplace(want)
            if want.wave or want.group is not None:
                search.found(want)
        self.providers.stop(cids, now)
        self.shelf.blocks_received()
        if peer is not None:
            self.blocks += len(cids)
            self.bytes += size
        if peer is not None and self._may_ask(peer):
            member = self.peers.add(peer)
            member.delivered(len(cids), size, now)
            if known < len(cids):
                self.peers.learned(member, len(cids) - known, 0)
            self._pause = self._options.retry_delay
            self._got_on = now
        self._ask(now)

    def answers_received(
        self, peer: Peer, haves: Collection[CID], dont_haves: Iterable[CID], now: float
    ) -> None:
        """`peer` has some of the wanted blocks and lacks others; the presences know of both already."""
        wants, search = self.wants, self._search
        if self.shelf:
            dont_haves = self.shelf.answers_received(peer, haves, dont_haves)
        had = 0
        lacked = 0 if peer in self.peers else search.unanswered(haves)
        for cid in haves:
            want = wants.all[cid]
            had += 1
            want.probed(peer)
            if want.tried:
                want.tried.pop(peer, None)
            if self._may_ask(peer):
                self.peers.add(peer)
                self._pause = self._options.retry_delay
                self._got_on = now
                search.found(want)
                wants.reconsider([want])
        for cid in dont_haves:
            want = wants.all[cid]
            lacked += 1
            want.probed(peer)
            self._release(want, peer)
            if want.group is not None:
                search.answered(want)
            elif want.asked is None:
                wants.hold(want)
        member = self.peers.get(peer)
        if member is not None and had + lacked:
            self._learn(member, had, lacked)
        self._let_go(peer, now)
        self._ask(now)

    def _let_go(self, peer: Peer | None, now: float) -> None:
        """Go on with what was denied, by `peer` last, once no more answers are expected or time is up.

        Others are denied any moment: then all of them are asked elsewhere with one message a peer.
        """
        held = self.wants.held
        if not held:
            self._held_until = 0.0
            return
        if not self._held_until:
            way = self._network.latency(peer) if peer is not None else None
            self._held_until = now + min((way or 0.0) * _HOLD, _LONGEST_HOLD)
        if now < self._held_until and any(peer.outstanding for peer in self.peers.candidates()):
            self._deadlines.at(self, self._held_until)
            return
        self._held_until = 0.0
        self.wants.again.update(held)
        held.clear()

    def _learn(self, member: SessionPeer, had: int, lacked: int) -> None:
        """A peer that has had nothing for long leaves, where there are others and it was not named."""
        self.peers.learned(member, had, lacked)
        member.silences = 0
        member.denials = 0 if had else member.denials + lacked
        if (
            member.denials > self._options.dont_have_limit * len(self.peers)
            and len(self.peers) > 1
            and self.peers.named is None
        ):
            self._remove(member.peer, None)

    def silent(self, peer: Peer, cids: Iterable[CID], reason: str, now: float) -> None:
        """`peer` did not answer these in time, which counts as a DONT_HAVE until the next round."""
        wants = [want for want in map(self.wants.all.get, cids) if want is not None]
        member = self.peers.get(peer)
        if member is not None and wants:
            member.silences += 1
            member.withheld += any(self._presence.of(want.cid).get(peer) for want in wants)
        for want in wants:
            want.pass_over(peer, reason)
            want.probed(peer)
            self._release(want, peer)
            self._search.answered(want)
        self.wants.reconsider(want for want in wants if want.group is None)
        self._ask(now)

    def _may_ask(self, peer: Peer) -> bool:
        """Whether the session may turn to `peer`: it is there, and named where only named peers count."""
        return peer in self._network and (self._broadcast or peer in (self.peers.named or ()))

    def _may_come(self, want: Want) -> bool:
        """Whether a block may be asked for: one that everybody lacked needs a place in the window again."""
        if want.absent and not self._has_place(self, want.cid):
            return False
        want.absent = False
        return True

    def resume(self, places: int, now: float) -> None:
        """There are so many places for blocks that have turned up."""
        self.wants.reconsider(islice(self.wants.barred.values(), places))
        self._ask(now)

    def _release(self, want: Want, peer: Peer) -> None:
        """If `peer` has the want-block, nobody has it any more; the caller finds a place for the want."""
        if want.asked is not None and want.asked.peer == peer:
            want.asked.outstanding -= 1
            want.asked = None

    # -- connections

    def peer_connected(self, peer: Peer, now: float) -> None:
        """A newcomer is asked for what nobody else has."""
        named = self.peers.named
        self.shelf.greet(peer)
        if named is not None and peer in named:
            self.peers.add(peer)
        elif not self._broadcast:
            return
        elif len(self._network) <= self._options.few_peers:
            self.peers.add(peer)
        else:
            self._search.announce(peer)
            return
        self._joined = True
        waiting = list(self.wants.idle.values())
        for want in waiting:
            self._search.restart(want)
        self.wants.reconsider(waiting)
        self._ask(now)

    def peer_disconnected(self, peer: Peer, reason: str, now: float) -> None:
        """What the peer was asked for goes to others at once."""
        self._remove(peer, reason)
        self.providers.lost(peer, now)
        self.shelf.part(peer)
        for want in self.wants.all.values():
            want.probed(peer)
            self._search.answered(want)
        self.wants.reconsider(want for want in self.wants.idle.values() if want.group is None)
        self._ask(now)

    def provider_found(self, peer: Peer, cid: CID, now: float) -> None:
        """`peer`, who is connected, is said to have this block: it may have others as well."""
        if not self._may_ask(peer):
            return
        self.shelf.want_again(cid)
        # A member was asked for the others.
        waiting = [] if peer in self.peers else list(self.wants.idle.values())
        if peer not in self.peers:
            self.shelf.greet(peer)
        member = self.peers.add(peer)
        self._joined = True
        self._pause = self._options.retry_delay
        for want in waiting:
            self._search.restart(want)
        self.wants.reconsider(waiting)
        named = self.wants.all.get(cid)
        if named is not None:
            self._asking.named(named, member, now)
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
        while True:
            wants.reconsider(self._search.over(now))
            if not wants.again and not wants.fresh and not self._joined:
                return
            self._joined = False
            self._ask_members(now)
            if not wants.lost or not self._seek(now):
                return

    def _ask_members(self, now: float) -> None:
        wants = self.wants
        self._join()
        peers = self._share()
        if len(peers) > 1 and not wants.fresh:
            self._asking.take_back(peers, now)
        if wants.again:
            self._deadlines.at(self, self._asking.again(peers, now))
            if self._is_confined():
                for want in [want for want in wants.lost.values() if self._is_hopeless(want)]:
                    self._give_up(want)
        if wants.fresh:
            if self.peers.likely():
                self._asking.fresh(now)
            elif self._is_confined():
                for want in list(wants.fresh.values()):
                    self._give_up(want)
            else:
                self._discover()

    def _join(self) -> None:
        """Where few peers are connected they are all asked straight: an answer costs one round trip.

        So they are where there is a block to ask of each, unless the session knows somebody who has most.
        """
        network, options, members = self._network, self._options, self.peers
        count = len(network)
        if not self._broadcast or count <= len(members):
            return
        few = count <= options.few_peers and not members
        if few or (
            count <= options.direct_peers and len(self.wants.fresh) >= count and not members.has_sure(SURE)
        ):
            for peer in chain(*network.peers_by_use()):
                members.add(peer)

    def _share(self) -> Sequence[SessionPeer]:
        found = self.providers.expected
        complete = self._is_confined() or (len(self._network) == 1 and not found)
        return self.peers.share(complete=complete, expected=len(self._search) + found)

    def _discover(self) -> None:
        """Nobody is known: the first wants are looked for, and the others wait for whoever has them."""
        wants, options = self.wants, self._options
        limit = options.discovery_wants if self._pause <= options.retry_delay else options.broadcast_wants
        places = max(limit - len(wants.lost) - len(self._search), 0)
        for want in list(islice(wants.fresh.values(), places)):
            wants.lose(want)

    # -- looking further

    def _seek(self, now: float) -> bool:
        """Ask those outside the session whether they have what nobody in it has; False if nobody is asked."""
        wants, search = self.wants, self._search
        begun: list[Want] = []
        if self._broadcast:
            begun = search.begin(wants.lost.values(), now)
            for want in begun:
                wants.rest(want)
        elif not self._left_out:
            self._left_out = True
            self._network.broadcast_skips += max(len(self._network) - len(self.peers), 0)
        ended = [want for want in wants.lost.values() if want.wave >= ENDED or not self._broadcast]
        for want in ended:
            wants.rest(want)
            self._plan_round(now)
            if self._broadcast and len(self._network):
                want.absent = True
                self.absent.append(want.cid)
        self.providers.seek([want.cid for want in ended], now)
        if ended:
            self.shelf.fill(now)
        self._set_timer()
        return bool(begun)

    def _plan_round(self, now: float) -> None:
        if self._round_due is None:
            self._round_due = now + self._pause
            self._round_limit = now + _MOST_PUT_OFF * self._pause

    def _set_timer(self) -> None:
        self._deadlines.at(self, self._round_due)
        self._deadlines.at(self, self._search.next_deadline())

    def on_deadline(self, now: float) -> None:
        """Answers are overdue, or it is time for the next round."""
        wants = self.wants
        if self.closed or not (wants or self.shelf):
            self._round_due = None
            return
        self.providers.on_deadline(now, self._got_on)
        if self._round_due is not None and self._round_due <= now:
            # Whoever lacks a block keeps the want and sends the block when it has it, so there is no hurry.
            if self._got_on + self._pause > now and now < self._round_limit:
                self._round_due = now + self._pause
            else:
                self._next_round(now)
        waiting = [want for want in wants.idle.values() if want.probing and want.group is None]
        wants.reconsider(want for want in waiting if want.awaited(now) is None)
        self._let_go(None, now)
        self._ask(now)
        for want in waiting:
            if want.probing:
                self._deadlines.at(self, want.awaited(now))
        self._set_timer()

    def _next_round(self, now: float) -> None:
        """Everybody may be asked again for what everybody was asked for, those outside the session too.

        Not for too much at once, since whoever lacks a block keeps the want; and where nobody is known, first
        for what nobody was asked for yet.
        """
        wants, options = self.wants, self._options
        self._round_due = None
        waiting = [want for want in wants.idle.values() if want.group is None and want.probing is None]
        untried = 0 if self.peers else len(wants.fresh)
        places = max(options.broadcast_wants - untried, 0)
        ended = waiting if self._is_confined() else waiting[:places]
        if self.moments is not None:
            self.moments.note("Session.IdleBroadcast", session=self.number, wants=len(ended))
        if self.shelf and places:
            self.shelf.take_back(places if wants.fresh else options.turn_wants)
            self.providers.wanted(now)
        for want in ended:
            want.tried = None
            want.doubted = False
            want.rounds += 1
            self._presence.forget_denials(want.cid)
            self._search.restart(want)
        if not untried or self._pause <= options.retry_delay:
            self._pause = min(self._pause * 2.0, options.max_retry_delay)
        self._left_out = False
        wants.reconsider(ended)
        if len(ended) < len(waiting) or self.shelf:
            self._plan_round(now)

    # -- giving up

    def _is_confined(self) -> bool:
        return not self._broadcast

    def _is_hopeless(self, want: Want) -> bool:
        """Whether nobody that the session may ask will ever send it: a silent peer gets some more chances."""
        for peer in self.peers.named or ():
            member = self.peers.get(peer)
            if member is None or not self._presence.of(want.cid).get(peer, True):
                continue
            if member.silences < self._options.silent_attempts:
                return False
        return True

    def _give_up(self, want: Want) -> None:
        self.wants.remove(want.cid)
        reasons = self.reasons(want)
        lost = any(peer in self.peers.lost for peer in reasons)
        self.failures.append(Failure(want.cid, reasons, lost))

    def reasons(self, want: Want, now: float | None = None) -> Mapping[Peer, Reason]:
        """Why each peer that counts has not sent the block; with `now` everybody counts who was asked."""
        unreached = self.providers.unreached(want.cid)
        return reasons(want, self.peers, self._presence.of(want.cid), self._network, now, unreached=unreached)
