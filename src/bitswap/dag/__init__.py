"""UnixFS graphs: files and directories into blocks and back, with the CIDs of kubo.

Import: `add_path`, `add_stream`. Read over a network or a store: `read_file`, `read_tree`, `list_directory`,
`resolve`. Write to disk: `export`, `export_stream`. All reading goes through a `BlockSource`: a session's
getter, or `StoreGetter`.
"""

from bitswap.dag.errors import (
    DagError,
    DagTooLarge,
    MalformedNode,
    PathNotFound,
    SizeMismatch,
    TargetExists,
    UnsafeName,
    WrongType,
)
from bitswap.dag.exporter import Exported, ExportOptions, export, export_stream
from bitswap.dag.importer import Added, Importer, add_path, add_stream
from bitswap.dag.listing import DirectoryEntry, list_directory
from bitswap.dag.offline import StoreGetter
from bitswap.dag.profile import UNIXFS_V0_2015, UNIXFS_V1_2025, ImportOptions
from bitswap.dag.reader import read_file, read_tree
from bitswap.dag.resolve import Resolved, parse_path, resolve
from bitswap.dag.source import BlockSource
from bitswap.dag.walk import walk

__all__ = [
    "UNIXFS_V0_2015",
    "UNIXFS_V1_2025",
    "Added",
    "BlockSource",
    "DagError",
    "DagTooLarge",
    "DirectoryEntry",
    "ExportOptions",
    "Exported",
    "ImportOptions",
    "Importer",
    "MalformedNode",
    "PathNotFound",
    "Resolved",
    "SizeMismatch",
    "StoreGetter",
    "TargetExists",
    "UnsafeName",
    "WrongType",
    "add_path",
    "add_stream",
    "export",
    "export_stream",
    "list_directory",
    "parse_path",
    "read_file",
    "read_tree",
    "resolve",
    "walk",
]
