"""How sessions search: they name blocks that no connected peer seems to have, and are told of providers.

    searches.seek(session, cids, now)         # nobody who is connected has said that he has these
    searches.stop(session, cids, now)         # they came, or are not wanted any more
    searches.forget(session, now)             # the session is over
    for event in searches.events(now): ...    # after every call: ProviderConnected, SearchOver

One block is searched for at first, since its provider is likely to have the others: they wait for the end of
that search, and are dropped when somebody is found, who is to be asked for them. After each search there may
be twice as many at a time, until blocks come that were not searched for. A block that was is left alone for
`search_interval` (boxo findMorePeers: one search, then one a minute until a block comes); where routers or
dials failed, for `search_retry` at first and then twice as long each time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from bitswap.cid import CID
from bitswap.moments import Moments
from bitswap.network.interface import Peer
from bitswap.providerquerymanager.manager import ProviderQueryManager
from bitswap.providerquerymanager.search import Outcome, Progress, Search, SearchFailure

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True)
class ProviderConnected(Generic[S]):
    """`peer` is connected and is said to have the block: worth asking, but it has not said HAVE."""

    session: S
    cid: CID
    peer: Peer


@dataclass(frozen=True)
class SearchOver(Generic[S]):
    """Nobody else will be named for this block for now; the outcome says why."""

    session: S
    outcome: Outcome


class _Turn(NamedTuple):
    at: float
    failed: float
    """Seconds from the end of the last search if that failed, else 0."""


class _Mine:
    """What one session searches for."""

    __slots__ = ("allowed", "running", "turns", "waiting")

    def __init__(self) -> None:
        self.running: dict[CID, Search] = {}
        self.waiting: dict[CID, None] = {}
        self.turns: OrderedDict[CID, _Turn] = OrderedDict()
        """When what was searched for may be again; the search that ended first comes first."""
        self.allowed = 1
        """Searches at a time."""


class SessionSearches(Generic[S]):
    """The searches of all sessions. Not shared between threads; `now` is in seconds."""

    def __init__(self, manager: ProviderQueryManager) -> None:
        self.manager = manager
        self._options = manager.options
        self._sessions: dict[S, _Mine] = {}
        self.moments: Moments | None = None
        """Where beginnings and ends are noted, if they are."""

    def seek(self, session: S, cids: Iterable[CID], now: float) -> None:
        """Search for providers of these; what is searched for, or was a moment ago, is ignored."""
        mine = self._sessions.get(session)
        if mine is None:
            mine = self._sessions[session] = _Mine()
        for cid in cids:
            if len(mine.waiting) >= self._options.max_session_waiting:
                break
            turn = mine.turns.get(cid)
            if (turn is None or turn.at <= now) and cid not in mine.running:
                mine.waiting[cid] = None
        self._begin(session, mine, now)

    def _begin(self, session: S, mine: _Mine, now: float) -> None:
        while mine.waiting and len(mine.running) < mine.allowed:
            cid = next(iter(mine.waiting))
            del mine.waiting[cid]
            mine.running[cid] = self.manager.search(cid, now, owner=session)
            if self.moments is not None:
                self.moments.begin((session, cid), "Session.FindMorePeers", cid=cid)

    def _over(self, session: S, cid: CID) -> None:
        if self.moments is not None:
            self.moments.end((session, cid))

    def searching(self, session: S) -> int:
        """How many blocks the session searches for, those included that wait for others."""
        mine = self._sessions.get(session)
        return 0 if mine is None else len(mine.running) + len(mine.waiting)

    def next_turn(self, session: S, now: float) -> float | None:
        """When the next block of those that were searched for may be searched for again; None if none may."""
        mine = self._sessions.get(session)
        turns = () if mine is None else mine.turns.values()
        return min((turn.at for turn in turns if turn.at > now), default=None)

    def turn(self, session: S, cid: CID) -> float | None:
        """When `cid`, which was searched for, may be again."""
        mine = self._sessions.get(session)
        turn = None if mine is None or cid in mine.running else mine.turns.get(cid)
        return None if turn is None else turn.at

    def hasten(self, session: S, cids: Iterable[CID], turn: float) -> None:
        """What a search found is gone: these may be searched for again at `turn`, if not before."""
        mine = self._sessions.get(session)
        if mine is not None:
            for cid in cids:
                known = mine.turns.get(cid)
                if known is not None and known.at > turn:
                    mine.turns[cid] = known._replace(at=turn)

    def waits(self, session: S, cid: CID) -> bool:
        """Whether `cid` is going to be searched for, once a search for another block has ended."""
        mine = self._sessions.get(session)
        return mine is not None and cid in mine.waiting

    def expected(self, session: S) -> int:
        """How many providers may be connected soon."""
        mine = self._sessions.get(session)
        return 0 if mine is None else sum(map(self.manager.expected, mine.running.values()))

    def progress(self, session: S, cid: CID) -> Progress | None:
        """How far the search for `cid` has come; None if there is none under way."""
        mine = self._sessions.get(session)
        search = None if mine is None else mine.running.get(cid)
        return None if search is None else self.manager.progress(search)

    def stop(self, session: S, cids: Iterable[CID], now: float) -> None:
        """They came, or the session does not want them any more; it goes on with what waits."""
        mine = self._sessions.get(session)
        if mine is None:
            return
        for cid in cids:
            mine.waiting.pop(cid, None)
            search = mine.running.pop(cid, None)
            searched = mine.turns.pop(cid, None) is not None or search is not None
            if search is not None:
                self.manager.leave(search, now)
                self._over(session, cid)
            elif not searched:
                # Those who are known have more than what they were found for.
                mine.allowed = 1
        self._begin(session, mine, now)

    def forget(self, session: S, now: float) -> None:
        """The session is over: stop whatever it searches for."""
        mine = self._sessions.pop(session, None)
        if mine is not None:
            for cid, search in mine.running.items():
                self.manager.leave(search, now)
                self._over(session, cid)

    def events(self, now: float) -> list[ProviderConnected[S] | SearchOver[S]]:
        """What has come since the last call, for sessions that still search for it."""
        events: list[ProviderConnected[S] | SearchOver[S]] = []
        while woken := self.manager.woken():
            for search in woken:
                session, cid = search.owner, search.cid
                mine = self._sessions.get(session)
                if mine is None or mine.running.get(cid) is not search:
                    continue
                found = search.take()
                if found:
                    events += (ProviderConnected(session, cid, peer) for peer in found)
                    mine.waiting.clear()
                if search.outcome is not None:
                    events.append(SearchOver(session, search.outcome))
                    self._ended(session, mine, search.outcome, now)
        return events

    def _ended(self, session: S, mine: _Mine, outcome: Outcome, now: float) -> None:
        options = self._options
        pause, failed = options.search_interval, 0.0
        if outcome.failure not in (None, SearchFailure.NO_PROVIDERS):
            # Whatever failed may be better in a moment.
            last = mine.turns.get(outcome.cid)
            longer = 0.0 if last is None else 2.0 * last.failed
            pause = failed = min(max(longer, options.search_retry), pause)
        del mine.running[outcome.cid]
        self._over(session, outcome.cid)
        mine.turns[outcome.cid] = _Turn(now + pause, failed)
        mine.turns.move_to_end(outcome.cid)
        while len(mine.turns) > self._options.max_session_waiting:
            mine.turns.popitem(last=False)
        mine.allowed = min(mine.allowed * 2, self._options.max_session_searches)
        self._begin(session, mine, now)
