"""What everybody lacks, beyond what a session keeps asked of peers: it waits here for its turn.

The list that a peer keeps of us, and our memory, would else fill with what nobody has. Of what is shelved
only the CIDs are kept: no peer is asked, and what was said of them is forgotten. Rounds take those back that
wait longest; a newcomer is asked whether it has them, a slice at a time; whoever says HAVE, sends the block
unasked, or is named by a router, brings one back at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice

from bitswap.cid import CID
from bitswap.network.interface import Peer
from bitswap.options import ClientOptions
from bitswap.peermanager import PeerManager
from bitswap.presence import BlockPresence
from bitswap.session.search import ENDED, Search
from bitswap.session.want import Want, Wants

_PRIORITY = 1  # of a question about what everybody lacked


class _Newcomer:
    """A peer that is asked for everything that was shelved when it came."""

    __slots__ = ("left", "unanswered")

    def __init__(self, cids: Iterable[CID]) -> None:
        self.left: Iterator[CID] = iter(tuple(cids))
        self.unanswered: set[CID] = set()


class Shelf:
    """The CIDs of one session that wait for their turn; false while there are none."""

    def __init__(
        self,
        wants: Wants,
        network: PeerManager,
        presence: BlockPresence,
        search: Search,
        options: ClientOptions,
        is_shared: Callable[[CID], bool],
    ) -> None:
        """`is_shared`: whether other sessions ask for a block."""
        self._wants = wants
        self._network = network
        self._presence = presence
        self._search = search
        self._options = options
        self._is_shared = is_shared
        self._rounds: dict[CID, int] = {}  # how often everybody was asked in vain; the first wait longest
        self._newcomers: dict[Peer, _Newcomer] = {}

    def __len__(self) -> int:
        return len(self._rounds)

    def __contains__(self, cid: object) -> bool:
        return cid in self._rounds

    # -- in and out

    def fill(self, now: float) -> None:
        """Put away what everybody lacks, but for the last `resting_wants` that were asked for."""
        wants, most = self._wants, self._options.resting_wants
        if len(wants.idle) <= most:
            return
        resting = [
            want for want in wants.idle.values() if want.absent and want.wave >= ENDED and not want.probing
        ]
        shelved = resting[: max(len(resting) - most, 0)]
        alone = [want.cid for want in shelved if not self._is_shared(want.cid)]
        for want in shelved:
            self._search.restart(want)
            wants.remove(want.cid)
            self._rounds[want.cid] = want.rounds
        self._network.cancel(alone, now)
        self._presence.forget(alone)

    def take_back(self, most: int) -> None:
        """Everybody is to be asked again for those that wait longest, at most so many."""
        for cid in list(islice(self._rounds, most)):
            self.want_again(cid)

    def blocks_received(self) -> None:
        """If most of what was kept asked for has come, so may these, which need not wait for a round then."""
        if self._rounds and 2 * len(self._wants) < self._options.resting_wants:
            self.take_back(self._options.turn_wants)

    def want_again(self, cid: CID) -> bool:
        """This one is to be asked for again; False if it is not here."""
        rounds = self._rounds.get(cid)
        if rounds is None:
            return False
        self.drop(cid)
        want = self._wants.add(cid, known=True)
        want.rounds = rounds + 1
        want.absent = True
        return True

    def drop(self, cid: CID) -> None:
        """It came, or nobody wants it any more."""
        if self._rounds.pop(cid, None) is None:
            return
        if not self._rounds:
            self._newcomers.clear()
        for peer, newcomer in list(self._newcomers.items()):
            self._answered(peer, newcomer, (cid,))

    # -- what peers say

    def answers_received(
        self, peer: Peer, haves: Iterable[CID], dont_haves: Iterable[CID]
    ) -> Collection[CID]:
        """`peer` has some of the wanted blocks, which are asked for again, and lacks others.

        Returns those of the others that are not here.
        """
        lacks = list(dont_haves)
        here = [cid for cid in lacks if cid in self._rounds]
        for cid in here:
            if not self._is_shared(cid):
                self._presence.forget_denials(cid)
        for cid in haves:
            self.want_again(cid)
        newcomer = self._newcomers.get(peer)
        if newcomer is not None:
            self._answered(peer, newcomer, here)
        return [cid for cid in lacks if cid not in self._rounds] if here else lacks

    def greet(self, peer: Peer) -> None:
        """A newcomer is asked whether it has any of these, as long as it answers; some at a time are."""
        if self._rounds and len(self._newcomers) < self._options.search_peers:
            self._newcomers[peer] = _Newcomer(self._rounds)
            self._ask(peer, self._newcomers[peer])

    def part(self, peer: Peer) -> None:
        """`peer` is gone."""
        self._newcomers.pop(peer, None)

    def _answered(self, peer: Peer, newcomer: _Newcomer, cids: Iterable[CID]) -> None:
        if newcomer.unanswered:
            newcomer.unanswered.difference_update(cids)
            if not newcomer.unanswered:
                self._ask(peer, newcomer)

    def _ask(self, peer: Peer, newcomer: _Newcomer) -> None:
        """Ask for the next slice, which is answered before another one goes."""
        left = (cid for cid in newcomer.left if cid in self._rounds)
        part = list(islice(left, self._options.broadcast_wants))
        asks = [(cid, _PRIORITY) for cid in part]
        if part and self._network.want_haves(peer, asks, dont_have=True):
            newcomer.unanswered.update(part)
        else:
            self._newcomers.pop(peer, None)

    # -- reading

    def want(self, cid: CID) -> Want | None:
        """A want that says as much as is known of this one, if it is here."""
        rounds = self._rounds.get(cid)
        if rounds is None:
            return None
        want = Want(cid, _PRIORITY)
        want.rounds = rounds
        want.absent = True
        return want

    def ahead(self, cid: CID) -> int:
        """How many come before it."""
        return list(self._rounds).index(cid)
