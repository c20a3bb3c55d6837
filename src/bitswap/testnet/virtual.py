"""A network of machines under a virtual clock: one thread, no sockets, every run repeatable by its seed.

The model is that of boxo's virtual network: the latency of a direction is drawn once, a direction with a rate
has a token bucket that starts empty, a message needs a connection only to be cut with it. Unlike there,
messages of one direction keep their order, a link that was cut loses what is on its way, and a sender can be
made to wait until its message has left (`paced`), as a socket would.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random
from typing import Any

from bitswap.clock import VirtualClock
from bitswap.errors import RemoteError, UsageError
from bitswap.message import FrameReader, Message
from bitswap.testnet.delays import Delay, fixed
from bitswap.testnet.link import Link
from bitswap.testnet.node import VirtualNode
from bitswap.testnet.rates import Rate

Done = Callable[[BaseException | None], None]
"""Called with None once a message has left, or with why it was not sent."""


class VirtualNetwork:
    """Nodes and the links between them.

    `delay` and `rate` are drawn for each direction of a connection, `jitter` for each message on top.
    `paced`: a node may send its next message to a peer when the last one has left; else at once, as in boxo's
    virtual network. `wire`: messages are really encoded, and decoded again; else they are handed over as they
    are, which costs a fraction and verifies no block.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        delay: Delay | None = None,
        rate: Rate | None = None,
        jitter: Delay | None = None,
        paced: bool = True,
        wire: bool = True,
    ) -> None:
        self.clock = VirtualClock()
        self.random = Random(seed)
        self.nodes: dict[str, VirtualNode] = {}
        self.events = 0
        self.messages = 0
        """Messages sent, by all nodes."""
        self.bytes = 0
        """What they had on the wire, lengths included; where nothing is encoded, without field headers."""
        self._delay = delay or fixed(0.01)
        self._rate = rate
        self._jitter = jitter
        self._paced = paced
        self._wire = wire
        self._links: dict[str, dict[str, Link]] = {}
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    # -- nodes and links

    def node(self, name: str | None = None, **options: Any) -> VirtualNode:
        """A new node; see VirtualNode for the options."""
        name = name or f"node-{len(self.nodes)}"
        if name in self.nodes:
            raise UsageError(f"there is a node {name} already")
        node = self.nodes[name] = VirtualNode(self, name, **options)
        self._links[name] = {}
        return node

    def connect(
        self,
        first: VirtualNode,
        second: VirtualNode,
        *,
        latency: float | None = None,
        rate: float | None = None,
    ) -> None:
        """Link two nodes both ways; latency and rate (bytes a second) as given, or drawn."""
        if first is second:
            raise UsageError(f"{first.name} cannot be connected to itself")
        if second.name in self._links[first.name]:
            return
        for one, other in ((first, second), (second, first)):
            drawn = self._delay(self.random) if latency is None else latency
            limit = self._rate(self.random) if rate is None and self._rate is not None else rate
            self._links[one.name][other.name] = Link(other, drawn, limit)
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
        return self._links[first.name][second.name]

    def is_connected(self, first: VirtualNode, second: VirtualNode) -> bool:
        return second.name in self._links[first.name]

    def neighbours(self, node: VirtualNode) -> list[VirtualNode]:
        """Everybody who is linked to `node`, in the order of their links."""
        return [link.target for link in self._links[node.name].values()]

    def disconnect(self, first: VirtualNode, second: VirtualNode, reason: str | None = None) -> None:
        """Cut the link: what is on its way is lost; both are told."""
        for one, other in ((first, second), (second, first)):
            link = self._links[one.name].pop(other.name, None)
            if link is None:
                return
            link.open = False
        error = RemoteError(reason) if reason is not None else None
        for one, other in ((first, second), (second, first)):
            one.peer_disconnected(other, error)
        first.pump()
        second.pump()

    # -- messages

    def send(self, sender: VirtualNode, peer: str, message: Message, done: Done) -> None:
        """Carry a message; `done` is called once it has left, never during this call."""
        link = self._links[sender.name].get(peer)
        now = self.clock.now()
        if link is None:
            self._push(now, done, (RemoteError(f"{peer} is not connected"),))
            return
        self.messages += 1
        left = self._carry_frames(sender, link, message) if self._wire else self._carry(sender, link, message)
        if self._paced:
            self._push(left, _left, (link, done))
        else:
            self._push(now, done, (None,))

    def _carry(self, sender: VirtualNode, link: Link, message: Message) -> float:
        size = message.size()
        self.bytes += size
        sender.bytes_sent += size
        left, arrives = link.carry(size, self.clock.now(), self._drawn_jitter())
        self._push(arrives, _arrive, (link, sender.name, message))
        return left

    def _carry_frames(self, sender: VirtualNode, link: Link, message: Message) -> float:
        now = left = self.clock.now()
        for frame in message.to_frames(min(sender.encoding, link.target.encoding)):
            self.bytes += len(frame)
            sender.bytes_sent += len(frame)
            left, arrives = link.carry(len(frame), now, self._drawn_jitter())
            self._push(arrives, _arrive_frame, (link, sender.name, frame))
        return left

    def _drawn_jitter(self) -> float:
        return 0.0 if self._jitter is None else self._jitter(self.random)

    # -- time

    def at(self, delay: float, event: Callable[..., None], *args: Any) -> None:
        """Have `event` happen in `delay` seconds; events of one moment happen in the order of these calls."""
        self._push(self.clock.now() + max(delay, 0.0), event, args)

    def _push(self, when: float, event: Callable[..., None], args: tuple[Any, ...]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, event, args))

    def run(self, until: Callable[[], bool] | None = None, *, seconds: float = 60.0) -> bool:
        """Let time pass until the condition holds or `seconds` have gone by; returns whether it holds."""
        end = self.clock.now() + seconds
        heap, clock, pop = self._heap, self.clock, heapq.heappop
        while True:
            if until is not None and until():
                return True
            if not heap or heap[0][0] > end:
                clock.advance_to(end)
                return until is not None and until()
            when, _, event, args = pop(heap)
            clock.advance_to(when)
            self.events += 1
            event(*args)


def _left(link: Link, done: Done) -> None:
    done(None if link.open else RemoteError(f"{link.target.name} is not connected"))


def _arrive(link: Link, sender: str, message: Message) -> None:
    if link.open:
        link.target.bytes_received += message.size()
        link.target.message_received(sender, message)


def _arrive_frame(link: Link, sender: str, frame: bytes) -> None:
    if link.open:
        link.target.bytes_received += len(frame)
        for body in FrameReader().feed(frame):
            link.target.message_received(sender, Message.from_body(body))
