"""Bounds and defaults of reading and writing UnixFS graphs."""

from __future__ import annotations

from dataclasses import dataclass

from bitswap.options.limits import KIB, MIB, require


@dataclass(frozen=True)
class DagOptions:
    """Walking, reading and writing of UnixFS graphs; what decides an import's CIDs is `dag.ImportOptions`."""

    window_blocks: int = 2048
    """Blocks of a walk that are wanted, or came before their turn (two peers' worth of 1,000 wants)."""
    window_bytes: int = 32 * MIB
    """Bytes of the same: bandwidth x delay of 320 MB/s at 100 ms. Sizes that a graph declares are estimates
    until a block comes; above 5/4 of this, what is farthest ahead is given up and wanted again later."""
    node_lookahead: int = 8192
    """Links of interior nodes that may lie open ahead of the reader: 47 nodes of 174 links (kubo's width)."""
    cache_bytes: int = 4 * MIB
    """Bytes of blocks just read that are kept, since a graph may hold the same block again soon."""
    max_depth: int = 1024
    """Nodes on the way from the root to a leaf. Files are 1 to 5 deep, most directories fewer than 50."""
    max_node_links: int = 65_536
    """Links of one node: more than an unsharded directory of 2 MiB has (about 45,000)."""
    max_open_links: int = 262_144
    """Links of all nodes on the way to the reader, not yet followed (about 250 bytes of memory each)."""
    max_entries: int = 10_000_000
    """Files, directories and links in a tree that is read: a graph can repeat itself without end."""
    max_empty_nodes: int = 65_536
    """Parts of files that hold no byte; importers write none."""
    batch_blocks: int = 1024
    """Blocks of an import that go to the store in one transaction."""
    batch_bytes: int = 8 * MIB
    """Bytes of the same."""
    max_car_header: int = 1 * MIB
    """Bytes of a CAR's header: about 26,000 roots."""
    max_car_section: int = 8 * MIB
    """Bytes of a block in a CAR that is read, its CID included (go-car's bound)."""

    def __post_init__(self) -> None:
        links = ("max_node_links", "max_open_links", "max_car_header", "max_car_section")
        for name in (*links, "max_depth", "max_entries", "batch_blocks", "batch_bytes"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1")
        for name in ("cache_bytes", "max_empty_nodes", "node_lookahead"):
            require(getattr(self, name) >= 0, f"{name} must not be negative")
        require(self.window_blocks >= 2, "window_blocks must be at least 2")
        require(self.window_bytes >= 1 * KIB, "window_bytes must be at least 1 KiB")
