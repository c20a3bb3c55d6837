"""Runs a scenario under a virtual clock, in one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.simulation.faults import Faults
from bitswap.simulation.holdings import hold
from bitswap.simulation.leech import Leech
from bitswap.simulation.result import Progress, Result
from bitswap.simulation.scenario import EVERYBODY, Fetching, Group, Links, Scenario
from bitswap.testnet import VirtualNetwork, VirtualNode
from bitswap.testutils import make_blocks

Watch = Callable[[float, int, int], None]
"""Called now and then with the virtual time, the blocks that have come and the blocks wanted."""

_WATCH_EVENTS = 20_000


def simulate(scenario: Scenario, *, watch: Watch | None = None) -> Result:
    """Run a scenario to its end; the same scenario gives the same result, on any machine.

    UsageError where its parts do not fit together.
    """
    return Simulation(scenario).run(watch)


class Simulation:
    """A scenario that is being run. `network` and `groups` are open to be looked at and disturbed."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        # Apart from the network's own, so that what is drawn there while it runs changes nothing here.
        self._random = Random(f"{scenario.seed}:scenario")
        self.network = VirtualNetwork(
            scenario.seed,
            delay=scenario.delay,
            rate=scenario.rate,
            jitter=scenario.jitter,
            paced=scenario.paced,
            wire=scenario.wire,
        )
        self.groups = {
            group.name: [self._node(group, place) for place in range(group.count)] for group in scenario.nodes
        }
        self.blocks = self._make_blocks()
        self.leeches: list[Leech] = []
        self._progress = Progress()
        self._came = 0
        self._waiting = 0
        self._hold()
        self._connect()
        self._prepare()

    # -- building

    def _node(self, group: Group, place: int) -> VirtualNode:
        server = group.server
        if not group.dont_haves:
            server = replace(server, send_dont_haves=False)
        node = self.network.node(
            group.name if group.count == 1 else f"{group.name}-{place}",
            client=group.client,
            server=server,
            serves=group.serves,
            protocol=group.protocol_id,
            store_latency=group.store_latency,
        )
        node.watched = False
        return node

    def _make_blocks(self) -> list[Block]:
        wanted = self.scenario.blocks
        version, seed = wanted.cid_version, self.scenario.seed
        blocks = make_blocks(wanted.count, wanted.size, f"{seed}:block", version=version)
        if wanted.root_size is not None:
            blocks[0] = make_blocks(1, wanted.root_size, f"{seed}:root", version=version)[0]
        return blocks

    def members(self, name: str) -> list[VirtualNode]:
        """The nodes of a group, of all groups for "*"."""
        if name == EVERYBODY:
            return list(self.network.nodes.values())
        return self.groups[name]

    def _hold(self) -> None:
        for holding in self.scenario.holdings:
            hold(holding, self.blocks, self.members(holding.nodes), self._random)

    def _connect(self) -> None:
        for links in self.scenario.links:
            first, second = self.members(links.first), self.members(links.second)
            for node in first:
                others = (
                    [other for other in second if other is not node]
                    if links.degree is None
                    else (self._chosen(node, second, links.degree))
                )
                for other in others:
                    self._link(node, other, links)

    def _chosen(self, node: VirtualNode, others: Sequence[VirtualNode], degree: int) -> list[VirtualNode]:
        """`degree` of the others, without the node itself."""
        found = self._random.sample(others, min(degree + 1, len(others)))
        return [other for other in found if other is not node][:degree]

    def _link(self, first: VirtualNode, second: VirtualNode, links: Links) -> None:
        network = self.network
        if network.is_connected(first, second):
            return
        network.connect(first, second)
        for link in (network.link(first, second), network.link(second, first)):
            if links.delay is not None:
                link.latency = links.delay(network.random)
            if links.rate is not None:
                link.rate = links.rate(network.random)

    def _prepare(self) -> None:
        for fetching in self.scenario.fetches:
            peers = None if fetching.peers is None else self.members(fetching.peers)
            for node in self.members(fetching.nodes):
                leech = Leech(
                    self.network,
                    node,
                    fetching,
                    self._wanted(fetching, node),
                    None if peers is None else [peer for peer in peers if peer is not node],
                    came=self._blocks_came,
                    finished=self._leech_finished,
                )
                self.leeches.append(leech)
                self._waiting += 1
                self.network.at(fetching.start + self._random.random() * fetching.spread, leech.start)
        faults = Faults(self.network, self._random, self.members)
        for fault in self.scenario.faults:
            faults.schedule(fault)

    def _wanted(self, fetching: Fetching, node: VirtualNode) -> list[CID]:
        """What the node does not have of the blocks that it is to fetch."""
        chosen: Sequence[Block] = self.blocks[fetching.first : fetching.last]
        if fetching.sample is not None:
            chosen = self._random.sample(chosen, min(fetching.sample, len(chosen)))
        return [block.cid for block in chosen if block.cid not in node.blocks]

    # -- running

    def _blocks_came(self, count: int) -> None:
        self._came += count
        self._progress.add(self.network.clock.now(), count)

    def _leech_finished(self) -> None:
        self._waiting -= 1

    def run(self, watch: Watch | None = None) -> Result:
        """Let time pass until everybody is done or time is up, and what is late has come."""
        network, scenario = self.network, self.scenario
        wanted = sum(leech.wanted for leech in self.leeches)
        calls = 0

        def done() -> bool:
            nonlocal calls
            calls += 1
            if watch is not None and calls % _WATCH_EVENTS == 0:
                watch(network.clock.now(), self._came, wanted)
            return not self._waiting

        network.run(done, seconds=scenario.seconds)
        end, events, messages, carried = network.clock.now(), network.events, network.messages, network.bytes
        if scenario.settle:
            network.run(seconds=scenario.settle)
        return Result(
            scenario=scenario.name,
            seed=scenario.seed,
            seconds=end,
            events=events,
            messages=messages,
            bytes=carried,
            nodes=tuple(leech.result() for leech in self.leeches),
            progress=tuple(self._progress.points(end)),
        )
