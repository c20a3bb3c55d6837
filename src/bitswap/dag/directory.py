"""Directories: one node, or a HAMT where that would be big (boxo `unixfs/io` DynamicDirectory)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bitswap.dag import hamt, pb, unixfs
from bitswap.dag.errors import DagError
from bitswap.dag.profile import ImportOptions
from bitswap.dag.writer import BlockWriter, Ref

_DATA = unixfs.encode(unixfs.FSNode(unixfs.Type.DIRECTORY))


class Entry(NamedTuple):
    """A name in a directory and what it leads to."""

    name: bytes
    ref: Ref


def put_directory(entries: Sequence[Entry], profile: ImportOptions, writer: BlockWriter) -> Ref:
    """Put the nodes of a directory; entries in any order. Raises DagError for a name given twice."""
    links = [pb.Link(entry.ref.cid, entry.name, entry.ref.tsize) for entry in entries]
    if len({link.name for link in links}) != len(links):
        raise DagError("a directory has two entries of one name")
    content = sum(entry.ref.content for entry in entries)
    if is_sharded(links, profile):
        cid, tsize = hamt.build(links, profile.fanout, writer.node)
        return Ref(cid, content, tsize)
    data = pb.encode(links, _DATA)
    return Ref(writer.node(data), content, len(data) + sum(link.tsize for link in links))


def is_sharded(links: Sequence[pb.Link], profile: ImportOptions) -> bool:
    """Whether these entries become a HAMT."""
    if profile.sharding != "auto":
        return profile.sharding == "always"
    if profile.shard_estimate == "links":
        size = sum(len(link.name) + len(link.cid) for link in links)
    else:
        size = len(pb.encode((), _DATA)) + sum(len(pb.encode_link(link)) for link in links)
    return size > profile.shard_threshold or (size == profile.shard_threshold and profile.threshold_shards)
