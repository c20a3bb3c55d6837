"""Described trees: put into a store, and the events that reading them should give."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Sequence
from typing import Any

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.dag import DagError, Importer, ImportOptions, hamt
from bitswap.dag.directory import Entry
from bitswap.dag.reader import EndFile, EnterDirectory, LeaveDirectory, StartFile, Symlink
from bitswap.dag.writer import Ref
from tests.dag.fakes import DictStore

Tree = Any
"""bytes: a file; str: a symbolic link; dict: a directory."""


def put(tree: Tree, options: ImportOptions | None = None) -> tuple[DictStore, CID]:
    store = DictStore()
    importer = Importer(store, options)
    return store, importer.finish(put_with(importer, tree)).cid


def put_with(importer: Importer, tree: Tree) -> Ref:
    if isinstance(tree, bytes):
        return importer.file(io.BytesIO(tree))
    if isinstance(tree, str):
        return importer.symlink(tree.encode())
    return importer.directory([Entry(name.encode(), put_with(importer, tree[name])) for name in tree])


def summary(events: Any) -> list[object]:
    """Events with what is not in a described tree left out, and the data of a file joined."""
    out: list[object] = []
    for event in events:
        if isinstance(event, (bytes, memoryview)):
            assert len(event) > 0
            if not isinstance(out[-1], bytes):
                out.append(b"")
            out[-1] = out[-1] + bytes(event)  # type: ignore[operator]
        elif isinstance(event, EnterDirectory):
            out.append(("enter", event.path))
        elif isinstance(event, LeaveDirectory):
            out.append(("leave", event.path))
        elif isinstance(event, StartFile):
            out.append(("file", event.path, event.size))
        elif isinstance(event, EndFile):
            out.append(("end", event.path))
        elif isinstance(event, Symlink):
            out.append(("link", event.path, event.target))
    return out


def expected(tree: Tree, path: str = "", *, sharded: int = 0) -> Iterator[object]:
    """The summary of reading a tree; `sharded`: the fanout if every directory is a HAMT."""
    if isinstance(tree, bytes):
        yield ("file", path, len(tree))
        if tree:
            yield tree
        yield ("end", path)
    elif isinstance(tree, str):
        yield ("link", path, tree.encode())
    else:
        yield ("enter", path)
        names = sorted(tree, key=str.encode)
        if sharded:
            names.sort(key=lambda name: hamt.name_hash(name.encode()))
        for name in names:
            yield from expected(tree[name], f"{path}/{name}" if path else name, sharded=sharded)
        yield ("leave", path)


class ScriptedSource:
    """A network in miniature: blocks come in whatever order `choose` says, some of those outstanding at a
    time.

    It keeps count, so that a test can ask what was wanted how often and how many at once.
    """

    def __init__(self, store: DictStore, choose: Any = None) -> None:
        self.store = store
        self.wanted: dict[CID, None] = {}
        self.times_wanted: dict[CID, int] = {}
        self.cancelled: list[CID] = []
        self.most_outstanding = 0
        self._choose = choose or (lambda wanted: wanted)

    def want(self, cids: Sequence[CID]) -> None:
        for cid in cids:
            assert cid not in self.wanted
            self.wanted[cid] = None
            self.times_wanted[cid] = self.times_wanted.get(cid, 0) + 1
        self.most_outstanding = max(self.most_outstanding, len(self.wanted))

    def take(self, timeout: float | None = None) -> list[Block]:
        chosen = list(self._choose(list(self.wanted)))
        for cid in chosen:
            del self.wanted[cid]
        return [self.store.get(cid) for cid in chosen]

    def cancel(self, cids: Sequence[CID]) -> None:
        for cid in cids:
            self.cancelled.append(cid)
            self.wanted.pop(cid, None)


def orders(seed: int) -> dict[str, Any]:
    """Ways in which blocks may come."""
    chance = random.Random(seed)
    return {
        "all": lambda wanted: wanted,
        "first": lambda wanted: wanted[:1],
        "last": lambda wanted: wanted[-1:],
        "reversed": lambda wanted: wanted[::-1],
        "some": lambda wanted: chance.sample(wanted, chance.randint(1, len(wanted))),
        "one": lambda wanted: [chance.choice(wanted)],
    }


__all__ = ["DagError", "ScriptedSource", "expected", "orders", "put", "put_with", "summary"]
