"""A getter that looks into the store first and stores what it fetched (as a block service does)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.cidsource import AnyCid, to_cid
from bitswap.explanation import State, Step, Wait
from bitswap.getter import Getter, Waiter

if TYPE_CHECKING:
    from typing_extensions import Self

    from bitswap.blockstore.interface import Blockstore
    from bitswap.errors import Timeout
    from bitswap.options import ClientOptions


class Keeper(Protocol):
    """What the getter needs of the node that it belongs to."""

    store: Blockstore

    @property
    def generation(self) -> int:
        """Differs after blocks were put into the store from before."""

    def keep(self, blocks: Sequence[Block]) -> None:
        """Store fetched blocks and serve them to peers that wait for them."""


class StoredGetter:
    """A getter of a node with a store (contract: `BlockGetter`).

    CIDs are looked up a slice at a time, when the window has room for what may be missing; blocks from the
    store are read when they are taken. So neither holds more than its bound, however many CIDs are wanted at
    once.
    """

    def __init__(self, node: Keeper, remote: Getter, options: ClientOptions) -> None:
        self._node = node
        self._remote = remote
        self._options = options
        self._lock = threading.Lock()
        self._wanted: dict[CID, None] = {}
        """Not looked up yet."""
        self._local: deque[tuple[CID, int]] = deque()
        """In the store, with sizes, and not read yet."""
        self._unkept: list[Block] = []
        """Fetched, and refused by the store: offered to it again by the next `take`."""
        remote.before = self

    @property
    def outstanding(self) -> int:
        return len(self._wanted) + len(self._local) + len(self._unkept) + self._remote.outstanding

    @property
    def room(self) -> int:
        if self._wanted or len(self._local) >= self._options.lookup_slice:
            return 0
        return self._remote.room

    def want(self, cids: Iterable[AnyCid]) -> None:
        wanted = [to_cid(cid) for cid in cids]
        with self._lock:
            self._wanted.update(dict.fromkeys(wanted))
            self._look_up()
            found = bool(self._local)
        if found:
            # Whoever waits for the network meanwhile gets what is here.
            self._remote.interrupt()

    def take(self, timeout: float | None = None, *, until_room: bool = False) -> list[Block]:
        def from_network() -> list[Block]:
            return self._remote.take(timeout, until_room=until_room or bool(self._wanted))

        return self._take(from_network, until_room) or []

    def try_take(self, waiter: Waiter) -> list[Block] | None:
        """`take` that waits for the store only; see `Getter.try_take`."""
        return self._take(lambda: self._remote.try_take(waiter))

    def timed_out(self, limit: float, waiter: Waiter | None = None) -> Timeout:
        return self._remote.timed_out(limit, waiter)

    def poll(self, *, patient: bool = True) -> list[Block]:
        return self._take(lambda: self._remote.poll(patient=patient) or None) or []

    def queued(self, cid: CID) -> Wait | None:
        if cid not in self._wanted:
            return None
        words = f"{len(self._wanted)} blocks have not been looked up in the store yet"
        step = Step("it is looked up when blocks have come and were taken")
        return Wait(self._remote.session, State.QUEUED, words, next=(step,))

    def _take(
        self, from_network: Callable[[], list[Block] | None], until_room: bool = False
    ) -> list[Block] | None:
        while True:
            with self._lock:
                self._look_up()
                blocks = self._read()
                fetched: list[Block] | None = self._unkept
                self._unkept = []
            if not fetched:
                fetched = self._remote.poll() if blocks else from_network()
            if fetched is None:
                return None
            if fetched:
                self._keep(fetched, blocks)
            if blocks or fetched or not self.outstanding or (until_room and self.room):
                return blocks + fetched

    def _keep(self, fetched: list[Block], read: list[Block]) -> None:
        """Store what was fetched; what the store refuses is offered to it again by the next `take`."""
        try:
            self._node.keep(fetched)
        except BaseException:
            with self._lock:
                self._unkept = fetched + self._unkept
                self._local.extendleft((block.cid, len(block.data)) for block in reversed(read))
            raise

    def cancel(self, cids: Iterable[AnyCid]) -> None:
        dropped = {to_cid(cid) for cid in cids}
        with self._lock:
            for cid in dropped:
                self._wanted.pop(cid, None)
            self._local = deque(item for item in self._local if item[0] not in dropped)
            self._unkept = [block for block in self._unkept if block.cid not in dropped]
        self._remote.cancel(dropped)

    def close(self) -> None:
        with self._lock:
            self._wanted.clear()
            self._local.clear()
            self._unkept.clear()
        self._remote.close()

    def abandon(self) -> None:
        """`close` by one who will not look again, without waiting for a look-up that is under way."""
        self._remote.close()

    def _look_up(self) -> None:
        """Ask the network for what the store lacks, as far as there is room for that."""
        slice_size = self._options.lookup_slice
        while self._wanted and len(self._local) < slice_size and self._remote.room:
            part = list(islice(self._wanted, slice_size))
            for cid in part:
                del self._wanted[cid]
            before = self._node.generation
            try:
                missing = self._keep_local(part)
            except BaseException:
                self._wanted = dict.fromkeys((*part, *self._wanted))
                raise
            if missing:
                self._remote.want(missing)
                if self._node.generation != before:
                    # Blocks came into the store after it was looked at and before anybody waited for them.
                    came = [cid for cid, has in zip(missing, self._has(missing), strict=True) if has]
                    self._keep_local(self._remote.withdraw(came))

    def _has(self, cids: Sequence[CID]) -> Sequence[bool]:
        return self._node.store.has_many(cids)

    def _keep_local(self, cids: Sequence[CID]) -> list[CID]:
        """Note which of these the store has; returns the others."""
        if not cids:
            return []
        missing: list[CID] = []
        for cid, size in list(zip(cids, self._node.store.sizes(cids), strict=True)):
            if size is None:
                missing.append(cid)
            else:
                self._local.append((cid, size))
        return missing

    def _read(self) -> list[Block]:
        """The next blocks from the store, as many as may be held at once; one at least, if there is one."""
        while self._local:
            part: list[CID] = []
            size = 0
            for cid, length in islice(self._local, self._options.lookup_slice):
                size += length
                if part and size > self._options.lookup_bytes:
                    break
                part.append(cid)
            found = self._node.store.get_many(part)
            gone = [cid for cid, block in zip(part, found, strict=True) if block is None]
            for _ in part:
                self._local.popleft()
            if gone:
                # Deleted since it was looked up.
                self._remote.want(gone)
            blocks = [block for block in found if block is not None]
            if blocks:
                return blocks
        return []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
