"""Bytes exchanged with each peer, and a score of its usefulness (boxo `decision/scoreledger.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

SHORT_WEIGHT = 0.5
"""Weight of the newest sample in the short-term average."""
LONG_WEIGHT = 0.05
"""The same in the long-term average."""
LONG_EVERY = 10
"""Every how many samples the long-term average takes one."""
SAMPLE = 10.0
"""What a sample counts when blocks were exchanged since the last one; otherwise 0."""


class Receipt(NamedTuple):
    """The account with one peer; all zero for an unknown one. Bytes are of block data."""

    peer: str
    value: float
    """Debt ratio: sent / (received + 1)."""
    sent: int
    recv: int
    exchanged: int
    """Blocks, both ways."""


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
    """Accounts of connected peers. The score, 0 to 25: how steadily and how much a peer gives and takes."""

    def __init__(self, interval: float = 10.0) -> None:
        self.interval = interval
        self._accounts: dict[str, _Account] = {}
        self._samples = 0

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
        value = account.sent / (account.recv + 1)
        return Receipt(peer, value, account.sent, account.recv, account.exchanged)

    def sample(self) -> Mapping[str, int]:
        take_long = self._samples % LONG_EVERY == 0
        self._samples += 1
        changed: dict[str, int] = {}
        for peer, account in self._accounts.items():
            fresh = SAMPLE if account.exchanged > account.seen_short else 0.0
            account.short += SHORT_WEIGHT * (fresh - account.short)
            account.seen_short = account.exchanged
            if take_long:
                fresh = SAMPLE if account.exchanged > account.seen_long else 0.0
                account.long += LONG_WEIGHT * (fresh - account.long)
                account.seen_long = account.exchanged
            total = account.recv + account.sent
            generosity = account.recv / total if account.recv else 0.0
            score = int((account.short + account.long) * (0.75 + 0.5 * generosity))
            if score != account.score:
                account.score = changed[peer] = score
        return changed

    def _account(self, peer: str) -> _Account:
        account = self._accounts.get(peer)
        if account is None:
            account = self._accounts[peer] = _Account()
        return account
