"""Who has which blocks when a simulation begins (boxo's benchmark distributions)."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from bitswap.block import Block
from bitswap.simulation.scenario import Holding, require
from bitswap.testnet import VirtualNode


def hold(holding: Holding, blocks: Sequence[Block], nodes: Sequence[VirtualNode], random: Random) -> None:
    """Give the nodes their blocks; nobody is told."""
    last = len(blocks) if holding.last is None else holding.last
    if holding.kind == "ranges":
        require(len(holding.ranges) == len(nodes), f"holdings: {len(nodes)} nodes need as many ranges")
        for node, (start, end) in zip(nodes, holding.ranges, strict=True):
            _give([node], blocks[start:end])
        return
    if holding.kind == "all":
        _give(nodes, blocks[holding.first : last])
        return
    require(holding.copies <= len(nodes), f"holdings: {holding.copies} copies need as many nodes")
    for number in range(holding.first, last):
        if holding.kind == "random":
            holders = random.sample(nodes, holding.copies)
        else:
            holders = [
                node for place, node in enumerate(nodes) if number % 3 == 0 or number % len(nodes) == place
            ]
        _give(holders, [blocks[number]])


def _give(nodes: Sequence[VirtualNode], blocks: Sequence[Block]) -> None:
    held = {block.cid: block for block in blocks}
    for node in nodes:
        node.blocks.update(held)
