"""What an import looks like as a graph: the settings that decide its CIDs (IPIP-499, UnixFS profiles)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bitswap.multihash import IDENTITY, SHA2_256, SUPPORTED
from bitswap.options import KIB, MAX_BLOCK, MIB
from bitswap.options.limits import require

MAX_CHUNK = MAX_BLOCK - 256
"""Bytes of the largest chunk: a block less 256 for what wraps it (boxo chunker)."""
MIN_FANOUT, MAX_FANOUT = 8, 1024
"""Width of a HAMT shard: a power of two and a multiple of 8 (boxo hamt; at most 1,024 are read)."""


@dataclass(frozen=True)
class ImportOptions:
    """The defaults are kubo's of CIDv0, profile unixfs-v0-2015; with `cid_version=1` leaves are raw.

    Equal options give equal CIDs, and those that kubo gives.
    """

    chunk_size: int = 256 * KIB
    """Bytes of content in a leaf."""
    cid_version: int = 0
    raw_leaves: bool | None = None
    """Leaves without UnixFS around them; None: with CIDv1 only (kubo)."""
    max_links: int = 174
    """Children of a file's interior node (boxo DefaultLinksPerBlock)."""
    hash_code: int = SHA2_256
    sharding: Literal["auto", "always", "never"] = "auto"
    """When a directory becomes a HAMT; auto: when its estimate exceeds `shard_threshold`."""
    shard_threshold: int = 256 * KIB
    """Bytes (boxo HAMTShardingSize)."""
    shard_estimate: Literal["links", "block"] = "links"
    """What is compared: bytes of names and CIDs, or of the whole dag-pb block (boxo SizeEstimationMode)."""
    shard_at_threshold: bool | None = None
    """Whether a directory exactly at the threshold shards: kubo 0.22 does, boxo 0.43 does not. None: yes with
    CIDv0, no with CIDv1."""
    fanout: int = 256
    """Width of a HAMT shard (boxo DefaultShardWidth)."""
    hidden: bool = False
    """Whether hidden entries of directories are added (kubo add --hidden); a path given by name always is."""
    dereference: bool = False
    """Whether a link given by name is followed (kubo add --dereference-args); those inside never are."""
    wrap: bool = False
    """Whether the result is a directory that holds what was added, so that its name is kept (kubo add -w)."""

    def __post_init__(self) -> None:
        require(1 <= self.chunk_size <= MAX_CHUNK, f"chunk_size must be 1 to {MAX_CHUNK} bytes")
        require(self.cid_version in (0, 1), "cid_version must be 0 or 1")
        require(2 <= self.max_links <= 8192, "max_links must be 2 to 8192")
        require(
            self.hash_code in SUPPORTED and self.hash_code != IDENTITY,
            "this hash cannot name imported blocks",
        )
        require(
            self.cid_version == 1 or self.hash_code == SHA2_256, "a CIDv0 has sha2-256; use cid_version=1"
        )
        require(self.sharding in ("auto", "always", "never"), "sharding must be auto, always or never")
        require(self.shard_estimate in ("links", "block"), "shard_estimate must be links or block")
        require(self.shard_threshold >= 0, "shard_threshold must not be negative")
        require(valid_fanout(self.fanout), f"fanout must be a power of two from {MIN_FANOUT} to {MAX_FANOUT}")

    @property
    def leaves_are_raw(self) -> bool:
        return self.cid_version == 1 if self.raw_leaves is None else self.raw_leaves

    @property
    def threshold_shards(self) -> bool:
        return self.cid_version == 0 if self.shard_at_threshold is None else self.shard_at_threshold


def valid_fanout(fanout: int) -> bool:
    """Whether a HAMT shard can be this wide."""
    return MIN_FANOUT <= fanout <= MAX_FANOUT and fanout & (fanout - 1) == 0


UNIXFS_V0_2015 = ImportOptions()
"""kubo's defaults with CIDv0 (until 0.39)."""
UNIXFS_V1_2025 = ImportOptions(chunk_size=1 * MIB, cid_version=1, max_links=1024, shard_estimate="block")
"""Raw leaves of 1 MiB, 1,024 links a node, directories measured by their blocks."""
