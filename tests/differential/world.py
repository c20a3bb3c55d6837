"""What both sides of a comparison share: the clock, and the store that answers for sizes and blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.options import KIB, MAX_FRAME

from .catalogue import CIDS, NUMBERS, block, limit_sizes, usual_size

Operation = tuple[Any, ...]
"""A name and its arguments, all of them literals: numbers, texts, tuples of these."""


class World:
    """Changed once an operation, before either side is told of it."""

    def __init__(self, now: float = 1000.0, stored: int = 0) -> None:
        self.now = now
        self.store: dict[int, int] = {number: usual_size(number) for number in range(stored)}
        self.forbidden = 0
        """Of every ten pairs of peer and block the filter denies this many."""

    def change(self, operation: Operation) -> None:
        name, *args = operation
        if name == "clock":
            self.now += args[0]
        elif name in ("put", "notify", "stored"):
            for number, size in args[0]:
                self.store[number] = size
        elif name in ("vanish", "removed"):
            for number in args[0]:
                self.store.pop(number, None)
        elif name == "forbid":
            self.forbidden = args[0]
        elif name == "nested":
            self.change(args[-1])

    def allows(self, peer: str, cid: CID) -> bool:
        return (len(peer) * 7 + NUMBERS[cid] * 3) % 10 >= self.forbidden

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        return [self.store.get(NUMBERS[cid]) for cid in cids]

    def blocks(self, cids: Sequence[CID], pattern: str = ".") -> list[Block | None]:
        """What the store gives for `cids`; `pattern`, repeated as needed, says what is wrong with each."""
        return [self._block(cid, pattern[place % len(pattern)]) for place, cid in enumerate(cids)]

    def _block(self, cid: CID, kind: str) -> Block | None:
        number = NUMBERS[cid]
        size = self.store.get(number)
        if kind == "x" or size is None:  # it has vanished
            return None
        if kind == "e":  # another size than was said: empty, larger, the most that fits, too large
            return Block(cid, b"")
        if kind == "m":
            return block(number, size + 500 if size < 64 * KIB else size // 2)
        if kind == "f":
            return block(number, limit_sizes(number)[0])
        if kind == "L":
            return block(number, limit_sizes(number)[1])
        found = block(number, size if size < MAX_FRAME * 2 else MAX_FRAME + KIB)
        # "o": it comes under another CID, as from a store that keeps blocks by their multihash
        return Block(CIDS[0], found.data) if kind == "o" else found
