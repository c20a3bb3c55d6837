"""The window of a walk: what to want now, and what comes next in reading order. No I/O; see `walk`."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from heapq import heappop, heappush
from typing import Any, Generic, TypeVar

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.dag.errors import DagError, DagTooLarge
from bitswap.multihash import IDENTITY
from bitswap.options import MAX_BLOCK, DagOptions

C = TypeVar("C")
E = TypeVar("E")

Key = tuple[int, ...]
"""A place in reading order: the index of the child at every level from the root."""

_NODE_LINKS = 174
"""Links that a node not yet read is taken to have (boxo DefaultLinksPerBlock)."""
_MIN_NODES = 8
"""Interior nodes that may be waited for at once, however many links lie open."""


class Branch(IntEnum):
    """Whether a block leads to others, as far as its parent tells."""

    LEAF = 0
    MAYBE = 1
    SURE = 2


class Target(Generic[C]):
    """A block to be read: its place in the graph (`context`, for the one who expands it) and its likely size
    in bytes.
    """

    __slots__ = ("branch", "cid", "context", "size")

    def __init__(self, cid: CID, context: C, size: int, branch: Branch) -> None:
        self.cid = cid
        self.context = context
        self.size = size
        self.branch = branch


class Expansion(Generic[C, E]):
    """What a block is: events before its children, the children (`count` of them), events after.

    `held`: the events refer to the block's bytes, so that it counts as kept until its turn.
    """

    __slots__ = ("after", "before", "children", "count", "held")

    def __init__(
        self,
        before: Sequence[E] = (),
        children: Iterable[Target[C]] = (),
        count: int = 0,
        after: Sequence[E] = (),
        *,
        held: bool = False,
    ) -> None:
        self.before = before
        self.children = children
        self.count = count
        self.after = after
        self.held = held


class _State(IntEnum):
    PARKED = 0  # given up, to be wanted again
    WANTED = 1
    HERE = 2  # came, not looked at
    READY = 3  # looked at


class _Entry:
    """A block and the places where it stands."""

    __slots__ = ("cid", "data", "size", "slots")

    def __init__(self, cid: CID, data: bytes | None, size: int) -> None:
        self.cid = cid
        self.data = data
        self.size = size
        self.slots: dict[_Slot, None] = {}


class _Slot:
    """A place in reading order that a block is to fill."""

    __slots__ = ("entry", "error", "events", "frame", "key", "live", "state", "target")

    def __init__(self, key: Key, target: Target[Any]) -> None:
        self.key = key
        self.target = target
        self.state = _State.PARKED
        self.live = False
        self.entry: _Entry | None = None
        self.frame: _Frame | None = None
        self.events: Sequence[Any] = ()
        self.error: DagError | None = None


class _Frame:
    """The children of a node: those that were followed (`slots`), and where the others begin."""

    __slots__ = ("after", "ahead", "children", "cursor", "key", "left", "peek", "slots")

    def __init__(self, key: Key, children: Iterable[Target[Any]], count: int, after: Sequence[Any]) -> None:
        self.key = key
        self.children = iter(children)
        self.left = count
        self.after = after
        self.ahead = True
        self.slots: deque[_Slot] = deque()
        self.cursor: Key = (*key, 0)
        self.peek = next(self.children, None)

    def advance(self) -> None:
        self.left -= 1
        self.cursor = (*self.key, self.cursor[-1] + 1)
        self.peek = next(self.children, None)


class Window(Generic[C, E]):
    """One walk. `wants`, `cancels` and `received` on the side of the network, `pop` on the side of the
    reader.
    """

    def __init__(
        self, root: Target[C], expand: Callable[[Target[C], bytes], Expansion[C, E]], bounds: DagOptions
    ) -> None:
        self.outstanding = 0
        """Blocks wanted and not come."""
        self.live = 0
        """Places ahead of the reader that wait for a block or for their turn."""
        self.bytes = 0
        """Bytes of the same, estimates where the block has not come."""
        self._expand_block = expand
        self._bounds = bounds
        self._head_blocks = bounds.window_blocks
        self._node_blocks = bounds.window_blocks - 1
        self._leaf_blocks = self._node_blocks - bounds.window_blocks // 8
        self._node_bytes = bounds.window_bytes - min(MAX_BLOCK, bounds.window_bytes // 4)
        self._leaf_bytes = self._node_bytes - bounds.window_bytes // 16
        self._entries: dict[bytes, _Entry] = {}
        self._cache: OrderedDict[bytes, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._new: dict[CID, None] = {}
        self._given_up: list[CID] = []
        self._leaf_cursors: list[tuple[Key, _Frame]] = []
        self._node_cursors: list[tuple[Key, _Frame]] = []
        self._unknown: list[tuple[Key, _Slot]] = []
        self._held: list[tuple[Key, _Slot]] = []
        self._parked: list[tuple[Key, _Slot]] = []
        self._nodes_waiting = 0
        self._links_ahead = 0
        self._links_open = 1
        self._least_size = 64
        top = _Frame((), iter([root]), 1, ())
        top.ahead = False
        self._stack = [top]
        self._schedule(top)

    @property
    def done(self) -> bool:
        """Whether everything was popped."""
        return not self._stack

    # The side of the network.

    def wants(self, *, lazily: bool = False) -> list[CID]:
        """What is to be wanted from now on, most urgent first.

        `lazily`: only once a quarter of the window is free, so that blocks are not wanted a few at a time.
        """
        if not (lazily and self.outstanding and self._is_nearly_full()):
            self._expand_held()
            self._want_nodes()
            self._want_leaves()
        new = list(self._new)
        self._new.clear()
        return new

    def cancels(self) -> list[CID]:
        """What was wanted and is not any more."""
        given_up, self._given_up = self._given_up, []
        return given_up

    def pending(self) -> list[CID]:
        """All that is wanted and has not come."""
        return [entry.cid for entry in self._entries.values() if entry.data is None]

    def received(self, block: Block) -> bool:
        """Take in a block; whether it was waited for."""
        entry = self._entries.get(block.cid.multihash)
        if entry is None or entry.data is not None:
            return False
        self.outstanding -= 1
        self._new.pop(entry.cid, None)
        entry.data = block.data
        self.bytes += len(block.data) - entry.size
        entry.size = len(block.data)
        for slot in list(entry.slots):
            self._arrived(slot)
        if self.bytes * 4 > self._bounds.window_bytes * 5:
            self._give_up_farthest()
        return True

    # The side of the reader.

    def pop(self) -> Sequence[E] | None:
        """The next events in reading order; None when their block has not come, or at the end (`done`).

        Raises the DagError of a block that cannot be read once it is that block's turn.
        """
        while self._stack:
            frame = self._stack[-1]
            if not frame.slots:
                if frame.peek is None:
                    self._stack.pop()
                    if frame.after:
                        return frame.after
                    continue
                self._follow(frame)
            slot = frame.slots[0]
            if slot.state == _State.PARKED:
                self._attach(slot)
            if slot.state == _State.WANTED:
                return None
            if slot.state == _State.HERE:
                self._expand(slot)
            if slot.error is not None:
                raise slot.error
            frame.slots.popleft()
            self._release(slot)
            if slot.frame is not None:
                self._enter(slot.frame)
            if slot.events:
                return slot.events
        return None

    def _enter(self, frame: _Frame) -> None:
        """The reader goes into a node: its links are no longer ahead of it, but on its way."""
        frame.ahead = False
        self._links_ahead -= frame.left
        self._links_open += frame.left
        if self._links_open > self._bounds.max_open_links:
            raise DagTooLarge(
                f"more than {self._bounds.max_open_links} links lie open on the way into this graph"
            )
        self._stack.append(frame)

    # Wanting.

    def _want_nodes(self) -> None:
        while (frame := self._next_cursor(self._node_cursors)) is not None:
            expected = self._links_ahead + _NODE_LINKS * self._nodes_waiting
            if self._nodes_waiting >= _MIN_NODES and expected >= self._bounds.node_lookahead:
                return
            peek = frame.peek
            if peek is None or self.live >= self._node_blocks or self.bytes + peek.size > self._node_bytes:
                return
            self._follow(frame)

    def _want_leaves(self) -> None:
        while self._parked:
            key, slot = self._parked[0]
            if slot.state == _State.PARKED:
                if not self._has_room(key, max(slot.target.size, self._least_size)):
                    return
                self._attach(slot)
            heappop(self._parked)
        while (frame := self._next_cursor(self._leaf_cursors)) is not None:
            peek = frame.peek
            if peek is None or not self._has_room(frame.cursor, max(peek.size, self._least_size)):
                return
            self._follow(frame)

    def _next_cursor(self, cursors: list[tuple[Key, _Frame]]) -> _Frame | None:
        """The node whose next child comes first; what lies in the heap may be out of date."""
        while cursors:
            key, frame = cursors[0]
            if key == frame.cursor and frame.peek is not None:
                return frame
            heappop(cursors)
            self._schedule(frame)
        return None

    def _schedule(self, frame: _Frame) -> None:
        if frame.peek is not None:
            cursors = self._node_cursors if frame.peek.branch == Branch.SURE else self._leaf_cursors
            heappush(cursors, (frame.cursor, frame))

    def _has_room(self, key: Key, size: int) -> bool:
        blocks, limit = self._leaf_blocks, self._leaf_bytes
        first = self._first_unknown()
        if first is not None and key > first:
            blocks, limit = (blocks + 1) // 2, limit // 2
        return self.live < blocks and self.bytes + size <= limit

    def _first_unknown(self) -> Key | None:
        """Where the first block stands that may lead to others and has not been looked at."""
        while self._unknown:
            key, slot = self._unknown[0]
            if slot.state in (_State.WANTED, _State.HERE):
                return key
            heappop(self._unknown)
        return None

    def _is_nearly_full(self) -> bool:
        blocks = self._leaf_blocks - max(1, self._leaf_blocks // 4)
        return self.live > blocks or self.bytes > self._leaf_bytes - self._leaf_bytes // 4

    def _follow(self, frame: _Frame) -> None:
        """Make a place for the next child of a node, and want its block."""
        target = frame.peek
        if target is None:
            return
        slot = _Slot(frame.cursor, target)
        frame.slots.append(slot)
        frame.advance()
        if frame.ahead:
            self._links_ahead -= 1
        else:
            self._links_open -= 1
        self._attach(slot)

    def _attach(self, slot: _Slot) -> None:
        cid = slot.target.cid
        self.live += 1
        slot.live = True
        slot.state = _State.WANTED
        if slot.target.branch == Branch.SURE:
            self._nodes_waiting += 1
        if slot.target.branch != Branch.LEAF:
            heappush(self._unknown, (slot.key, slot))
        entry = slot.entry = self._entry(cid, max(slot.target.size, self._least_size))
        entry.slots[slot] = None
        if entry.data is not None:
            self._arrived(slot)

    def _entry(self, cid: CID, size: int) -> _Entry:
        key = cid.multihash
        entry = self._entries.get(key)
        if entry is None:
            data = self._cache.pop(key, None)
            if data is not None:
                self._cached_bytes -= len(data)
            elif cid.hash_code == IDENTITY:
                data = cid.digest
            entry = self._entries[key] = _Entry(cid, data, size if data is None else len(data))
            self.bytes += entry.size
            if data is None:
                self._new[cid] = None
                self.outstanding += 1
        return entry

    # Blocks that came.

    def _arrived(self, slot: _Slot) -> None:
        slot.state = _State.HERE
        if slot.target.branch == Branch.LEAF:
            return
        if self._links_ahead < self._bounds.node_lookahead:
            self._expand(slot)
        else:
            heappush(self._held, (slot.key, slot))

    def _expand_held(self) -> None:
        while self._held and self._links_ahead < self._bounds.node_lookahead:
            _, slot = heappop(self._held)
            if slot.state == _State.HERE:
                self._expand(slot)

    def _expand(self, slot: _Slot) -> None:
        entry = slot.entry
        if entry is None or entry.data is None:
            raise AssertionError("only a block that is here can be looked at")
        slot.state = _State.READY
        if slot.target.branch == Branch.SURE:
            self._nodes_waiting -= 1
        try:
            if len(slot.key) > self._bounds.max_depth:
                raise DagTooLarge(f"the graph is more than {self._bounds.max_depth} nodes deep")
            expansion = self._expand_block(slot.target, entry.data)
        except DagError as error:
            slot.error = error
            return
        slot.events = expansion.before
        if not expansion.count:
            slot.events = (*expansion.before, *expansion.after)
            return
        slot.frame = _Frame(slot.key, expansion.children, expansion.count, expansion.after)
        self._links_ahead += expansion.count
        self._schedule(slot.frame)
        if not expansion.held:
            self._release(slot)

    def _release(self, slot: _Slot) -> None:
        """A place no longer needs its block."""
        if slot.live:
            self.live -= 1
            slot.live = False
        entry, slot.entry = slot.entry, None
        if entry is None:
            return
        del entry.slots[slot]
        if not entry.slots:
            self._forget(entry)
            if entry.data is not None:
                self._keep(entry.cid.multihash, entry.data)

    def _forget(self, entry: _Entry) -> None:
        del self._entries[entry.cid.multihash]
        self.bytes -= entry.size

    def _keep(self, key: bytes, data: bytes) -> None:
        self._cache[key] = data
        self._cached_bytes += len(data)
        while self._cached_bytes > self._bounds.cache_bytes:
            _, oldest = self._cache.popitem(last=False)
            self._cached_bytes -= len(oldest)

    # Blocks that are bigger than the graph said.

    def _give_up_farthest(self) -> None:
        """Make room for the reader: park what is farthest ahead, and believe small sizes no longer."""
        sizes = [entry.size for entry in self._entries.values() if entry.data is not None]
        self._least_size = max(self._least_size, sum(sizes) // max(1, len(sizes)))
        head = self._stack[-1].slots[0].entry if self._stack and self._stack[-1].slots else None
        farthest = sorted(
            self._entries.values(), key=lambda entry: min(slot.key for slot in entry.slots), reverse=True
        )
        for entry in farthest:
            if self.bytes * 2 <= self._bounds.window_bytes:
                return
            if entry is head or any(slot.frame is not None for slot in entry.slots):
                continue
            self._park(entry)

    def _park(self, entry: _Entry) -> None:
        self._forget(entry)
        for slot in entry.slots:
            if slot.target.branch == Branch.SURE and slot.state != _State.READY:
                self._nodes_waiting -= 1
            slot.state = _State.PARKED
            slot.entry = None
            slot.live = False
            slot.events, slot.error = (), None
            self.live -= 1
            heappush(self._parked, (slot.key, slot))
        if entry.data is None:
            self.outstanding -= 1
            if entry.cid in self._new:
                del self._new[entry.cid]
            else:
                self._given_up.append(entry.cid)
