"""Making things go wrong while a simulation runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from bitswap.simulation.scenario import Fault
from bitswap.testnet import VirtualNetwork, VirtualNode

Pair = tuple[VirtualNode, VirtualNode]
_T = TypeVar("_T")


class Faults:
    """Does what the faults of a scenario say; `random` chooses whom it hits."""

    def __init__(
        self, network: VirtualNetwork, random: Random, nodes: Callable[[str], Sequence[VirtualNode]]
    ) -> None:
        self._network = network
        self._random = random
        self._nodes = nodes

    def schedule(self, fault: Fault) -> None:
        self._network.at(fault.at - self._network.clock.now(), self._happen, fault)

    def _happen(self, fault: Fault) -> None:
        network = self._network
        if fault.kind == "mute":
            self._mute(fault)
        elif fault.kind == "slow":
            self._slow(fault)
        else:
            self._cut(fault)
        if fault.every is not None and (
            fault.until is None or network.clock.now() + fault.every <= fault.until
        ):
            network.at(fault.every, self._happen, fault)

    def _cut(self, fault: Fault) -> None:
        if fault.kind == "leave":
            leavers = self._some(self._nodes(fault.nodes), fault.count)
            pairs = [(node, other) for node in leavers for other in self._network.neighbours(node)]
        else:
            pairs = self._some(self._pairs(fault), fault.count)
        for first, second in pairs:
            if not self._network.is_connected(first, second):
                continue
            ways = [
                (link.latency, link.rate)
                for link in (self._network.link(first, second), self._network.link(second, first))
            ]
            self._network.disconnect(first, second, fault.kind)
            if fault.lasts is not None:
                self._network.at(fault.lasts, self._mend, first, second, ways)

    def _mend(self, first: VirtualNode, second: VirtualNode, ways: list[tuple[float, float | None]]) -> None:
        self._network.connect(first, second)
        for (one, other), (latency, rate) in zip(((first, second), (second, first)), ways, strict=True):
            self._set(one, other, latency, rate)

    def _mute(self, fault: Fault) -> None:
        for node in self._some(self._nodes(fault.nodes), fault.count):
            node.mute = True
            if fault.lasts is not None:
                self._network.at(fault.lasts, setattr, node, "mute", False)

    def _slow(self, fault: Fault) -> None:
        for pair in self._some(self._pairs(fault), fault.count):
            for first, second in (pair, pair[::-1]):
                link = self._network.link(first, second)
                if fault.lasts is not None:
                    self._network.at(fault.lasts, self._set, first, second, link.latency, link.rate)
                latency = link.latency if fault.latency is None else fault.latency
                self._set(first, second, latency, link.rate if fault.rate is None else fault.rate)

    def _set(self, first: VirtualNode, second: VirtualNode, latency: float, rate: float | None) -> None:
        if self._network.is_connected(first, second):
            link = self._network.link(first, second)
            link.latency, link.rate = latency, rate

    def _pairs(self, fault: Fault) -> list[Pair]:
        """The links between the two groups, each once."""
        others = dict.fromkeys(self._nodes(fault.others))
        found: dict[frozenset[str], Pair] = {}
        for node in self._nodes(fault.nodes):
            for other in self._network.neighbours(node):
                if other in others:
                    found.setdefault(frozenset((node.name, other.name)), (node, other))
        return list(found.values())

    def _some(self, members: Sequence[_T], count: int | None) -> list[_T]:
        if count is None or count >= len(members):
            return list(members)
        return self._random.sample(members, count)
