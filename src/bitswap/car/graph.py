"""The blocks of a graph in the order of a CAR: depth first, each once."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

from bitswap.block import Block
from bitswap.car import cbor
from bitswap.car.cbor import CborError
from bitswap.cid import CID, DAG_CBOR, DAG_PB
from bitswap.dag import pb
from bitswap.dag.errors import DagTooLarge, MalformedNode
from bitswap.dag.source import BlockSource
from bitswap.dag.walk import Branch, Expansion, Target, walk
from bitswap.multihash import IDENTITY
from bitswap.options import KIB, MAX_BLOCK, DagOptions

_NODE_SIZE = 16 * KIB
"""Bytes that a block is taken to have where nothing tells."""


def graph_blocks(
    source: BlockSource, root: CID, bounds: DagOptions | None = None
) -> Generator[Block, None, None]:
    """All blocks below `root`, depth first, where each stands first (what kubo's `dag export` writes).

    Links of dag-pb and dag-cbor blocks are followed; blocks of any other codec lead nowhere. Blocks inside
    identity CIDs are followed and not given out: every reader has them with the CID. Raises MalformedNode,
    DagTooLarge, and what `source` raises.
    """
    bounds = bounds or DagOptions()
    graph = _Graph(bounds)
    with closing(walk(source, Target(root, None, _NODE_SIZE, Branch.MAYBE), graph.expand, bounds)) as blocks:
        for block in blocks:
            if graph.is_new(block.cid):
                yield block


class _Graph:
    """What was given out. A block met again after that is not followed, since all below it came, too; one
    met again before, inside the window of the walk, is followed in vain.
    """

    def __init__(self, bounds: DagOptions) -> None:
        self._bounds = bounds
        self._seen: set[CID] = set()

    def is_new(self, cid: CID) -> bool:
        if cid in self._seen or cid.hash_code == IDENTITY:
            return False
        if len(self._seen) >= self._bounds.max_entries:
            raise DagTooLarge(f"the graph has more than {self._bounds.max_entries} blocks")
        self._seen.add(cid)
        return True

    def expand(self, target: Target[None], data: bytes) -> Expansion[None, Block]:
        cid = target.cid
        if cid in self._seen:
            return Expansion()
        children = self._children(cid, data)
        return Expansion((Block(cid, data),), children, len(children), held=True)

    def _children(self, cid: CID, data: bytes) -> Sequence[Target[None]]:
        try:
            if cid.codec == DAG_PB:
                node = pb.decode(memoryview(data), self._bounds.max_node_links)
                return [_target(link.cid, link.tsize) for link in node.links]
            if cid.codec == DAG_CBOR:
                return [_target(link, _NODE_SIZE) for link in cbor.links(data)]
        except MalformedNode as error:
            raise MalformedNode(f"{error} ({cid})") from None
        except CborError as error:
            raise MalformedNode(f"no DAG-CBOR: {error} at byte {error.offset} ({cid})") from None
        return ()


def _target(cid: CID, size: int) -> Target[None]:
    if cid.codec not in (DAG_PB, DAG_CBOR):
        return Target(cid, None, min(size, MAX_BLOCK), Branch.LEAF)
    # What a link of dag-pb declares is all below it, so more than a block has means that it leads further.
    if size > MAX_BLOCK:
        return Target(cid, None, _NODE_SIZE, Branch.SURE)
    return Target(cid, None, size, Branch.MAYBE)
