"""Graphs to disk: files, directories and links, in order, and all or nothing.

Everything is written under a temporary name beside the target (`.bitswap-….part`) and renamed at the end; an
export that fails, or is interrupted, removes it. Only a killed process can leave one behind.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from bitswap.cid import CID
from bitswap.dag.errors import DagTooLarge, TargetExists, UnsafeName, WrongType
from bitswap.dag.names import DirectoryNames, check_link
from bitswap.dag.reader import EndFile, EnterDirectory, LeaveDirectory, StartFile, Symlink, read_tree
from bitswap.dag.source import BlockSource
from bitswap.dag.unixfs import Mtime
from bitswap.errors import UsageError
from bitswap.options import KIB, DagOptions
from bitswap.options.limits import require

Progress = Callable[[int, "int | None"], object]
"""Called with the bytes of content written, and how many there will be: exactly for a file, for a directory
its cumulative size, which is a little more.
"""

_BUFFER = 256 * KIB


@dataclass(frozen=True)
class ExportOptions:
    """How a graph becomes files."""

    links: Literal["inside", "any", "skip"] = "inside"
    """Symbolic links: only such as stay inside what is exported (others raise UnsafeName), all, or none."""
    portable_names: bool = os.name == "nt"
    """Whether names are refused that Windows does not have, or takes for one that is there."""
    restore_mode: bool = os.name != "nt"
    """Whether permission bits in the graph are applied (never setuid, setgid, sticky)."""
    restore_mtime: bool = True
    """Whether times in the graph are applied."""
    sync: bool = False
    """Whether files reach the disk before they get their name."""
    max_bytes: int | None = None
    """Bytes of content above which the export fails with DagTooLarge: a small graph can be a huge file."""

    def __post_init__(self) -> None:
        require(self.links in ("inside", "any", "skip"), "links must be inside, any or skip")
        require(self.max_bytes is None or self.max_bytes >= 0, "max_bytes must not be negative")


class Exported(NamedTuple):
    """What was written; `bytes` of content, without what a graph adds."""

    bytes: int
    files: int
    directories: int
    links: int


def export(
    source: BlockSource,
    root: CID,
    target: str | os.PathLike[str],
    options: ExportOptions | None = None,
    *,
    bounds: DagOptions | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write the file, directory or link `root` as `target`. An existing file is replaced, a directory never
    is.

    Raises TargetExists, UnsafeName, other DagErrors, OSError, and what `source` raises; nothing is left
    behind then.
    """
    options = options or ExportOptions()
    target = Path(os.path.abspath(target))
    _refuse_directory(target)
    if not target.parent.is_dir():
        raise UsageError(f"{target.parent} is no directory to write into")
    part = target.with_name(f".bitswap-{secrets.token_hex(8)}.part")
    tree = _Tree(part, options, progress)
    events = read_tree(source, root, bounds)
    try:
        for event in events:
            tree.handle(event)
        _refuse_directory(target)
        if tree.is_directory and os.path.lexists(target):
            raise TargetExists(f"{target} is in the way of a directory")
        if tree.is_written:
            os.replace(part, target)
        if options.sync:
            _sync_directory(target.parent)
    except BaseException:
        events.close()
        tree.abort()
        raise
    return tree.written


