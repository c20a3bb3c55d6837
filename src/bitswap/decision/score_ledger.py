"""Bytes exchanged with each peer, and a score of its usefulness (boxo `decision/scoreledger.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bitswap._core.accounts import LONG_EVERY, LONG_WEIGHT, SAMPLE, SHORT_WEIGHT, Receipt

__all__ = ["DefaultScoreLedger", "Receipt", "ScoreLedger"]


class ScoreLedger(Protocol):
    """What keeps the accounts (boxo `ScoreLedger`); a machine, called under the engine's lock."""

    interval: float
    """Seconds between two calls of `sample`."""

    def peer_connected(self, peer: str) -> None: ...

    def peer_disconnected(self, peer: str) -> None: ...

    def add_sent(self, peer: str, byte_count: int, blocks: int) -> None:
        """Blocks were handed to the network; the same with negative numbers when they did not leave."""

    def add_received(self, peer: str, byte_count: int, blocks: int) -> None:
        """Blocks that we wanted came."""

    def receipt(self, peer: str) -> Receipt: ...

    def sample(self) -> Mapping[str, int]:
        """Called every `interval`; returns the scores that changed, 0 for peers no longer useful."""


class _Account:
    __slots__ = ("exchanged", "long", "recv", "score", "seen_long", "seen_short", "sent", "short")

    def __init__(self) -> None:
        self.sent = self.recv = self.exchanged = 0
        self.seen_short = self.seen_long = 0  # `exchanged` at the last sample of each kind
        self.short = self.long = 0.0
        self.score = 0


class DefaultScoreLedger:
    """Accounts of connected peers. The score, 0 to 25: how steadily and how much a peer gives and takes.

    Sums stay below 2**63. The compiled twin computes the same floats, to the last bit.
    """

    def __init__(self, interval: float = 10.0) -> None:
        self.interval = interval
        self._accounts: dict[str, _Account] = {}
        self._samples = 0

    def __contains__(self, peer: object) -> bool:
        return peer in self._accounts

    def __len__(self) -> int:
        """Peers that are connected."""
        return len(self._accounts)

    def peer_connected(self, peer: str) -> None:
        self._account(peer)

    def peer_disconnected(self, peer: str) -> None:
        self._accounts.pop(peer, None)

    def add_sent(self, peer: str, byte_count: int, blocks: int) -> None:
        account = self._account(peer)
        account.sent += byte_count
        account.exchanged += blocks

    def add_received(self, peer: str, byte_count: int, blocks: int) -> None:
        account = self._account(peer)
        account.recv += byte_count
        account.exchanged += blocks

    def receipt(self, peer: str) -> Receipt:
        account = self._accounts.get(peer)
        if account is None:
            return Receipt(peer, 0.0, 0, 0, 0)
        value = float(account.sent) / float(account.recv + 1)
        return Receipt(peer, value, account.sent, account.recv, account.exchanged)

    def sample(self) -> Mapping[str, int]:
        take_long = self._samples % LONG_EVERY == 0
        self._samples += 1
        changed: dict[str, int] = {}
        for peer, account in self._accounts.items():
            fresh = account.exchanged > account.seen_short
            account.seen_short = account.exchanged
            account.short = _average(account.short, fresh, SHORT_WEIGHT)
            if take_long:
                fresh = account.exchanged > account.seen_long
                account.seen_long = account.exchanged
                account.long = _average(account.long, fresh, LONG_WEIGHT)
            score = _score(account)
            if score != account.score:
                account.score = changed[peer] = score
        return changed

    def _account(self, peer: str) -> _Account:
        account = self._accounts.get(peer)
        if account is None:
            account = self._accounts[peer] = _Account()
        return account


def _average(old: float, fresh: bool, weight: float) -> float:
    """The moving average, weighted exponentially, with one more sample."""
    return (SAMPLE if fresh else 0.0) * weight + (1 - weight) * old


def _score(account: _Account) -> int:
    total = account.recv + account.sent
    generosity = 0.0
    if account.recv > 0 and total > 0:
        # As floats first, because Python would divide large integers more exactly than doubles are.
        generosity = float(account.recv) / float(total)
    return int((account.short + account.long) * (0.75 + 0.5 * generosity))
