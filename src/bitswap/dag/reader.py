"""UnixFS graphs as events in reading order: directories, files, their bytes, symbolic links."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import NamedTuple, TypeAlias

from bitswap.cid import CID, DAG_PB, RAW
from bitswap.dag import hamt, pb, unixfs
from bitswap.dag.errors import DagTooLarge, MalformedNode, SizeMismatch, UnsafeName, WrongType
from bitswap.dag.source import BlockSource
from bitswap.dag.unixfs import FSNode, Mtime, Type
from bitswap.dag.walk import Branch, Expansion, Target, walk
from bitswap.options import KIB, MAX_BLOCK, DagOptions


class EnterDirectory(NamedTuple):
    """A directory begins; `path` is relative to the root ("" is the root itself) and has slashes. `size` is
    cumulative: bytes of all blocks below, as its author says.
    """

    path: str
    size: int
    mode: int | None = None
    mtime: Mtime | None = None


class LeaveDirectory(NamedTuple):
    path: str


class StartFile(NamedTuple):
    """A file begins; exactly `size` bytes of data follow, or an error."""

    path: str
    size: int
    mode: int | None = None
    mtime: Mtime | None = None


class EndFile(NamedTuple):
    path: str


class Symlink(NamedTuple):
    """A symbolic link; `target` is not checked in any way."""

    path: str
    target: bytes
    mtime: Mtime | None = None


Data: TypeAlias = bytes | memoryview
"""Bytes of the file that began last."""
Event: TypeAlias = EnterDirectory | LeaveDirectory | StartFile | EndFile | Symlink | Data


class _Entry(NamedTuple):
    """A place for a file, directory or link."""

    path: str


class _Part(NamedTuple):
    """A place for `size` bytes of a file, of which those from `start` to `stop` are wanted."""

    path: str
    size: int
    start: int
    stop: int


class _Shard(NamedTuple):
    """A place for a shard below the root of a directory."""

    path: str
    position: hamt.Position


_Place: TypeAlias = _Entry | _Part | _Shard
_Expansion: TypeAlias = Expansion[_Place, Event]

_NODE_SIZE = 16 * KIB
"""Bytes that an interior node is taken to have (174 links: 8 to 9 KiB)."""
_SMALL = 16 * KIB
_LEAF_OVERHEAD = 32
"""Bytes that dag-pb and UnixFS put around a leaf, at most; one link alone has more."""


def read_tree(
    source: BlockSource,
    root: CID,
    bounds: DagOptions | None = None,
    *,
    start: int = 0,
    stop: int | None = None,
) -> Generator[Event, None, None]:
    """The events of a file, directory or link. `start` and `stop` cut files (all of them) to these bytes.

    Raises DagError for what is not valid UnixFS, and what `source` raises. Names are checked for what no file
    system has: empty, dots, slashes, NUL.
    """
    bounds = bounds or DagOptions()
    reader = _TreeReader(bounds, start, stop)
    target = _target(root, _Entry(""), KIB, Branch.MAYBE)
    return walk(source, target, reader.expand, bounds)


def read_file(
    source: BlockSource,
    root: CID,
    bounds: DagOptions | None = None,
    *,
    start: int = 0,
    stop: int | None = None,
) -> Generator[Data, None, None]:
    """The bytes of a file from `start` to `stop`; raises WrongType when it is none."""
    with closing(read_tree(source, root, bounds, start=start, stop=stop)) as events:
        for event in events:
            if isinstance(event, (bytes, memoryview)):
                yield event
            elif isinstance(event, (EnterDirectory, Symlink)):
                raise WrongType(
                    f"{root} is a {'link' if isinstance(event, Symlink) else 'directory'}, no file"
                )


class _TreeReader:
    def __init__(self, bounds: DagOptions, start: int, stop: int | None) -> None:
        self._bounds = bounds
        self._start = start
        self._stop = 2**64 if stop is None else stop
        self._entries = 0
        self._empty = 0

    def expand(self, target: Target[_Place], data: bytes) -> _Expansion:
        place = target.context
        codec = target.cid.codec
        if codec == RAW:
            if isinstance(place, _Shard):
                raise WrongType(f"{_where(place)}a raw block where a shard belongs")
            if isinstance(place, _Part):
                return self._leaf(place, data)
            return self._raw_file(place, data)
        if codec != DAG_PB:
            raise WrongType(f"{_where(place)}codec 0x{codec:x} is neither raw nor dag-pb")
        try:
            return self._expand_node(place, data)
        except MalformedNode as error:
            raise MalformedNode(f"{_where(place)}{error} ({target.cid})") from None

    def _expand_node(self, place: _Place, data: bytes) -> _Expansion:
        # A view keeps content from being copied; bytes are faster to parse.
        node, fs = read_node(memoryview(data) if len(data) > _SMALL else data, self._bounds)
        if isinstance(place, _Part):
            return self._part(place, node, fs, len(data))
        if isinstance(place, _Shard):
            if fs.type != Type.HAMT_SHARD:
                raise WrongType(f"{_where(place)}a {fs.type.name} where a shard belongs")
            return self._shard(place, node, fs, place.position)
        size = len(data) + sum(link.tsize for link in node.links)
        if fs.type in (Type.FILE, Type.RAW):
            return self._file(place, node, fs, len(data))
        if fs.type == Type.SYMLINK:
            return Expansion((Symlink(place.path, bytes(fs.content), fs.mtime),))
        if fs.type == Type.METADATA:
            return self._metadata(place, node)
        enter = (EnterDirectory(place.path, size, fs.mode, fs.mtime),)
        leave = (LeaveDirectory(place.path),)
        if fs.type == Type.HAMT_SHARD:
            inner = self._shard(place, node, fs, None)
            return Expansion(enter, inner.children, inner.count, leave)
        self._count_entries(len(node.links))
        paths = [self._join(place, link.name) for link in node.links]
        children = (_entry(path, link) for path, link in zip(paths, node.links, strict=True))
        return Expansion(enter, children, len(paths), leave)

    def _metadata(self, place: _Entry, node: pb.Node) -> _Expansion:
        """A wrapper around a file, long out of use."""
        if not node.links:
            raise MalformedNode("a metadata node leads nowhere")
        return Expansion((), (_entry(place.path, node.links[0]),), 1)

    def _shard(
        self, place: _Entry | _Shard, node: pb.Node, fs: FSNode, position: hamt.Position | None
    ) -> _Expansion:
        here, children = hamt.read(node, fs, position)
        self._count_entries(sum(child.name is not None for child in children))
        targets = [
            _target(
                child.link.cid,
                _Shard(place.path, here.below(child.slot)),
                min(child.link.tsize, _NODE_SIZE),
                Branch.MAYBE,
            )
            if child.name is None
            else _entry(self._join(place, child.name), child.link)
            for child in children
        ]
        return Expansion((), targets, len(targets))

    # Files.

    def _raw_file(self, place: _Entry, data: bytes) -> _Expansion:
        size = len(data)
        content = data[self._start : self._stop] if self._start or self._stop < size else data
        return Expansion(_some(StartFile(place.path, size), content), after=(EndFile(place.path),))

    def _file(self, place: _Entry, node: pb.Node, fs: FSNode, size: int) -> _Expansion:
        total = file_size(node, fs)
        part = _Part(place.path, total, max(0, self._start), min(self._stop, total))
        inner = self._part(part, node, fs, size)
        start = StartFile(place.path, total, fs.mode, fs.mtime)
        return Expansion(
            (start, *inner.before), inner.children, inner.count, (EndFile(place.path),), held=inner.held
        )

    def _leaf(self, place: _Part, data: Data) -> _Expansion:
        if len(data) != place.size:
            raise SizeMismatch(f"{_where(place)}a part has {len(data)} bytes where {place.size} belong")
        if place.start > 0 or place.stop < place.size:
            data = data[max(0, place.start) : max(0, place.stop)]
        return Expansion((data,) if data else ())

    def _part(self, place: _Part, node: pb.Node, fs: FSNode, size: int) -> _Expansion:
        if fs.type not in (Type.FILE, Type.RAW):
            raise WrongType(f"{_where(place)}a {fs.type.name} inside a file")
        total = file_size(node, fs)
        if total != place.size:
            raise SizeMismatch(f"{_where(place)}a part has {total} bytes where {place.size} belong")
        content = fs.content
        own = Expansion[_Place, Event]()
        if content:
            own = self._leaf(place._replace(size=len(content)), content)
        if not node.links:
            return own
        parts = self._wanted_parts(place, node, fs)
        estimate = max(_NODE_SIZE, size)
        children = (_target(link.cid, part, *_likely(link, part.size, estimate)) for link, part in parts)
        return Expansion(own.before, children, len(parts), held=bool(own.before))

    def _wanted_parts(self, place: _Part, node: pb.Node, fs: FSNode) -> Sequence[tuple[pb.Link, _Part]]:
        parts = []
        offset = len(fs.content)
        for link, size in zip(node.links, fs.blocksizes, strict=True):
            if size:
                wanted = offset < place.stop and offset + size > place.start
            else:
                # It holds nothing, but that is still to be seen.
                wanted = place.start <= offset <= place.stop
                self._count_empty()
            if wanted:
                parts.append((link, _Part(place.path, size, place.start - offset, place.stop - offset)))
            offset += size
        return parts

    # Bounds and names.

    def _count_empty(self) -> None:
        self._empty += 1
        if self._empty > self._bounds.max_empty_nodes:
            raise DagTooLarge(f"files have more than {self._bounds.max_empty_nodes} parts without a byte")

    def _count_entries(self, count: int) -> None:
        self._entries += count
        if self._entries > self._bounds.max_entries:
            raise DagTooLarge(f"the tree has more than {self._bounds.max_entries} entries")

    def _join(self, place: _Entry | _Shard, name: bytes) -> str:
        if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
            raise UnsafeName(f"{_where(place)}an entry is named {name[:100]!r}")
        text = decode_name(name)
        return f"{place.path}/{text}" if place.path else text


def read_node(data: bytes | memoryview, bounds: DagOptions) -> tuple[pb.Node, FSNode]:
    """The two layers of a node; raises MalformedNode."""
    node = pb.decode(data, bounds.max_node_links)
    if node.data is None:
        raise MalformedNode("a dag-pb node has no UnixFS data")
    return node, unixfs.decode(node.data, bounds.max_node_links)


def file_size(node: pb.Node, fs: FSNode) -> int:
    """Bytes of content of a file, or a part of one; raises MalformedNode when its figures contradict each
    other.
    """
    if len(fs.blocksizes) != len(node.links):
        raise MalformedNode(f"a file has {len(node.links)} parts and {len(fs.blocksizes)} sizes of parts")
    total = len(fs.content) + sum(fs.blocksizes)
    if total >> 63:
        raise MalformedNode(f"a file claims to have {total} bytes")
    if fs.filesize is not None and fs.filesize != total:
        raise MalformedNode(f"a file claims {fs.filesize} bytes, its parts have {total}")
    return total


def decode_name(name: bytes) -> str:
    """A name as text; bytes that are not UTF-8 come back as they were through `encode_name` (and
    `os.fsencode`).
    """
    return name.decode("utf-8", "surrogateescape")


def encode_name(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _entry(path: str, link: pb.Link) -> Target[_Place]:
    place = _Entry(path)
    if link.cid.codec == RAW:
        return Target(link.cid, place, link.tsize, Branch.LEAF)
    if link.tsize > MAX_BLOCK:
        return Target(link.cid, place, _NODE_SIZE, Branch.SURE)
    return Target(link.cid, place, link.tsize, Branch.MAYBE)


def _target(cid: CID, place: _Place, size: int, branch: Branch) -> Target[_Place]:
    return Target(cid, place, size, branch)


def _likely(link: pb.Link, size: int, estimate: int) -> tuple[int, Branch]:
    """Bytes of the block, and whether it leads to others, from what its parent says of a file's part of
    `size` bytes.
    """
    if link.cid.codec == RAW:
        return size, Branch.LEAF
    if link.tsize > MAX_BLOCK:
        return estimate, Branch.SURE
    if 0 <= link.tsize - size <= _LEAF_OVERHEAD:
        return link.tsize, Branch.LEAF
    return max(link.tsize, 1), Branch.MAYBE


def _some(first: StartFile, content: Data) -> Sequence[Event]:
    return (first, content) if content else (first,)


def _where(place: _Place) -> str:
    return f"{place.path}: " if place.path else ""