def export_stream(
    source: BlockSource,
    root: CID,
    stream: BinaryIO,
    options: ExportOptions | None = None,
    *,
    bounds: DagOptions | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write the file `root` to a binary stream, as it comes; raises WrongType when it is none, and as
    `export` does.
    """
    count = _Count(options or ExportOptions(), progress)
    with closing(read_tree(source, root, bounds)) as events:
        for event in events:
            if isinstance(event, (bytes, memoryview)):
                count.add(len(event))
                _write_all(stream, event)
            elif isinstance(event, StartFile):
                count.total = event.size
            elif not isinstance(event, EndFile):
                raise WrongType(
                    f"{root} is a {'link' if isinstance(event, Symlink) else 'directory'}, no file"
                )
    return Exported(count.done, 1, 0, 0)


def _write_all(stream: BinaryIO, data: bytes | memoryview) -> None:
    """Unbuffered streams may take less than all."""
    written = stream.write(data)
    while written is not None and written < len(data):
        data = data[written:]
        written = stream.write(data)


class _Count:
    """Bytes written, told and limited."""

    def __init__(self, options: ExportOptions, progress: Progress | None) -> None:
        self.done = 0
        self.total: int | None = None
        self._limit = options.max_bytes
        self._progress = progress

    def add(self, count: int) -> None:
        self.done += count
        if self._limit is not None and self.done > self._limit:
            raise DagTooLarge(f"there are more than {self._limit} bytes")
        if self._progress is not None:
            self._progress(self.done, self.total)


class _Tree:
    """Events turned into files below a temporary name."""

    def __init__(self, part: Path, options: ExportOptions, progress: Progress | None) -> None:
        self.is_directory = False
        self.is_written = False
        self._part = part
        self._options = options
        self._count = _Count(options, progress)
        self._file: BinaryIO | None = None
        self._started: StartFile | None = None
        self._open: list[tuple[EnterDirectory, DirectoryNames]] = []
        self._files = self._directories = self._links = 0

    @property
    def written(self) -> Exported:
        return Exported(self._count.done, self._files, self._directories, self._links)

    def handle(self, event: object) -> None:
        if isinstance(event, (bytes, memoryview)):
            if self._file is not None:
                self._file.write(event)
            self._count.add(len(event))
        elif isinstance(event, StartFile):
            self._start_file(event)
        elif isinstance(event, EndFile):
            self._end_file()
        elif isinstance(event, EnterDirectory):
            self._enter(event)
        elif isinstance(event, LeaveDirectory):
            self._leave()
        elif isinstance(event, Symlink):
            self._link(event)

    def abort(self) -> None:
        """Remove what was written."""
        if self._file is not None:
            self._file.close()
        if self.is_directory:
            _remove_tree(self._part)
        elif self.is_written:
            self._part.unlink(missing_ok=True)

    def _place(self, path: str) -> str:
        """Where to write an entry; raises UnsafeName. Its directory is one that this export made, never a
        link.
        """
        self.is_written = True
        if not path:
            return str(self._part)
        *_, name = path.split("/")
        self._open[-1][1].add(path, name)
        return os.path.join(self._part, *path.split("/"))

    def _start_file(self, event: StartFile) -> None:
        path = self._place(event.path)
        if self._count.total is None:
            self._count.total = event.size
        with DirectoryNames.taken(event.path):
            self._file = open(path, "xb", buffering=_BUFFER)  # noqa: SIM115
        self._started = event
        self._files += 1

    def _end_file(self) -> None:
        file, event = self._file, self._started
        if file is None or event is None:
            return
        file.flush()
        if self._options.sync:
            os.fsync(file.fileno())
        file.close()
        self._file = self._started = None
        self._restore(event.path, event.mode, event.mtime)

    def _enter(self, event: EnterDirectory) -> None:
        path = self._place(event.path)
        if not event.path:
            self.is_directory = True
            self._count.total = event.size
        with DirectoryNames.taken(event.path):
            os.mkdir(path)
        self._open.append((event, DirectoryNames(portable=self._options.portable_names)))
        self._directories += 1

    def _leave(self) -> None:
        event, _ = self._open.pop()
        # Only now, since writing into it changes its time; and kept writable, so that it can be removed.
        self._restore(event.path, None if event.mode is None else event.mode | stat.S_IRWXU, event.mtime)

    def _link(self, event: Symlink) -> None:
        if self._options.links == "skip":
            return
        if not event.target or b"\0" in event.target:
            raise UnsafeName(f"{event.path}: a link to nowhere")
        if self._options.links == "inside":
            check_link(event.path, event.target)
        path = self._place(event.path)
        with DirectoryNames.taken(event.path):
            os.symlink(os.fsdecode(event.target), path)
        self._links += 1

    def _restore(self, relative: str, mode: int | None, mtime: Mtime | None) -> None:
        path = os.path.join(self._part, *relative.split("/")) if relative else str(self._part)
        if mode is not None and self._options.restore_mode:
            os.chmod(path, mode & 0o777)
        if mtime is not None and self._options.restore_mtime:
            nanoseconds = mtime.seconds * 1_000_000_000 + mtime.nanoseconds
            try:
                os.utime(path, ns=(nanoseconds, nanoseconds))
            except (OverflowError, OSError, ValueError):
                pass  # a time that this file system does not have is no reason to lose the content


def _refuse_directory(target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        raise TargetExists(f"{target} is a directory and is not overwritten")


def _remove_tree(root: Path) -> None:
    """Without recursion, unlike `shutil.rmtree`: a graph may be deeper than the stack. What resists stays."""
    found = [str(root)]
    for path in found:
        with suppress(OSError), os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    found.append(entry.path)
                else:
                    os.unlink(entry.path)
    for path in reversed(found):
        with suppress(OSError):
            os.rmdir(path)


def _sync_directory(path: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
