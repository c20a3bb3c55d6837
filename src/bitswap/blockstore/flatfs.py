"""Blocks as files, one each, in the layout of kubo's blocks folder (go-ds-flatfs)."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType

from bitswap import multihash
from bitswap.block import Block
from bitswap.blockstore.errors import StoreError
from bitswap.blockstore.inline import inline
from bitswap.cid import CID
from bitswap.errors import Closed, NotFound, UsageError, WireError
from bitswap.options import MIB, StoreOptions

_SHARDING = "SHARDING"
_DEFAULT = "/repo/flatfs/shard/v1/next-to-last/2"
_FORM = re.compile(r"/repo/flatfs/shard/v1/(prefix|suffix|next-to-last)/([1-9][0-9]?)")
_EXTENSION = ".data"
_PARTS, _PARTS_BYTES = 256, 16 * MIB
"""Blocks, and their bytes, that are written before they are brought to the disk."""
_MAX_NAME = 255
"""Bytes of a file's name that file systems take."""

_numbers = count()


class FlatfsBlockstore:
    """A Blockstore in a folder that kubo can read, too: the blocks folder of its repository, or a new one.

    A block's file is named after its multihash in base32, in a folder that the file SHARDING says how to
    name. Files appear whole or not at all, so that other processes, kubo among them, may read and write
    meanwhile; kubo's garbage collection deletes what kubo has not pinned. Of the options only `durability`
    counts: except for "none" a block is on the disk before it is there under its name. Raises UsageError
    where the folder is something else, StoreError where the disk fails.
    """

    def __init__(self, path: str | os.PathLike[str], options: StoreOptions | None = None) -> None:
        self.path = Path(path).absolute()
        self._options = options or StoreOptions()
        self._shard = _opened(self.path)
        self._closed = False
        self._changed: set[str] = set()
        """Folders with names that may not be on the disk yet."""

    def get(self, cid: CID) -> Block:
        data = self._read(cid.multihash)
        if data is None:
            raise NotFound(f"{cid} is not in the store", missing=[cid])
        return Block(cid, data)

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        found = [self._read(cid.multihash) for cid in cids]
        return [None if data is None else Block(cid, data) for cid, data in zip(cids, found, strict=True)]

    def has(self, cid: CID) -> bool:
        return self.size(cid) is not None

    def has_many(self, cids: Sequence[CID]) -> list[bool]:
        return [self.has(cid) for cid in cids]

    def size(self, cid: CID) -> int | None:
        self._check_open()
        key = cid.multihash
        if not key[0]:
            return len(inline(key) or b"")
        path = self._place(key)
        if path is None:
            return None
        try:
            return os.stat(path).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"cannot look up a block: {error}") from error

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        return [self.size(cid) for cid in cids]

    def put(self, block: Block) -> None:
        self.put_many((block,))

    def put_many(self, blocks: Iterable[Block]) -> None:
        """Store all, some at a time; there are no transactions, so an error may leave those before it."""
        self._check_open()
        parts: dict[str, str] = {}
        size = 0
        try:
            for block in blocks:
                key = block.cid.multihash
                if not key[0]:
                    continue
                path = self._place(key)
                if path is None:
                    raise UsageError(f"a multihash of {len(key)} bytes is too long for the name of a file")
                if path in parts or os.path.exists(path):
                    continue
                parts[path] = self._write(path, block.data)
                size += len(block.data)
                if len(parts) >= _PARTS or size >= _PARTS_BYTES:
                    self._publish(parts)
                    size = 0
            self._publish(parts)
        finally:
            for part in parts.values():
                with suppress(OSError):
                    os.unlink(part)

    def delete(self, cid: CID) -> bool:
        self._check_open()
        path = self._place(cid.multihash)
        if path is None or not cid.multihash[0]:
            return False
        try:
            os.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise StoreError(f"cannot delete {cid}: {error}") from error
        self._changed.add(os.path.dirname(path))
        return True

    def multihashes(self) -> Iterator[bytes]:
        """A live view, a folder at a time; blocks stored or deleted meanwhile may or may not be seen. Files
        that are not named as a block are passed over."""
        self._check_open()
        for folder in _listed(self.path):
            for name in _listed(self.path / folder):
                stem = name.removesuffix(_EXTENSION)
                if stem == name or folder != self._shard(stem) or (key := _key(stem)) is None:
                    continue
                self._check_open()
                yield key

    def __len__(self) -> int:
        """Counted by listing all, which takes its time."""
        return sum(1 for _ in self.multihashes())

    def __bool__(self) -> bool:
        # An empty store is a store.
        return True

    def flush(self) -> None:
        self._check_open()
        self._sync()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._sync()

    def __enter__(self) -> FlatfsBlockstore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("the store is closed")

    def _place(self, key: bytes) -> str | None:
        """The file of a multihash, or None where its name would be too long."""
        name = base64.b32encode(key).decode("ascii").rstrip("=")
        if len(name) + len(_EXTENSION) > _MAX_NAME:
            return None
        return os.path.join(self.path, self._shard(name), name + _EXTENSION)

    def _read(self, key: bytes) -> bytes | None:
        self._check_open()
        if not key[0]:
            return inline(key)
        path = self._place(key)
        if path is None:
            return None
        try:
            with open(path, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"cannot read a block: {error}") from error

    def _write(self, path: str, data: bytes) -> str:
        """The file that is to become `path`."""
        folder = os.path.dirname(path)
        # Not named as a block, so that neither we nor kubo take half of it for one.
        part = os.path.join(folder, f".put-{os.getpid()}-{next(_numbers)}")
        try:
            if not os.path.isdir(folder):
                os.makedirs(folder, exist_ok=True)
                self._changed.add(str(self.path))
            try:
                with open(part, "xb") as file:
                    file.write(data)
            except BaseException:
                with suppress(OSError):
                    os.unlink(part)
                raise
        except OSError as error:
            raise StoreError(f"cannot store a block: {error}") from error
        return part

    def _publish(self, parts: dict[str, str]) -> None:
        """Bring the written files to the disk, and then under their names."""
        try:
            if self._options.durability != "none":
                # All are written by now, so that the first of these calls does the work of most.
                for part in parts.values():
                    with open(part, "r+b") as file:
                        os.fsync(file.fileno())
            while parts:
                path, part = next(iter(parts.items()))
                os.replace(part, path)
                del parts[path]
                self._changed.add(os.path.dirname(path))
            if self._options.durability == "full":
                self._sync()
        except OSError as error:
            raise StoreError(f"cannot store a block: {error}") from error

    def _sync(self) -> None:
        """Bring names, and with "none" contents, to the disk."""
        if self._options.durability == "none" and self._changed and hasattr(os, "sync"):
            self._changed = set()
            os.sync()
            return
        if not hasattr(os, "O_DIRECTORY"):
            self._changed = set()  # Windows cannot, and need not
            return
        while self._changed:
            try:
                folder = self._changed.pop()
            except KeyError:
                return  # another thread does it
            try:
                number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue
            try:
                os.fsync(number)
            finally:
                os.close(number)


