"""Looking for blocks outside a session, in waves that widen (boxo broadcasts, with its broadcast control).

A block of at most 1,024 bytes is the answer to the question whether a peer has it, and everybody who is asked
sends it: so few are asked at first. Those who were useful before come first, then everybody in an order that
differs from session to session.

1. `probe_peers` peers for each want; different ones for different wants, up to `search_peers` together.
2. The first `search_peers` of all. Peers of both waves are to say DONT_HAVE.
3. Everybody, who need not answer until they have it. They keep the want, so this is the end of a round.

Wants that are looked for at the same time are one group, so that a peer gets one message for all of them. A
group goes on when everybody has answered, or has taken too long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from bitswap.cid import CID
from bitswap.network.interface import Peer
from bitswap.options import ClientOptions
from bitswap.peermanager import PeerManager
from bitswap.presence import BlockPresence
from bitswap.session.want import Group, Want, asks
from bitswap.sessionpeermanager import SessionPeerManager

FIRST, SECOND, EVERYBODY, ENDED = 1, 2, 3, 4


class Search:
    """The search of one session. `number` turns the order of the peers that nothing is known of."""

    def __init__(
        self,
        number: int,
        network: PeerManager,
        members: SessionPeerManager,
        presence: BlockPresence,
        options: ClientOptions,
    ) -> None:
        self._number = number
        self._network = network
        self._members = members
        self._presence = presence
        self._options = options
        self._groups: list[Group] = []
        # Wants that everybody was asked for.
        self._everywhere: dict[CID, Want] = {}
        self._next = 0  # whom the next want of a first wave begins with

    def __len__(self) -> int:
        """Wants whose wave is out."""
        return sum(len(group.wants) for group in self._groups)

    # -- what becomes of a want

    def answered(self, want: Want) -> None:
        """A peer has said whether it has a want of a group, or is gone."""
        if want.group is not None and want.probing is None:
            want.group.waiting.pop(want.cid, None)

    def unanswered(self, haves: Collection[CID]) -> int:
        """How much a peer that has these lacks of what everybody was asked for together with them."""
        return sum(
            group.size - len(haves)
            for group in self._groups
            if group.stays and any(cid in group.wants for cid in haves)
        )

    def found(self, want: Want) -> None:
        """Somebody has it, or nobody wants it any more."""
        if 0 < want.wave < EVERYBODY:
            skipped = len(self._network) - len(self._members) - self._options.search_peers
            self._network.broadcast_skips += max(skipped, 0)
        self.restart(want)

    def _leave(self, want: Want) -> None:
        if want.group is not None:
            want.group.wants.pop(want.cid, None)
            want.group.waiting.pop(want.cid, None)
            want.group = None

    # -- waves

    def begin(self, wants: Iterable[Want], now: float) -> list[Want]:
        """Send the next wave for each want, as a group; returns those for which there was one.

        At most `broadcast_wants` are looked for at the same time; what everybody was asked for is left alone.
        """
        places = self._options.broadcast_wants - len(self)
        waves: dict[int, list[Want]] = {}
        begun: list[Want] = []
        for want in wants:
            if want.wave < EVERYBODY and places > 0:
                places -= 1
                begun.append(want)
                waves.setdefault(self._next_wave(want), []).append(want)
        outside = self._outside() if waves else []
        for wave, members in waves.items():
            self._send(wave, members, outside, now)
        return begun

    def over(self, now: float) -> list[Want]:
        """Wants of groups that have waited for their wave; they leave it."""
        done = [group for group in self._groups if group.due <= now or not (group.waiting or group.stays)]
        if not done:
            return []
        self._groups = [group for group in self._groups if group not in done]
        wants = [want for group in done for want in group.wants.values()]
        for want in wants:
            want.probing = None
            want.group = None
            if want.wave == EVERYBODY:
                want.wave = ENDED
        return wants

    def next_deadline(self) -> float | None:
        return min((group.due for group in self._groups), default=None)

    def restart(self, want: Want) -> None:
        """Forget how far it was looked for."""
        self._everywhere.pop(want.cid, None)
        want.wave = 0
        want.probing = None
        self._leave(want)

    def announce(self, peer: Peer) -> None:
        """A newcomer is asked for what everybody was asked for."""
        if self._everywhere:
            self._network.want_haves(peer, asks(self._everywhere.values()), dont_have=False)

    def _next_wave(self, want: Want) -> int:
        """What a peer of the session lacks is hardly everywhere: no need to begin with the few."""
        if not want.wave and not self._presence.of(want.cid):
            return FIRST
        return max(want.wave + 1, SECOND)

    def _send(self, wave: int, wants: Sequence[Want], outside: Sequence[Peer], now: float) -> None:
        group = Group(wants, now + self._options.probe_patience)
        self._groups.append(group)
        for want in wants:
            want.wave = wave
            want.group = group
        if wave == EVERYBODY:
            self._everywhere.update(group.wants)
            group.stays = self._ask_everybody(wants)
            return
        first = outside[: self._options.search_peers]
        for peer, mine in (self._few(wants, first) if wave == FIRST else self._some(wants, first)).items():
            self.probe(peer, mine, now)
        group.waiting = {want.cid: want for want in wants if want.probing}

    def _few(self, wants: Sequence[Want], peers: Sequence[Peer]) -> dict[Peer, list[Want]]:
        options = self._options
        each = max(min(options.probe_peers, options.search_peers // len(wants)), 1)
        lists: dict[Peer, list[Want]] = {}
        for want in wants:
            for step in range(min(each, len(peers))):
                lists.setdefault(peers[(self._next + step) % len(peers)], []).append(want)
            self._next += each
        return lists

    def _some(self, wants: Sequence[Want], peers: Sequence[Peer]) -> dict[Peer, list[Want]]:
        heard = [self._heard(want) for want in wants]
        lists = {
            peer: [want for want, answers in zip(wants, heard, strict=True) if peer not in answers]
            for peer in peers
        }
        return {peer: mine for peer, mine in lists.items() if mine}

    def _ask_everybody(self, wants: Sequence[Want]) -> bool:
        """Whether there is anybody who has not said anything yet."""
        anybody = False
        everything = asks(wants)
        heard = [self._heard(want) for want in wants]
        anything = set().union(*heard)
        for peer in self._network.peers():
            mine = everything
            if peer in anything:
                mine = [ask for ask, answers in zip(everything, heard, strict=True) if peer not in answers]
            if mine:
                anybody = self._network.want_haves(peer, mine, dont_have=False) or anybody
        return anybody

    def _heard(self, want: Want) -> Collection[Peer]:
        """Whom there is no use in asking."""
        said = self._presence.of(want.cid)
        return said.keys() | want.tried.keys() if want.tried else said

    def probe(self, peer: Peer, wants: Sequence[Want], now: float) -> None:
        """Ask `peer` whether it has these, and to say so if it lacks them."""
        if self._network.want_haves(peer, asks(wants), dont_have=True):
            until = now + self._network.patience(peer)
            for want in wants:
                want.probe(peer, until)

    def _outside(self) -> list[Peer]:
        """Connected peers that are not in the session, in the order in which they are asked."""
        known, others = self._network.peers_by_use()
        turn = self._number * self._options.search_peers % max(len(others), 1)
        members = self._members
        return [peer for peer in (*known, *others[turn:], *others[:turn]) if peer not in members]
