"""Directories as hash array mapped tries: the bits of a name's hash lead to it (UnixFS specification, HAMT).

A shard has up to `fanout` children. A link's name begins with the child's index in upper-case hexadecimal;
what follows is the name of an entry, and nothing follows where the child is a shard for the next bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import mmh3

from bitswap.cid import CID
from bitswap.dag import pb, unixfs
from bitswap.dag.errors import DagError, MalformedNode
from bitswap.dag.profile import MAX_FANOUT, MIN_FANOUT, valid_fanout

MURMUR3_X64_64 = 0x22
"""The one hash function in use (multicodec)."""
HASH_BITS = 64


def name_hash(name: bytes) -> int:
    """64 bits of murmur3; the highest choose the child in the root."""
    first, _ = mmh3.hash64(name, 0, True, signed=False)
    return int(first)


def build(entries: Sequence[pb.Link], fanout: int, put: Callable[[bytes], CID]) -> tuple[CID, int]:
    """Put the shards of a directory with these entries; CID and cumulative size of the root (boxo `hamt`).

    Raises DagError when names agree in all bits that the fanout can use.
    """
    hashed = [(name_hash(entry.name), entry) for entry in entries]
    root = _build(hashed, fanout, 1, put)
    return root.cid, root.tsize


def _build(
    entries: list[tuple[int, pb.Link]], fanout: int, level: int, put: Callable[[bytes], CID]
) -> pb.Link:
    bits = fanout.bit_length() - 1
    shift = HASH_BITS - bits * level
    if shift < 0:
        names = ", ".join(repr(entry.name) for _, entry in entries[:2])
        raise DagError(f"the hashes of {names} are the same; no shard can tell them apart")
    buckets: dict[int, list[tuple[int, pb.Link]]] = {}
    for item in entries:
        buckets.setdefault(item[0] >> shift & (fanout - 1), []).append(item)
    width = prefix_width(fanout)
    links = []
    field = 0
    for index in sorted(buckets):
        field |= 1 << index
        bucket = buckets[index]
        child = bucket[0][1] if len(bucket) == 1 else _build(bucket, fanout, level + 1, put)
        links.append(child._replace(name=b"%0*X%b" % (width, index, child.name)))
    bitmap = field.to_bytes((field.bit_length() + 7) // 8, "big")
    node = unixfs.FSNode(unixfs.Type.HAMT_SHARD, data=bitmap or None, hash_type=MURMUR3_X64_64, fanout=fanout)
    data = pb.encode(links, unixfs.encode(node))
    return pb.Link(put(data), b"", len(data) + sum(link.tsize for link in links))


def prefix_width(fanout: int) -> int:
    """Hexadecimal digits of the highest index."""
    return len(f"{fanout - 1:X}")


class Position(NamedTuple):
    """Where in the trie a shard stands: the width of all shards, its level (root 1) and the bits that led to
    it.
    """

    fanout: int
    level: int = 1
    path: int = 0

    def below(self, index: int) -> Position:
        return Position(self.fanout, self.level + 1, self.path << self._bits | index)

    def index_of(self, hash: int) -> int:
        """The child of this shard where a name with this hash is; MalformedNode when the bits are used up."""
        return self._upto(hash) & (self.fanout - 1)

    def holds(self, index: int, name: bytes) -> bool:
        """Whether an entry of this name belongs at this child of this very shard."""
        return self._upto(name_hash(name)) == self.path << self._bits | index

    @property
    def _bits(self) -> int:
        return self.fanout.bit_length() - 1

    def _upto(self, hash: int) -> int:
        shift = HASH_BITS - self._bits * self.level
        if shift < 0:
            raise MalformedNode(f"a sharded directory is more than {self.level - 1} levels deep")
        return hash >> shift


class Child(NamedTuple):
    """A child of a shard: an entry, or (name None) another shard."""

    slot: int
    name: bytes | None
    link: pb.Link


def read(node: pb.Node, fs: unixfs.FSNode, position: Position | None) -> tuple[Position, list[Child]]:
    """Where the shard stands (root when `position` is None) and its children in order; raises MalformedNode.

    Checked: hash function and width, one link for each bit of the field, and every name in the place that its
    hash gives.
    """
    if fs.hash_type != MURMUR3_X64_64:
        raise MalformedNode(f"a sharded directory uses hash function {fs.hash_type}, not murmur3-x64-64")
    fanout = fs.fanout or 0
    if position is None:
        if not valid_fanout(fanout):
            raise MalformedNode(
                f"a shard is {fanout} wide; powers of two from {MIN_FANOUT} to {MAX_FANOUT} are known"
            )
        position = Position(fanout)
    elif fanout != position.fanout:
        raise MalformedNode(f"a shard is {fanout} wide inside a directory of width {position.fanout}")
    elif not node.links:
        raise MalformedNode("a shard below the root of a directory is empty")
    field = int.from_bytes(fs.content, "big")
    children = [_child(link, position) for link in node.links]
    indexes = {child.slot for child in children}
    if len(indexes) != len(children) or sum(1 << index for index in indexes) != field:
        raise MalformedNode("the links of a shard are not those of its bit field")
    return position, children


def _child(link: pb.Link, position: Position) -> Child:
    width = prefix_width(position.fanout)
    prefix, name = link.name[:width], link.name[width:]
    try:
        index = int(prefix, 16)
    except ValueError:
        index = -1
    if index < 0 or b"%0*X" % (width, index) != prefix or index >= position.fanout:
        raise MalformedNode(f"a link in a shard has no index in its name {link.name[:20]!r}")
    if name and not position.holds(index, name):
        raise MalformedNode(f"the entry {name[:100]!r} is not where its hash belongs")
    return Child(index, name or None, link)
