"""Who wants what: by peer and by CID (boxo `decision/peer_ledger.go`).

A peer that wants more than its share keeps what it asks for most: by priority, then what we have, then what
came first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sortedcontainers import SortedList

from bitswap.cid import CID

BLOCK = 0
"""Want type on the wire: the block. Any other value asks whether we have it."""


class Want:
    """One CID that one peer wants."""

    __slots__ = ("available", "cid", "priority", "send_dont_have", "seq", "want_type")

    def __init__(
        self, cid: CID, priority: int, want_type: int, send_dont_have: bool, available: bool = False
    ) -> None:
        self.cid = cid
        self.priority = priority
        self.want_type = want_type
        self.send_dont_have = send_dont_have
        self.available = available
        """The block was there when the want, or the block, came."""
        self.seq = 0

    @property
    def rank(self) -> tuple[int, bool, int, CID]:
        """The smallest is given up first."""
        return (self.priority, self.available, -self.seq, self.cid)

    def __repr__(self) -> str:
        return f"<Want {self.cid} type {self.want_type} priority {self.priority}>"


class PeerLedger:
    """Wants by peer and by CID; the two always agree. A peer is known while it has wants."""

    def __init__(self) -> None:
        self._peers: dict[str, dict[CID, Want]] = {}
        self._cids: dict[CID, dict[str, Want]] = {}
        # Of peers that have once had too many: the order in which wants are given up.
        self._ranked: dict[str, SortedList[tuple[int, bool, int, CID]]] = {}
        self._seq = 0
        self.size = 0
        """Wants of all peers."""

    def add(self, peer: str, wants: Sequence[Want], limit: int) -> tuple[list[Want], list[Want]]:
        """Record wants; one for a CID already wanted replaces it and keeps its age.

        Returns those that found no room, and older ones that made room, so that the peer keeps at most
        `limit` wants, or as many as it had, if that is more.
        """
        mine = self._peers.setdefault(peer, {})
        new = [want for want in wants if want.cid not in mine]
        if len(new) < len(wants):
            for want in wants:
                old = mine.get(want.cid)
                if old is not None:
                    want.seq = old.seq
                    self._put(peer, mine, want)
        room = max(limit - len(mine), 0)
        refused: list[Want] = []
        evicted: list[Want] = []
        if len(new) > room:
            new.sort(key=lambda want: (want.priority, want.available), reverse=True)
        for position, want in enumerate(new):
            if position >= room:
                victim = self._victim(peer, mine, want)
                if victim is None:
                    refused = new[position:]
                    break
                self._drop(peer, mine, victim)
                evicted.append(victim)
            self._seq += 1
            want.seq = self._seq
            self._put(peer, mine, want)
        if not mine:
            self.clear(peer)
        return refused, evicted

    def restore(self, peer: str, wants: Iterable[Want]) -> None:
        """Put back wants that were answered by what did not arrive, except where there is a newer one."""
        mine = self._peers.setdefault(peer, {})
        for want in wants:
            if want.cid not in mine:
                self._put(peer, mine, want)
        if not mine:
            self.clear(peer)

    def cancel(self, peer: str, cids: Iterable[CID]) -> list[CID]:
        """Forget wants; returns the CIDs that were wanted."""
        mine = self._peers.get(peer)
        if mine is None:
            return []
        gone = [want for want in map(mine.get, cids) if want is not None]
        for want in gone:
            self._drop(peer, mine, want)
        if not mine:
            self.clear(peer)
        return [want.cid for want in gone]

    def answered(self, peer: str, cid: CID, with_block: bool) -> Want | None:
        """Forget the want that a block, or a HAVE, answers: a HAVE does not answer a want for the block.

        Returns what was forgotten.
        """
        mine = self._peers.get(peer)
        want = mine.get(cid) if mine is not None else None
        if mine is None or want is None or (want.want_type == BLOCK and not with_block):
            return None
        self._drop(peer, mine, want)
        if not mine:
            self.clear(peer)
        return want

    def clear(self, peer: str) -> None:
        """Forget all wants of `peer`."""
        mine = self._peers.pop(peer, None)
        self._ranked.pop(peer, None)
        if mine is None:
            return
        for cid in mine:
            self._unlink(peer, cid)
        self.size -= len(mine)

    def wanters(self, cid: CID) -> Iterator[tuple[str, Want]]:
        """(peer, want) of everybody who wants exactly `cid`."""
        return iter(self._cids.get(cid, {}).items())

    def found(self, peer: str, want: Want) -> None:
        """The block that `want` asks for has come."""
        if not want.available:
            ranked = self._ranked.get(peer)
            if ranked is not None:
                ranked.remove(want.rank)
            want.available = True
            if ranked is not None:
                ranked.add(want.rank)

    def get(self, peer: str, cid: CID) -> Want | None:
        mine = self._peers.get(peer)
        return mine.get(cid) if mine is not None else None

    def wantlist(self, peer: str) -> list[CID]:
        """CIDs that `peer` wants, oldest first."""
        wants = sorted(self._peers.get(peer, {}).values(), key=lambda want: want.seq)
        return [want.cid for want in wants]

    def count(self, peer: str) -> int:
        return len(self._peers.get(peer, ()))

    def peers(self) -> list[str]:
        """Everybody who wants something."""
        return list(self._peers)

    def __contains__(self, peer: str) -> bool:
        return peer in self._peers

    def _put(self, peer: str, mine: dict[CID, Want], want: Want) -> None:
        ranked = self._ranked.get(peer)
        old = mine.get(want.cid)
        if old is None:
            self.size += 1
        elif ranked is not None:
            ranked.remove(old.rank)
        if ranked is not None:
            ranked.add(want.rank)
        mine[want.cid] = want
        self._cids.setdefault(want.cid, {})[peer] = want

    def _drop(self, peer: str, mine: dict[CID, Want], want: Want) -> None:
        ranked = self._ranked.get(peer)
        if ranked is not None:
            ranked.remove(want.rank)
        del mine[want.cid]
        self._unlink(peer, want.cid)
        self.size -= 1

    def _unlink(self, peer: str, cid: CID) -> None:
        wanters = self._cids[cid]
        del wanters[peer]
        if not wanters:
            del self._cids[cid]

    def _victim(self, peer: str, mine: dict[CID, Want], newcomer: Want) -> Want | None:
        """The lowest of the peer's wants, if it ranks below `newcomer`; a tie is no reason to change."""
        ranked = self._ranked.get(peer)
        if ranked is None:
            ranked = self._ranked[peer] = SortedList(want.rank for want in mine.values())
        if not ranked:
            return None
        priority, available, _, cid = ranked[0]
        return mine[cid] if (priority, available) < (newcomer.priority, newcomer.available) else None
