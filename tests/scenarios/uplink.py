"""A node that sends through one line of a given rate, in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bitswap.decision.interface import Envelope
from tests.decision.support import Node


@dataclass
class Flow:
    """A message that is leaving."""

    envelope: Envelope
    size: int
    left: float
    """Bytes of it that have not left."""


class Uplink:
    """Messages that are leaving share the line equally. A deaf peer takes none of it: its message stays.

    `senders` messages leave at a time, at most; None = as many as the engine gives.
    """

    def __init__(
        self, node: Node, rate: float, *, senders: int | None = None, deaf: Collection[str] = ()
    ) -> None:
        self._node = node
        self._rate = rate
        self._senders = senders
        self._deaf = deaf
        self._flows: list[Flow] = []
        self.taken: list[str] = []
        """Whose each envelope was, in the order in which they were taken."""
        self.sent: list[tuple[str, int]] = []
        """Whose each message was, and its bytes, in the order in which they had left."""
        self.bytes: Counter[str] = Counter()
        """Bytes of all messages that have left, by peer."""
        self.stuck: list[Envelope] = []
        """Envelopes of deaf peers."""

    def shares(self, peers: Sequence[str]) -> list[float]:
        """Bytes that have left for each of them, those of messages under way too."""
        moving = {flow.envelope.peer: flow.size - flow.left for flow in self._flows}
        return [self.bytes[peer] + moving.get(peer, 0.0) for peer in peers]

    def step(self) -> bool:
        """Go on to the moment at which the next message has left; False when there is none."""
        self._take()
        if not self._flows:
            return False
        first = min(self._flows, key=lambda flow: flow.left)
        part = first.left
        self._node.clock.advance(part * len(self._flows) / self._rate)
        for flow in self._flows:
            flow.left -= part
        self._flows.remove(first)
        self._node.engine.envelope_sent(first.envelope, self._node.now)
        self.sent.append((first.envelope.peer, first.size))
        self.bytes[first.envelope.peer] += first.size
        return True

    def drain(self) -> None:
        while self.step():
            pass

    def _take(self) -> None:
        while self._senders is None or len(self._flows) < self._senders:
            taken = self._node.take()
            if taken is None:
                return
            envelope, message = taken
            self.taken.append(envelope.peer)
            if envelope.peer in self._deaf:
                self.stuck.append(envelope)
            else:
                size = message.size()
                self._flows.append(Flow(envelope, size, float(size)))
