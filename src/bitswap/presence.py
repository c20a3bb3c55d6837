"""What peers said about blocks that are still wanted, shared by all sessions (boxo BlockPresenceManager)."""

from __future__ import annotations

from collections.abc import Iterable

from bitswap.cid import CID
from bitswap.network.interface import Peer


class Heard(int):
    """Whether a peer has a block, true or false, and `when` it said so; one for all CIDs of a message."""

    when: float

    def __new__(cls, has: bool, when: float) -> Heard:
        self = super().__new__(cls, has)
        self.when = when
        return self


_NOTHING: dict[Peer, Heard] = {}


class BlockPresence:
    """CID -> peer -> whether it has the block; holds wanted CIDs only, so it is as bounded as the wants.

    The last word of a peer counts: one that said HAVE may have dropped the block since.
    """

    def __init__(self) -> None:
        self._known: dict[CID, dict[Peer, Heard]] = {}

    def __contains__(self, cid: object) -> bool:
        return cid in self._known

    def __len__(self) -> int:
        return len(self._known)

    def received(self, peer: Peer, haves: Iterable[CID], dont_haves: Iterable[CID], now: float = 0.0) -> None:
        """Note the answers of `peer`; a HAVE outweighs a DONT_HAVE of the same call."""
        known = self._known
        for cids, heard in ((dont_haves, Heard(False, now)), (haves, Heard(True, now))):
            for cid in cids:
                known.setdefault(cid, {})[peer] = heard

    def of(self, cid: CID) -> dict[Peer, Heard]:
        """Everybody's answer for `cid`; not to be changed."""
        return self._known.get(cid, _NOTHING)

    def forget(self, cids: Iterable[CID]) -> None:
        """Drop what is known of CIDs that nobody wants any more."""
        if self._known:
            for cid in cids:
                self._known.pop(cid, None)

    def forget_denials(self, cid: CID) -> None:
        """Drop the DONT_HAVEs for `cid`, because its holders are about to be asked again."""
        answers = self._known.get(cid)
        if answers is not None:
            kept = {peer: has for peer, has in answers.items() if has}
            if kept:
                self._known[cid] = kept
            else:
                del self._known[cid]

    def forget_peer(self, peer: Peer) -> None:
        """Drop the answers of a peer that is gone: it may come back with other blocks."""
        for cid in [cid for cid, answers in self._known.items() if peer in answers]:
            answers = self._known[cid]
            del answers[peer]
            if not answers:
                del self._known[cid]
