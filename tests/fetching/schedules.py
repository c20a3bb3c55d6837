"""Swarms and what goes wrong in them, made up by a seed: everything wanted is somewhere near in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.message import Message
from bitswap.options import ClientOptions, ServerOptions
from bitswap.testnet import Fetch, VirtualNetwork, VirtualNode, internet
from bitswap.testutils import cids_of, make_blocks

TROUBLE = 40.0
"""Seconds until nothing goes wrong any more."""
MOST_EVENTS = 300_000
"""Ten times what happens in any of these; more, and somebody turns in circles."""


class CountingStore(dict[CID, Block]):
    """The blocks of a node, and how often each was put there."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: Counter[CID] = Counter()

    def update(self, blocks: Iterable[tuple[CID, Block]] | Mapping[CID, Block], /) -> None:  # type: ignore[override]
        new = dict(blocks)
        self.puts.update(new.keys())
        super().update(new)


class Nap:
    """A node that reads nothing for a while; what was sent to it waits, unless the connection goes."""

    def __init__(self, node: VirtualNode, wake: Callable[..., None], seconds: float) -> None:
        self._node = node
        self._waiting: list[tuple[str, Message]] = []
        if "message_received" not in vars(node):
            vars(node)["message_received"] = lambda peer, message: self._waiting.append((peer, message))
            vars(node)["peer_disconnected"] = self._disconnected
            wake(seconds, self._wake)

    def _disconnected(self, other: VirtualNode, reason: BaseException | None) -> None:
        self._waiting = [(peer, message) for peer, message in self._waiting if peer != other.name]
        VirtualNode.peer_disconnected(self._node, other, reason)

    def _wake(self) -> None:
        del vars(self._node)["message_received"], vars(self._node)["peer_disconnected"]
        for peer, message in self._waiting:
            self._node.message_received(peer, message)


