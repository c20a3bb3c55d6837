"""How sessions search: they name blocks and are told of peers (boxo findMorePeers).

if searches.search(session, cid, now): ...          # when nobody who is connected seems to have it
for event in searches.events(): ...                 # after every call; see ProviderConnected, SearchOver
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bitswap.cid import CID
from bitswap.network.interface import Peer
from bitswap.providerquerymanager.manager import ProviderQueryManager
from bitswap.providerquerymanager.search import Ended, Outcome, Search

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True)
class ProviderConnected(Generic[S]):
    """`peer` is connected and is said to have the block: worth asking, but it has not said HAVE."""

    session: S
    cid: CID
    peer: Peer


@dataclass(frozen=True)
class SearchOver(Generic[S]):
    """Nobody else will be named for this block; the outcome says why."""

    session: S
    outcome: Outcome


class SessionSearches(Generic[S]):
    """The searches of all sessions; a session searches for a block once at a time."""

    def __init__(self, manager: ProviderQueryManager) -> None:
        self.manager = manager
        self._searches: dict[S, dict[CID, Search]] = {}

    def search(self, session: S, cid: CID, now: float) -> bool:
        """Look for providers of `cid`; False if the session has enough searches already, or this one."""
        mine = self._searches.get(session, {})
        if cid in mine or len(mine) >= self.manager.options.max_session_searches:
            return False
        search = self.manager.search(cid, now, owner=session)
        if search.outcome is not None and search.outcome.ended is Ended.CLOSED:
            return False
        self._searches.setdefault(session, {})[cid] = search
        return True

    def searching(self, session: S) -> int:
        """How many blocks the session searches for."""
        return len(self._searches.get(session, ()))

    def stop(self, session: S, cids: Iterable[CID], now: float) -> None:
        """The session does not want these any more."""
        mine = self._searches.get(session)
        if mine:
            for search in [mine.pop(cid) for cid in cids if cid in mine]:
                self.manager.leave(search, now)
            if not mine:
                del self._searches[session]

    def forget(self, session: S, now: float) -> None:
        """The session is over, or wants nothing: stop whatever it searches for."""
        self.stop(session, list(self._searches.get(session, ())), now)

    def events(self) -> list[ProviderConnected[S] | SearchOver[S]]:
        """What has come since the last call, for sessions that still search for it."""
        events: list[ProviderConnected[S] | SearchOver[S]] = []
        for search in self.manager.woken():
            session, cid = search.owner, search.cid
            if self._searches.get(session, {}).get(cid) is not search:
                continue
            events += (ProviderConnected(session, cid, peer) for peer in search.take())
            if search.outcome is not None:
                events.append(SearchOver(session, search.outcome))
                del self._searches[session][cid]
                if not self._searches[session]:
                    del self._searches[session]
        return events
