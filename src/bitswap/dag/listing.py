"""What is in a directory, without reading what its entries lead to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bitswap.cid import CID, DAG_PB
from bitswap.dag import hamt, pb
from bitswap.dag.errors import DagTooLarge, WrongType
from bitswap.dag.reader import decode_name, read_node
from bitswap.dag.source import BlockSource
from bitswap.dag.unixfs import Type
from bitswap.dag.walk import Branch, Expansion, Target, walk
from bitswap.options import KIB, DagOptions


class DirectoryEntry(NamedTuple):
    """A name and where it leads; `tsize` is cumulative: bytes of all blocks below, as their author says.

    Names are as they are in the graph: they may be what no file system has.
    """

    name: str
    cid: CID
    tsize: int


def list_directory(
    source: BlockSource, cid: CID, bounds: DagOptions | None = None
) -> Iterator[DirectoryEntry]:
    """The entries in the order of the graph: by name, or by hash where the directory is sharded.

    Raises WrongType when `cid` is no directory, DagError, and what `source` raises.
    """
    bounds = bounds or DagOptions()
    counted = 0

    def expand(
        target: Target[hamt.Position | None], data: bytes
    ) -> Expansion[hamt.Position | None, list[DirectoryEntry]]:
        nonlocal counted
        position = target.context
        if target.cid.codec != DAG_PB:
            raise WrongType(f"{target.cid} is no directory")
        node, fs = read_node(data, bounds)
        if fs.type == Type.DIRECTORY and position is None:
            return Expansion([[_entry(link.name, link) for link in node.links]])
        if fs.type != Type.HAMT_SHARD:
            raise WrongType(
                f"{target.cid} is a {fs.type.name}, no {'directory' if position is None else 'shard'}"
            )
        here, children = hamt.read(node, fs, position)
        entries = [_entry(child.name, child.link) for child in children if child.name is not None]
        counted += len(entries)
        if counted > bounds.max_entries:
            raise DagTooLarge(f"the directory has more than {bounds.max_entries} entries")
        shards = [
            Target[hamt.Position | None](child.link.cid, here.below(child.slot), KIB, Branch.MAYBE)
            for child in children
            if child.name is None
        ]
        return Expansion([entries] if entries else [], shards, len(shards))

    for entries in walk(source, Target[hamt.Position | None](cid, None, KIB, Branch.MAYBE), expand, bounds):
        yield from entries


def _entry(name: bytes, link: pb.Link) -> DirectoryEntry:
    return DirectoryEntry(decode_name(name), link.cid, link.tsize)