class Schedule:
    """Some nodes that fetch, keep and serve, some that serve; blocks that are there, or come late.

    Until `TROUBLE` is over connections are cut and mended, ways get slow, nodes read nothing for a while, get
    blocks, lose some, and leave for good if others have what they have; requests are given up. Then whoever
    still lacks something is connected to somebody who has it.
    """

    def __init__(self, seed: int, *, most_servers: int = 11) -> None:
        self.rng = rng = Random(seed)
        share = rng.random() / 3
        self.net = VirtualNetwork(
            seed,
            delay=internet(0.05, 0.03, medium=0.3, large=2.0, medium_share=share, large_share=share / 3),
            rate=rng.choice([None, None, lambda random: random.uniform(20_000, 2_000_000)]),
            jitter=rng.choice([None, lambda random: random.expovariate(50)]),
            paced=rng.random() < 0.8,
        )
        self.fetchers = [self.new_node(f"f{index}") for index in range(rng.randrange(1, 4))]
        self.servers = [self.new_node(f"s{index}") for index in range(rng.randint(1, most_servers))]
        self.left: set[str] = set()
        self.blocks = self.new_blocks()
        for node in self.fetchers:
            for other in (*self.fetchers, *self.servers):
                if other is not node and rng.random() < 0.8:
                    self.net.connect(node, other)
        for block in self.blocks:
            self.place(block)
        self.fetches = [(node, *self.begin(node)) for node in self.fetchers]
        for _ in range(rng.randrange(25)):
            self.at_some_time(
                rng.choice([self.cut, self.nap, self.slow, self.leave, self.forget, self.ask_and_give_up])
            )

    def new_node(self, name: str) -> VirtualNode:
        rng = self.rng
        client = ClientOptions(
            max_outstanding_wants=rng.choice([10, 100, 1000]),
            refill_wants=rng.choice([1, 8]),
            window_blocks=rng.choice([3, 50, 4096]),
            discovery_wants=rng.choice([1, 4, 64]),
            initial_window=rng.choice([1, 16, 128]),
            few_peers=rng.choice([1, 3, 10]),
            direct_peers=rng.choice([1, 16]),
            dont_have_limit=rng.choice([2, 16]),
            search_peers=rng.choice([2, 24]),
            probe_peers=rng.choice([1, 3]),
        )
        server = ServerOptions(
            max_wantlist_entries=rng.choice([16, 1024]),
            min_wantlist_entries=16,
            send_dont_haves=rng.random() < 0.85,
            want_have_replace_size=rng.choice([0, 1024]),
        )
        node = self.net.node(name, client=client, server=server, legacy=rng.random() < 0.1)
        node.blocks = CountingStore()
        return node

    def new_blocks(self) -> list[Block]:
        rng = self.rng
        sizes = rng.choice([[10], [1000, 1025], [10, 5000, 40_000]])
        return [
            make_blocks(1, rng.choice(sizes), f"{self.net.random.random()}:{index}")[0]
            for index in range(rng.randrange(1, 150))
        ]

    # -- what is there

    def place(self, block: Block) -> None:
        """Give a block to some servers, now or later."""
        rng = self.rng
        late = rng.random() < 0.2
        for node in rng.sample(self.servers, rng.randrange(1, len(self.servers) + 1)):
            if late:
                self.net.at(rng.random() * TROUBLE, node.add, block)
            else:
                node.add(block)

    def begin(self, node: VirtualNode) -> tuple[Fetch, list[Block]]:
        part = self.rng.sample(self.blocks, self.rng.randrange(1, len(self.blocks) + 1))
        pause = self.rng.choice([0.0, 0.0, 0.01])
        return node.fetch(cids_of(part), keep=True, pause=pause), part

    # -- what goes wrong

    def at_some_time(self, event: Callable[[], None]) -> None:
        self.net.at(self.rng.random() * TROUBLE, event)

    def pair(self) -> tuple[VirtualNode, VirtualNode] | None:
        """Two that are connected, one of whom fetches."""
        node = self.rng.choice(self.fetchers)
        others = self.net.neighbours(node)
        return (node, self.rng.choice(others)) if others else None

    def cut(self) -> None:
        pair = self.pair()
        if pair is not None:
            self.net.disconnect(*pair, "cut")
            self.net.at(self.rng.random() * 8, self.mend, *pair)

    def mend(self, first: VirtualNode, second: VirtualNode) -> None:
        if not self.left & {first.name, second.name}:
            self.net.connect(first, second)

    def nap(self) -> None:
        Nap(self.rng.choice(self.servers), self.net.at, self.rng.random() * 12)

    def slow(self) -> None:
        pair = self.pair()
        if pair is not None:
            link = self.net.link(*self.rng.choice([pair, pair[::-1]]))
            link.latency = self.rng.random() * 4

    def leave(self) -> None:
        """One leaves for good, unless it alone has something or will get something."""
        node = self.rng.choice(self.servers)
        others = [other for other in self.servers if other is not node and other.name not in self.left]
        if all(any(cid in other.blocks for other in others) for cid in cids_of(self.blocks)):
            self.left.add(node.name)
            for other in self.net.neighbours(node):
                self.net.disconnect(node, other, "left")

    def forget(self) -> None:
        """One loses some of its blocks, of which others have all."""
        node = self.rng.choice(self.servers)
        others = [other for other in self.servers if other is not node and other.name not in self.left]
        for cid in list(node.blocks):
            if self.rng.random() < 0.5 and any(cid in other.blocks for other in others):
                del node.blocks[cid]

    def ask_and_give_up(self) -> None:
        node = self.rng.choice(self.fetchers)
        part = self.rng.sample(self.blocks, self.rng.randrange(1, len(self.blocks) + 1))
        options: dict[str, Any] = {}
        if self.rng.random() < 0.3:
            options = {"peers": self.rng.sample(self.servers, 1), "broadcast": self.rng.random() < 0.5}
        session = self.fetches[0][1].session if node is self.fetchers[0] and not options else None
        fetch = node.fetch(cids_of(part), session if self.rng.random() < 0.5 else None, **options)
        self.net.at(self.rng.choice([0.0, 0.01, 0.2, 5.0]), fetch.close)

    # -- the end

    def over(self) -> None:
        """The trouble is over: whatever somebody lacks is with somebody it is connected to."""
        self.run(TROUBLE + 15)
        for node, _, part in self.fetches:
            for block in part:
                if block.cid not in node.blocks and not self.is_near(node, block.cid):
                    self.net.connect(node, self.holder(block.cid))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass; raises AssertionError where it would stand still."""

        def over() -> bool:
            assert self.net.events < MOST_EVENTS, "time stands still"
            return until()

        return self.net.run(over, seconds=seconds)

    def is_near(self, node: VirtualNode, cid: CID) -> bool:
        return any(cid in other.blocks for other in self.net.neighbours(node))

    def holder(self, cid: CID) -> VirtualNode:
        return next(node for node in self.servers if cid in node.blocks and node.name not in self.left)

    def is_done(self) -> bool:
        return all(fetch.done for _, fetch, _ in self.fetches)
