"""All sessions, and who in them waits for what (boxo SessionManager and SessionInterestManager).

Wants are counted per request: a CID leaves a session with the last request of that session for it, and leaves
the peers with the last session.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.deadlines import Deadlines
from bitswap.errors import Reason
from bitswap.explanation import Wait
from bitswap.moments import Moments
from bitswap.network.interface import Peer
from bitswap.notifications import Notifications, Subscription
from bitswap.options import ClientOptions
from bitswap.peermanager import PeerManager
from bitswap.presence import BlockPresence
from bitswap.providerquerymanager import ProviderConnected, SearchOver, SessionSearches
from bitswap.session import Session
from bitswap.session.explain import explain


class Received(NamedTuple):
    """The blocks of a message: wanted; sent by more than one peer; asked of nobody, or long ago."""

    wanted: list[Block]
    duplicates: list[Block]
    unwanted: list[Block]
    size: int = 0
    """Bytes of those that were wanted."""


class SessionManager:
    """Makes sessions, and takes to each what concerns it. Not shared between threads; `now` is in seconds."""

    def __init__(
        self,
        peers: PeerManager,
        deadlines: Deadlines[object],
        options: ClientOptions,
        searches: SessionSearches[Session] | None = None,
        moments: Moments | None = None,
    ) -> None:
        """`searches`: how sessions find providers, if they can. `moments`: where they note what they do."""
        self._peers = peers
        self._searches = searches
        self._moments = moments
        self._deadlines = deadlines
        self._options = options
        self._presence = BlockPresence()
        self._waiting = Notifications()
        self._sessions: dict[Session, dict[Subscription, None]] = {}
        # Received CIDs that others were asked for too, and whose they were.
        self._remembered: OrderedDict[CID, tuple[Session, ...]] = OrderedDict()
        self._made = 0
        self.haves = 0
        """HAVEs received for blocks that were waited for."""
        self._woken: dict[Subscription, None] = {}

    # -- sessions and requests

    def new_session(self, named: Iterable[Peer] | None, broadcast: bool) -> Session:
        """A session; `named` peers are asked first, and nobody else without `broadcast`."""
        self._made += 1
        session = Session(
            self._made,
            self._peers,
            self._presence,
            self._deadlines,
            self._options,
            named=named,
            broadcast=broadcast,
            is_shared=self._is_shared,
            has_place=self._has_place,
            searches=self._searches,
        )
        session.moments = self._moments
        self._sessions[session] = {}
        return session

    def _is_shared(self, session: Session, cid: CID) -> bool:
        """Whether another session asks for it."""
        others = (request.session for request in self._waiting.of(cid) if request.session is not session)
        return any(cid in other.wants.all for other in others)

    def _has_place(self, session: Session, cid: CID) -> bool:
        """Whether a request of the session has a place, which it takes, for a block that everybody lacked."""
        mine = [request for request in self._waiting.of(cid) if request.session is session]
        if not any(request.places or cid not in request.absent for request in mine):
            return False
        for request in mine:
            request.absent.discard(cid)
        return True

    def close_session(self, session: Session, now: float) -> None:
        """End every request of the session and forget it; a second call does nothing."""
        session.closed = True
        if self._searches is not None:
            self._searches.forget(session, now)
        for subscription in self._sessions.pop(session, {}):
            self._end(subscription, now)
        self._deadlines.remove(session)

    def subscribe(self, session: Session, owner: object = None) -> Subscription:
        """A new request, which wants nothing yet; closed from the start if the session is."""
        subscription = Subscription(session, self._options, owner)
        if session.closed:
            subscription.closed = True
        else:
            self._sessions[session][subscription] = None
        return subscription

    def close(self, subscription: Subscription, now: float) -> None:
        """End a request; a second call does nothing."""
        self._sessions.get(subscription.session, {}).pop(subscription, None)
        self._end(subscription, now)

    def _end(self, subscription: Subscription, now: float) -> None:
        if subscription.closed:
            return
        self.cancel(subscription, list(chain(subscription.active, subscription.waiting)), now)
        subscription.closed = True
        subscription.ready.clear()
        self._woken[subscription] = None

    def close_all(self, now: float) -> None:
        for session in list(self._sessions):
            self.close_session(session, now)

    def __len__(self) -> int:
        return len(self._sessions)

    # -- wants

    def want(self, subscription: Subscription, cids: Iterable[CID], now: float) -> None:
        """Want these for the request, as far as its window allows; the others follow as blocks are taken."""
        if not subscription.closed:
            self._activate(subscription, subscription.add(cids), now)

    def flow(self, subscription: Subscription, now: float) -> None:
        """Blocks were taken: go on with wants that wait for a place in the window."""
        if not subscription.closed:
            self._refill(subscription, now)
            self._follow_up(subscription.session, now)

    def _refill(self, subscription: Subscription, now: float) -> None:
        """First comes what has turned up, then what was not asked for yet."""
        session = subscription.session
        places = subscription.places if session.wants.barred else 0
        if places and (places >= len(session.wants.barred) or places * 8 >= subscription.limit):
            session.resume(places, now)
        if subscription.waiting:
            self._begin(subscription, subscription.flow(), now)

    def _activate(self, subscription: Subscription, cids: list[CID], now: float) -> None:
        self._begin(subscription, cids, now)
        self._follow_up(subscription.session, now)

    def _begin(self, subscription: Subscription, cids: list[CID], now: float) -> None:
        if cids:
            self._waiting.subscribe(subscription, cids)
            known = subscription.session.wants.all
            subscription.session.add([cid for cid in cids if cid not in known] if known else cids, now)

    def cancel(self, subscription: Subscription, cids: Iterable[CID], now: float) -> list[CID]:
        """The request does not want these any more; others keep them. Returns those that were outstanding."""
        dropped, unasked = subscription.remove(cids)
        if dropped:
            self._waiting.unsubscribe(subscription, dropped)
            self._drop(subscription.session, dropped, now)
            self.flow(subscription, now)
        if not subscription.outstanding:
            # Somebody may be waiting for what will not come any more.
            self._woken[subscription] = None
        return dropped + unasked

    def _drop(self, session: Session, cids: Sequence[CID], now: float) -> None:
        """Take what no request of the session wants out of it, and what nobody wants from the peers."""
        left: list[CID] = []
        nobodys: list[CID] = []
        for cid in cids:
            others = self._waiting.of(cid)
            if not others:
                nobodys.append(cid)
                left.append(cid)
            elif not any(other.session is session for other in others):
                left.append(cid)
        self._peers.cancel(nobodys, now)
        self._presence.forget(nobodys)
        session.cancel(left, now)
        self._follow_up(session, now)

    # -- what peers say

    def blocks_received(
        self, peer: Peer | None, blocks: Sequence[Block], cids: Sequence[CID], now: float
    ) -> Received:
        """Hand blocks to whoever waits for them; `peer` is None for blocks that this node added itself.

        `cids` are those of the blocks.
        """
        found, others = self._waiting.publish(blocks, cids)
        sessions: dict[Session, tuple[Sequence[CID], int]] = {}
        wanted: list[Block] = []
        size = 0
        for subscription, mine in found.items():
            names = cids if len(mine) == len(cids) else [block.cid for block in mine]
            total = sum([len(block.data) for block in mine])
            subscription.deliver(mine, names, total)
            self._woken[subscription] = None
            sessions[subscription.session] = (names, total)
            wanted, size = mine, total
        if len(found) > 1:
            wanted, size, sessions = self._merge(found)
        if wanted:
            self._settle(
                peer, cids if len(wanted) == len(cids) else [block.cid for block in wanted], sessions, now
            )
        duplicates, unwanted = self._sort_out(peer, others) if others else ([], [])
        return Received(wanted, duplicates, unwanted, size)

    def _merge(
        self, found: Mapping[Subscription, Sequence[Block]]
    ) -> tuple[list[Block], int, dict[Session, tuple[Sequence[CID], int]]]:
        """Each block once: of all requests, with the bytes, and of each session."""
        everything: dict[CID, Block] = {}
        parts: dict[Session, dict[CID, Block]] = {}
        for subscription, mine in found.items():
            named = {block.cid: block for block in mine}
            everything.update(named)
            parts.setdefault(subscription.session, {}).update(named)
        sessions: dict[Session, tuple[Sequence[CID], int]] = {
            session: (list(part), sum(map(len, part.values()))) for session, part in parts.items()
        }
        return list(everything.values()), sum(map(len, everything.values())), sessions

    def _settle(
        self,
        peer: Peer | None,
        cids: Sequence[CID],
        sessions: Mapping[Session, tuple[Sequence[CID], int]],
        now: float,
    ) -> None:
        shared = self._peers.settled(cids, peer, now)
        whose = [(session, set(mine)) for session, (mine, _) in sessions.items()] if shared else []
        for cid in shared:
            self._remembered[cid] = tuple(session for session, mine in whose if cid in mine)
            self._remembered.move_to_end(cid)
        while len(self._remembered) > self._options.max_remembered:
            self._remembered.popitem(last=False)
        self._presence.forget(cids)
        for session, (mine, size) in sessions.items():
            session.blocks_received(peer, mine, size, now)
            self._follow_up(session, now)

    def _sort_out(self, peer: Peer | None, blocks: Sequence[Block]) -> tuple[list[Block], list[Block]]:
        """Blocks that nobody waits for: those that came twice, and the others."""
        duplicates: list[Block] = []
        unwanted: list[Block] = []
        for block in blocks:
            sessions = self._remembered.get(block.cid)
            if sessions is None or peer is None:
                unwanted.append(block)
                continue
            duplicates.append(block)
            for session in sessions:
                session.duplicates += 1
                member = session.peers.statistics().get(peer)
                if member is not None:
                    member.duplicates += 1
        return duplicates, unwanted

    def answers_received(
        self, peer: Peer, haves: Sequence[CID], dont_haves: Sequence[CID], now: float
    ) -> None:
        """Take HAVEs and DONT_HAVEs to every session that wants those blocks."""
        waiting = self._waiting
        haves = [cid for cid in haves if cid in waiting]
        dont_haves = [cid for cid in dont_haves if cid in waiting]
        self.haves += len(haves)
        self._presence.received(peer, haves, dont_haves, now)
        sessions: dict[Session, tuple[dict[CID, None], dict[CID, None]]] = {}
        for place, cids in enumerate((haves, dont_haves)):
            for cid in cids:
                for subscription in waiting.of(cid):
                    sessions.setdefault(subscription.session, ({}, {}))[place][cid] = None
        for session, (has, lacks) in sessions.items():
            session.answers_received(peer, has, lacks, now)
            self._follow_up(session, now)

    def silent(self, peer: Peer, cids: Sequence[CID], reason: str, now: float) -> None:
        """`peer` has not answered these in time."""
        sessions: dict[Session, dict[CID, None]] = {}
        for cid in cids:
            for subscription in self._waiting.of(cid):
                sessions.setdefault(subscription.session, {})[cid] = None
        for session, mine in sessions.items():
            session.silent(peer, mine, reason, now)
            self._follow_up(session, now)

    def searches_moved(
        self, events: Iterable[ProviderConnected[Session] | SearchOver[Session]], now: float
    ) -> None:
        """What came of searches for providers."""
        for event in events:
            session = event.session
            if isinstance(event, ProviderConnected):
                session.provider_found(event.peer, event.cid, now)
            else:
                session.providers.over(event.outcome, now)
            self._follow_up(session, now)

    # -- connections

    def peer_connected(self, peer: Peer, now: float) -> None:
        self._for_each(lambda session: session.peer_connected(peer, now), now)

    def peer_disconnected(self, peer: Peer, reason: str, now: float) -> None:
        self._presence.forget_peer(peer)
        self._for_each(lambda session: session.peer_disconnected(peer, reason, now), now)

    def on_deadline(self, session: Session, now: float) -> None:
        """It is time for another round of `session`."""
        session.on_deadline(now)
        self._follow_up(session, now)

    def _for_each(self, tell: Callable[[Session], None], now: float) -> None:
        for session in list(self._sessions):
            tell(session)
            self._follow_up(session, now)

    # -- what came of it

    def _follow_up(self, session: Session, now: float) -> None:
        """Tell the requests of the session which wants it has given up, or asked everybody for in vain."""
        while session.failures or session.absent:
            if session.absent:
                self._make_places(session, now)
            failures, session.failures = session.failures, []
            for failure in failures:
                for subscription in self._waiting.of(failure.cid):
                    if subscription.session is session:
                        self._waiting.unsubscribe(subscription, [failure.cid])
                        subscription.fail(failure)
                        self._woken[subscription] = None
            if failures:
                self._drop(session, [failure.cid for failure in failures], now)

    def _make_places(self, session: Session, now: float) -> None:
        """What everybody lacks keeps nothing else away: other wants have its places."""
        absent, session.absent = session.absent, []
        requests: dict[Subscription, None] = {}
        for cid in absent:
            for request in self._waiting.of(cid):
                if request.session is session:
                    request.absent.add(cid)
                    requests[request] = None
        for request in requests:
            self._refill(request, now)
            if request.room:
                self._woken[request] = None

    def woken(self) -> list[Subscription]:
        """The requests that something has come for since the last call."""
        if not self._woken:
            return []
        woken, self._woken = self._woken, {}
        return list(woken)

    def reasons(self, cid: CID, now: float | None = None) -> dict[Peer, Reason]:
        """Why each peer has not sent `cid` so far, over all sessions that want it; see `session.reasons`."""
        found: dict[Peer, Reason] = {}
        for session in dict.fromkeys(subscription.session for subscription in self._waiting.of(cid)):
            want = session.wants.all.get(cid) or session.shelf.want(cid)
            if want is not None:
                found.update(session.reasons(want, now))
        return found

    def explain(self, cid: CID, now: float, session: Session | None = None) -> tuple[Wait, ...]:
        """How each session that wants `cid`, or the one given, stands with it."""
        if session is None:
            waits = [self._explain(cid, each, now) for each in self._sessions]
        else:
            waits = [self._explain(cid, session, now)]
        return tuple(wait for wait in waits if wait is not None)

    def _explain(self, cid: CID, session: Session, now: float) -> Wait | None:
        want = session.wants.all.get(cid) or session.shelf.want(cid)
        if want is not None:
            return explain(session, want, now)
        for subscription in self._sessions.get(session, ()):
            wait = subscription.explain(cid, session.number)
            if wait is not None:
                return wait
        return None

    def owners(self, session: Session | None = None) -> list[object]:
        """Whose the requests of all sessions, or of the one given, are."""
        sessions = self._sessions if session is None else [session]
        return [request.owner for each in sessions for request in self._sessions.get(each, ())]

    def is_wanted(self, cid: CID) -> bool:
        return cid in self._waiting

    def wanted(self) -> list[CID]:
        """Every CID that some request waits for."""
        return list(self._waiting)

    @property
    def wanted_count(self) -> int:
        """How many those are."""
        return len(self._waiting)
