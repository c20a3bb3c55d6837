"""How a session finds peers that are not connected: when it searches, and what came of it.

What nobody who is connected has is searched for at once (boxo findMorePeers). What somebody was asked for is,
too, once nothing has come for a while: one block, after a pause that doubles with each such search. What is
still missing is searched for again every `search_interval`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from bitswap.cid import CID
from bitswap.deadlines import Deadlines
from bitswap.errors import Cause, Reason
from bitswap.network.interface import Peer
from bitswap.presence import BlockPresence
from bitswap.providerquerymanager import Outcome, Progress, SessionSearches
from bitswap.session.search import ENDED
from bitswap.session.want import Wants

if TYPE_CHECKING:
    from bitswap.session.session import Session

_OUTCOMES = 64  # that are remembered, the last ones
_LOOKED_AT = 64  # wants, for one that nobody is known to have
_NOBODY: Mapping[Peer, Reason] = {}
_NOT_OVER = Reason("routers are still asked for providers", Cause.NO_PROVIDERS)


class Providers:
    """The searches of one session; there are none without `searches`."""

    def __init__(
        self,
        session: Session,
        wants: Wants,
        presence: BlockPresence,
        deadlines: Deadlines[object],
        searches: SessionSearches[Session] | None,
    ) -> None:
        self._session = session
        self._wants = wants
        self._presence = presence
        self._deadlines = deadlines
        self._searches = searches
        self._outcomes: OrderedDict[CID, tuple[Outcome, float]] = OrderedDict()
        self._due: float | None = None  # when it is looked whether to search
        self._patience = 0.0 if searches is None else searches.manager.options.search_delay

    # -- what is wanted

    def wanted(self, now: float) -> None:
        """The session wants something new."""
        if self._searches is not None and self._due is None:
            self._look_at(now + self._patience)

    def seek(self, cids: Collection[CID], now: float) -> None:
        """Nobody who is connected has these."""
        if self._searches is not None and cids and not self._session.closed:
            self._searches.seek(self._session, cids, now)

    def stop(self, cids: Collection[CID], now: float) -> None:
        """These came, or are not wanted any more."""
        if self._searches is None:
            return
        self._searches.stop(self._session, cids, now)
        if self._outcomes:
            for cid in cids:
                self._outcomes.pop(cid, None)
        if not self._wants:
            self._due = None
        elif self._due is not None and self._due > now + self._patience:
            self._look_at(now + self._patience)

    # -- time

    def _look_at(self, when: float) -> None:
        self._due = when
        self._deadlines.at(self._session, when)

    def on_deadline(self, now: float, got_on: float) -> None:
        """Search if it is time for it; the session last got on at `got_on`."""
        searches, due = self._searches, self._due
        if searches is None or due is None:
            return
        if due > now:
            self._look_at(due)
            return
        interval = searches.manager.options.search_interval
        waiting = islice(self._wants.idle.values(), searches.manager.options.max_session_waiting)
        resting = [want.cid for want in waiting if want.wave >= ENDED]
        if not resting:
            if got_on + self._patience > now:
                self._look_at(got_on + self._patience)
                return
            resting = self._unknown()
            self._patience = min(2.0 * self._patience, interval)
        if self._session.moments is not None:
            self._session.moments.note(
                "Session.PeriodicSearch", session=self._session.number, wants=len(resting)
            )
        self.seek(resting, now)
        turn = searches.next_turn(self._session, now)
        self._look_at(now + interval if turn is None else min(turn, now + interval))

    def _unknown(self) -> list[CID]:
        """The first want that no peer has said to have."""
        first = islice(self._wants.all, _LOOKED_AT)
        return [cid for cid in first if not any(self._presence.of(cid).values())][:1]

    # -- what came of it

    def over(self, outcome: Outcome, now: float) -> None:
        """A search has ended."""
        self._outcomes[outcome.cid] = outcome, now
        self._outcomes.move_to_end(outcome.cid)
        if len(self._outcomes) > _OUTCOMES:
            self._outcomes.popitem(last=False)
        self._look_again(now)

    def lost(self, peer: Peer, now: float) -> None:
        """A peer is gone: what it was found for may be searched for again soon."""
        found = [cid for cid, (outcome, _) in self._outcomes.items() if peer in outcome.connected]
        if found and self._searches is not None:
            self._searches.hasten(self._session, found, now + self._searches.manager.options.search_retry)
            self._look_again(now)

    def _look_again(self, now: float) -> None:
        turn = None if self._searches is None else self._searches.next_turn(self._session, now)
        if turn is not None and (self._due is None or self._due > turn):
            self._look_at(turn)

    @property
    def outcome(self) -> Outcome | None:
        """That of the last search for something that is still wanted."""
        outcome, _ = next(reversed(self._outcomes.values()), (None, 0.0))
        return outcome

    @property
    def reason(self) -> Reason | None:
        """Why that connected nobody, if it is so; or that the first one is not over."""
        outcome = self.outcome
        if outcome is not None:
            return outcome.reason
        searching = self._searches is not None and self._searches.searching(self._session)
        return _NOT_OVER if searching else None

    def unreached(self, cid: CID) -> Mapping[Peer, Reason]:
        """Who is said to have this block and is not connected so far, and why."""
        progress = self.progress(cid)
        if progress is None:
            known = self._outcomes.get(cid)
            return _NOBODY if known is None else known[0].failed
        found = dict(progress.failed)
        for peer in progress.waiting:
            found[peer] = Reason("named by a router, about to be dialled", Cause.NOT_CONNECTED)
        for peer, address in progress.dialling.items():
            where = f"being dialled at {address}" if address else "its address is being looked up"
            found[peer] = Reason(f"named by a router, {where}", Cause.NOT_CONNECTED)
        return found

    # -- reading

    @property
    def expected(self) -> int:
        """How many peers may be found soon."""
        return 0 if self._searches is None else self._searches.expected(self._session)

    def progress(self, cid: CID) -> Progress | None:
        """How far the search for a block has come that is under way."""
        return None if self._searches is None else self._searches.progress(self._session, cid)

    def ended(self, cid: CID) -> tuple[Outcome, float] | None:
        """How the last search for a block ended, and when."""
        return self._outcomes.get(cid)

    def waits(self, cid: CID) -> bool:
        """Whether a block is going to be searched for after others."""
        return self._searches is not None and self._searches.waits(self._session, cid)

    def next_turn(self, cid: CID) -> float | None:
        """When a block that was searched for may be searched for again."""
        return None if self._searches is None else self._searches.turn(self._session, cid)
