"""Files and directories into a store, as UnixFS, with the CIDs that kubo gives (`ipfs add`).

Files are streamed: at any time a few chunks, the open node of each level and one batch of blocks are in
memory, and of directories the entries on the way from the root. What an import that fails has stored stays,
and is found again by the next.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bitswap.blockstore.interface import Blockstore
from bitswap.cid import CID
from bitswap.dag import pb, unixfs
from bitswap.dag.balanced import BalancedTree
from bitswap.dag.directory import Entry, put_directory
from bitswap.dag.profile import ImportOptions
from bitswap.dag.writer import BlockWriter, Ref
from bitswap.errors import UsageError
from bitswap.options import DagOptions

Progress = Callable[[int], object]
"""Called with the bytes of content imported so far."""


class Added(NamedTuple):
    """`size` is cumulative: bytes of all blocks. `blocks` counts what was handed to the store, equal ones
    each time.
    """

    cid: CID
    size: int
    file_bytes: int
    blocks: int
    name: str


def add_path(
    path: str | os.PathLike[str],
    store: Blockstore,
    options: ImportOptions | None = None,
    *,
    bounds: DagOptions | None = None,
    progress: Progress | None = None,
) -> Added:
    """Import a file, a symbolic link or a directory with all that is in it (kubo `add -r`).

    Raises UsageError for what is none of these (a socket, a device), OSError for what cannot be read.
    """
    importer = Importer(store, options, bounds=bounds, progress=progress)
    name = os.path.basename(os.path.abspath(path))
    ref = importer.path(path)
    if importer.profile.wrap:
        ref = importer.directory([Entry(os.fsencode(name), ref)])
    return importer.finish(ref, name)


def add_stream(
    stream: BinaryIO,
    store: Blockstore,
    options: ImportOptions | None = None,
    *,
    name: str = "",
    bounds: DagOptions | None = None,
    progress: Progress | None = None,
) -> Added:
    """Import what can be read from a binary stream, to its end, as one file."""
    importer = Importer(store, options, bounds=bounds, progress=progress)
    ref = importer.file(stream)
    if importer.profile.wrap:
        ref = importer.directory([Entry(os.fsencode(name), ref)])
    return importer.finish(ref, name)


class Importer:
    """The parts of an import, for trees that are not on disk: put files, links and directories, then
    `finish`.
    """

    def __init__(
        self,
        store: Blockstore,
        options: ImportOptions | None = None,
        *,
        bounds: DagOptions | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.profile = options or ImportOptions()
        self._writer = BlockWriter(store, self.profile, bounds or DagOptions())
        self._progress = progress
        self._done = 0

    def file(self, stream: BinaryIO) -> Ref:
        """Put a file; reads `stream` to its end."""
        leaf = self._raw_leaf if self.profile.leaves_are_raw else self._node_leaf
        tree = BalancedTree(self._writer, self.profile.max_links)
        for chunk in _chunks(stream, self.profile.chunk_size):
            tree.add(leaf(chunk))
            self._done += len(chunk)
            if self._progress is not None:
                self._progress(self._done)
        return tree.finish() or leaf(b"")

    def symlink(self, target: bytes) -> Ref:
        """Put a symbolic link."""
        return self._put_node(unixfs.FSNode(unixfs.Type.SYMLINK, data=target))

    def directory(self, entries: list[Entry]) -> Ref:
        """Put a directory of what was put before; raises DagError for a name given twice."""
        return put_directory(entries, self.profile, self._writer)

    def path(self, path: str | os.PathLike[str]) -> Ref:
        """Put what is at `path`, with all that is in it."""
        path = os.fspath(path)
        if self.profile.dereference:
            path = os.path.realpath(path)
        if stat.S_ISDIR(os.lstat(path).st_mode):
            return self._tree(path)
        return self._single(path)

    def finish(self, root: Ref, name: str = "") -> Added:
        """Store the last batch and say what was added."""
        self._writer.flush()
        return Added(root.cid, root.tsize, root.content, self._writer.blocks, name)

    def _tree(self, path: str) -> Ref:
        """Without recursion: a path may be deeper than Python's stack."""
        open_directories = [_OpenDirectory(path, self.profile.hidden)]
        while True:
            directory = open_directories[-1]
            child = next(directory.remaining, None)
            if child is not None:
                if child.is_dir(follow_symlinks=False):
                    open_directories.append(_OpenDirectory(child.path, self.profile.hidden))
                else:
                    directory.entries.append(Entry(os.fsencode(child.name), self._single(child.path)))
                continue
            ref = self.directory(directory.entries)
            open_directories.pop()
            if not open_directories:
                return ref
            open_directories[-1].entries.append(Entry(directory.name, ref))

    def _single(self, path: str) -> Ref:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return self.symlink(os.fsencode(os.readlink(path)))
        if not stat.S_ISREG(mode):
            raise UsageError(f"{path}: neither a file, a directory nor a symbolic link")
        with Path(path).open("rb", buffering=0) as stream:
            return self.file(stream)

    def _raw_leaf(self, chunk: bytes) -> Ref:
        return Ref(self._writer.raw(chunk), len(chunk), len(chunk))

    def _node_leaf(self, chunk: bytes) -> Ref:
        # Type FILE where RAW is meant: an old mistake of go-ipfs, now part of CIDs. No data field if empty.
        return self._put_node(
            unixfs.FSNode(unixfs.Type.FILE, data=chunk or None, filesize=len(chunk)), len(chunk)
        )

    def _put_node(self, node: unixfs.FSNode, content: int = 0) -> Ref:
        data = pb.encode((), unixfs.encode(node))
        return Ref(self._writer.node(data), content, len(data))


class _OpenDirectory:
    """A directory whose entries are being imported, in the order of their names' bytes."""

    def __init__(self, path: str, hidden: bool) -> None:
        self.name = os.fsencode(os.path.basename(path))
        with os.scandir(path) as found:
            listed = [entry for entry in found if hidden or not _is_hidden(entry)]
        listed.sort(key=lambda entry: os.fsencode(entry.name))
        self.remaining: Iterator[os.DirEntry[str]] = iter(listed)
        self.entries: list[Entry] = []


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return True
    attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0) if os.name == "nt" else 0
    return bool(attributes & stat.FILE_ATTRIBUTE_HIDDEN)


def _chunks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Pieces of exactly `size` bytes, the last one shorter; pipes and raw files may give less at a time."""
    while chunk := stream.read(size):
        if len(chunk) < size:
            parts = [chunk]
            missing = size - len(chunk)
            while missing and (more := stream.read(missing)):
                parts.append(more)
                missing -= len(more)
            chunk = b"".join(parts)
        yield chunk
