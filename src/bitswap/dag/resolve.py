"""Paths: CID/name/name… to the node they lead to, through plain and sharded directories."""

from __future__ import annotations

from typing import NamedTuple

from bitswap.cid import CID, DAG_PB, RAW
from bitswap.dag import hamt, pb
from bitswap.dag.errors import MalformedNode, PathNotFound, WrongType
from bitswap.dag.reader import encode_name, read_node
from bitswap.dag.source import BlockSource, get_one
from bitswap.dag.unixfs import FSNode, Type
from bitswap.errors import UsageError
from bitswap.options import DagOptions


class Resolved(NamedTuple):
    """What a path leads to; `name` is its last part, empty for a bare CID."""

    cid: CID
    name: str


def parse_path(path: str | CID) -> tuple[CID, list[str]]:
    """Root and names of "CID/a/b", "/ipfs/CID/a/b" or "ipfs://CID/a/b"; empty parts are ignored.

    Raises UsageError (InvalidCid) for anything else.
    """
    if isinstance(path, CID):
        return path, []
    text = path
    for head in ("ipfs://", "/ipfs/"):
        text = text.removeprefix(head)
    parts = [part for part in text.split("/") if part]
    if not parts:
        raise UsageError(f"{path!r} is no path: it begins with a CID, /ipfs/CID or ipfs://CID")
    return CID.decode(parts[0]), parts[1:]


def resolve(source: BlockSource, path: str | CID, bounds: DagOptions | None = None) -> Resolved:
    """Follow a path name by name; symbolic links are not followed.

    Raises PathNotFound for a name that is not there, WrongType for a name inside what is no directory,
    DagError for what is not valid UnixFS, and what `source` raises.
    """
    root, names = parse_path(path)
    cid = root
    for index, name in enumerate(names, 1):
        link = find(source, cid, encode_name(name), bounds)
        if link is None:
            missing = "/".join([str(root), *names[:index]])
            raise PathNotFound(f"{missing} does not exist: {cid} has no entry {name!r}", missing=[missing])
        cid = link.cid
    return Resolved(cid, names[-1] if names else "")


def find(
    source: BlockSource, directory: CID, name: bytes, bounds: DagOptions | None = None
) -> pb.Link | None:
    """The link of an entry of this name, or None; of a sharded directory only the shards on the way are read.

    Raises WrongType when `directory` is none, MalformedNode.
    """
    bounds = bounds or DagOptions()
    node, fs = _directory_node(source, directory, bounds)
    if fs.type == Type.DIRECTORY:
        return next((link for link in node.links if link.name == name), None)
    hashed = hamt.name_hash(name)
    position: hamt.Position | None = None
    while True:
        position, children = hamt.read(node, fs, position)
        slot = position.index_of(hashed)
        child = next((child for child in children if child.slot == slot), None)
        if child is None:
            return None
        if child.name is not None:
            return child.link if child.name == name else None
        node, fs = _directory_node(source, child.link.cid, bounds)
        if fs.type != Type.HAMT_SHARD:
            raise WrongType(f"{child.link.cid} is a {fs.type.name} where a shard belongs")
        position = position.below(slot)


def _directory_node(source: BlockSource, cid: CID, bounds: DagOptions) -> tuple[pb.Node, FSNode]:
    if cid.codec == RAW:
        raise WrongType(f"{cid} is a file, no directory")
    if cid.codec != DAG_PB:
        raise WrongType(f"{cid}: codec 0x{cid.codec:x} is neither raw nor dag-pb")
    try:
        node, fs = read_node(get_one(source, cid).data, bounds)
    except MalformedNode as error:
        raise MalformedNode(f"{cid}: {error}") from None
    if fs.type not in (Type.DIRECTORY, Type.HAMT_SHARD):
        raise WrongType(f"{cid} is a {fs.type.name}, no directory")
    return node, fs
