"""A network of machines under a virtual clock: one thread, no sockets, every run repeatable by its seed."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random
from typing import Any

from bitswap.clock import VirtualClock
from bitswap.errors import RemoteError, UsageError
from bitswap.message import FrameReader, Message
from bitswap.testnet.delays import Delay, fixed
from bitswap.testnet.node import VirtualNode


class Link:
    """One direction of a connection: `latency` in seconds, `rate` in bytes a second or None for no limit."""

    def __init__(self, latency: float, rate: float | None) -> None:
        self.latency = latency
        self.rate = rate
        self.open = True
        self.messages = 0
        self.bytes = 0
        self.busy_until = 0.0


class VirtualNetwork:
    """Nodes and the links between them. Messages are really encoded and decoded; links keep their order."""

    def __init__(self, seed: int = 0, *, delay: Delay | None = None) -> None:
        self.clock = VirtualClock()
        self.random = Random(seed)
        self.nodes: dict[str, VirtualNode] = {}
        self.events = 0
        self._delay = delay or fixed(0.01)
        self._links: dict[tuple[str, str], Link] = {}
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    # -- nodes and links

    def node(self, name: str | None = None, **options: Any) -> VirtualNode:
        """A new node; see VirtualNode for the options."""
        name = name or f"node-{len(self.nodes)}"
        if name in self.nodes:
            raise UsageError(f"there is a node {name} already")
        node = self.nodes[name] = VirtualNode(self, name, **options)
        return node

    def connect(
        self,
        first: VirtualNode,
        second: VirtualNode,
        *,
        latency: float | None = None,
        rate: float | None = None,
    ) -> None:
        """Link two nodes both ways; latency and rate as given, or drawn."""
        if (first.name, second.name) in self._links:
            return
        for one, other in ((first, second), (second, first)):
            drawn = self._delay(self.random) if latency is None else latency
            self._links[one.name, other.name] = Link(drawn, rate)
        for one, other in ((first, second), (second, first)):
            one.peer_connected(other)
        first.pump()
        second.pump()

    def mesh(self, *nodes: VirtualNode) -> None:
        """Link all of them with each other; all there are if none is named."""
        members = nodes or tuple(self.nodes.values())
        for place, first in enumerate(members):
            for second in members[place + 1 :]:
                self.connect(first, second)

    def link(self, first: VirtualNode, second: VirtualNode) -> Link:
        """The way from the first node to the second."""
        return self._links[first.name, second.name]

    def disconnect(self, first: VirtualNode, second: VirtualNode, reason: str | None = None) -> None:
        """Cut the link: what is on its way is lost; both are told."""
        for one, other in ((first, second), (second, first)):
            link = self._links.pop((one.name, other.name), None)
            if link is None:
                return
            link.open = False
        error = RemoteError(reason) if reason is not None else None
        for one, other in ((first, second), (second, first)):
            one.peer_disconnected(other, error)
        first.pump()
        second.pump()

    # -- messages

    def send(
        self, sender: VirtualNode, peer: str, message: Message, done: Callable[[BaseException | None], None]
    ) -> None:
        """Carry a message; `done` is called once it has left, so that the sender is paced by the rate."""
        link = self._links.get((sender.name, peer))
        if link is None:
            self.at(0.0, lambda: done(RemoteError(f"{peer} is not connected")))
            return
        target = self.nodes[peer]
        start = max(self.clock.now(), link.busy_until)
        for frame in message.to_frames(target.encoding):
            link.messages += 1
            link.bytes += len(frame)
            if link.rate is not None:
                start += len(frame) / link.rate
            self._deliver(link, sender, target, frame, start + link.latency)
        link.busy_until = start

        def left() -> None:
            done(None if link.open else RemoteError(f"{peer} is not connected"))

        self.at(start - self.clock.now(), left)

    def _deliver(
        self, link: Link, sender: VirtualNode, target: VirtualNode, frame: bytes, when: float
    ) -> None:
        def arrive() -> None:
            if link.open:
                for body in FrameReader().feed(frame):
                    target.message_received(sender.name, Message.from_body(body))

        self.at(when - self.clock.now(), arrive)

    # -- time

    def at(self, delay: float, event: Callable[[], None]) -> None:
        """Have `event` happen in `delay` seconds; events of one moment happen in the order of these calls."""
        self._count += 1
        heapq.heappush(self._heap, (self.clock.now() + max(delay, 0.0), self._count, event))

    def run(self, until: Callable[[], bool] | None = None, *, seconds: float = 60.0) -> bool:
        """Let time pass until the condition holds or `seconds` have gone by; returns whether it holds."""
        end = self.clock.now() + seconds
        while True:
            if until is not None and until():
                return True
            if not self._heap or self._heap[0][0] > end:
                self.clock.advance_to(end)
                return until is not None and until()
            when, _, event = heapq.heappop(self._heap)
            self.clock.advance_to(when)
            self.events += 1
            event()
