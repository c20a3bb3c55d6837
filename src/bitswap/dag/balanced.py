"""The balanced layout of a file: all leaves at one depth, filled from the left (boxo `importer/balanced`)."""

from __future__ import annotations

from bitswap.dag import pb, unixfs
from bitswap.dag.writer import BlockWriter, Ref


class BalancedTree:
    """Built from its leaves up; at any time only the open node of each level is in memory."""

    def __init__(self, writer: BlockWriter, max_links: int) -> None:
        self._writer = writer
        self._max_links = max_links
        self._levels: list[list[Ref]] = []

    def add(self, ref: Ref, level: int = 0) -> None:
        """Append a leaf (or, above level 0, a node whose leaves are all there)."""
        while True:
            if level == len(self._levels):
                self._levels.append([])
            row = self._levels[level]
            if len(row) < self._max_links:
                row.append(ref)
                return
            # Only the next child shows that this node is not the root.
            self._levels[level] = [ref]
            ref = file_node(self._writer, row)
            level += 1

    def finish(self) -> Ref | None:
        """The root, a leaf when there was but one; None when there was none."""
        level = 0
        while level < len(self._levels):
            row = self._levels[level]
            if len(row) == 1 and level == len(self._levels) - 1:
                return row[0]
            level += 1
            self.add(file_node(self._writer, row), level)
        return None


def file_node(writer: BlockWriter, children: list[Ref]) -> Ref:
    """Put an interior node of a file."""
    sizes = [child.content for child in children]
    links = [pb.Link(child.cid, b"", child.tsize) for child in children]
    node = unixfs.FSNode(unixfs.Type.FILE, filesize=sum(sizes), blocksizes=sizes)
    data = pb.encode(links, unixfs.encode(node))
    return Ref(writer.node(data), sum(sizes), len(data) + sum(child.tsize for child in children))