def _opened(path: Path) -> Callable[[str], str]:
    """How folders of `path` are named; makes it where there is nothing."""
    try:
        text = (path / _SHARDING).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        if path.is_dir() and any(path.iterdir()):
            hint = f"; write flatfs:{path / 'blocks'}" if (path / "blocks" / _SHARDING).exists() else ""
            raise UsageError(f"{path} is no blocks folder: it has no file {_SHARDING}{hint}") from None
        text = _DEFAULT
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / _SHARDING).write_text(f"{text}\n", encoding="ascii")
        except OSError as error:
            raise StoreError(f"cannot make a store at {path}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no blocks folder: {error}") from None
    found = _FORM.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{path / _SHARDING} says {text[:100]!r}; blocks are found by {_DEFAULT} and its like"
        )
    return _sharding(found[1], int(found[2]))


def _sharding(function: str, length: int) -> Callable[[str], str]:
    """The folder for a name (go-ds-flatfs `Prefix`, `Suffix`, `NextToLast`)."""
    if function == "prefix":
        return lambda name: name[:length].ljust(length, "_")
    if function == "suffix":
        return lambda name: name[-length:].rjust(length, "_")
    return lambda name: name[-length - 1 : -1].rjust(length, "_")


def _key(name: str) -> bytes | None:
    """The multihash that a file is named after."""
    try:
        key = base64.b32decode(name + "=" * (-len(name) % 8))
        return key if multihash.parse(key)[2] == len(key) else None
    except (ValueError, WireError):
        return None


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(f"cannot list {folder}: {error}") from error
