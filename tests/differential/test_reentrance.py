"""What the compiled core calls may call it back, change what it is about to use, or fail: it stays whole.

A filter, a store and its blocks, and the hooks of a queue do something else with the same core in the middle
of a call. What comes of it is not laid down; that nothing breaks is, and that nothing is left in the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.implementations import implementations
from bitswap.options import ServerOptions

from .catalogue import PEERS
from .engine_operations import EngineGenerator
from .engine_side import LEAVE, SETTLE, EngineSide, Refusal
from .queue_operations import QueueGenerator
from .queue_side import Balk, QueueSide
from .world import Operation, World

pytestmark = [
    pytest.mark.skipif("c" not in implementations(), reason="there is no compiled core"),
    pytest.mark.timeout(600),
]

SEEDS = int(os.environ.get("BITSWAP_EXAMPLES", "150")) // 12

INNER = (
    *("message", "looked_up", "disconnect", "notify", "stored", "removed", "next", "fill", "sent", "failed"),
    *("again", "serve", "ask", "push", "pop", "done", "clear", "remove", "thaw"),
)


class Mischief:
    """Does one more operation now and then, or raises; never while it is at it already."""

    def __init__(self, generator: Any, error: type[Exception]) -> None:
        self.generator = generator
        self.error = error
        self.side: Any = None
        self.busy = False
        self.done = 0

    def act(self) -> None:
        chance = self.generator.random.random()
        if self.busy or self.side is None or chance < 0.7:
            return
        if chance > 0.97:
            raise self.error("not now")
        operation: Operation = ("ask",)
        while operation[0] not in INNER:
            operation = self.generator.operation()
        self.busy = True
        self.done += 1
        try:
            self.side.world.change(operation)
            self.side.apply(operation)
            self.side.check()
        finally:
            self.busy = False


class SlyBlock:
    """A block whose parts are found by code that does something else first."""

    def __init__(self, block: Block, act: Callable[[], None]) -> None:
        self._block = block
        self._act = act

    @property
    def cid(self) -> CID:
        self._act()
        return self._block.cid

    @property
    def data(self) -> bytes:
        self._act()
        return self._block.data


class SlyWorld(World):
    mischief: Mischief

    def allows(self, peer: str, cid: CID) -> bool:
        self.mischief.act()
        return super().allows(peer, cid)

    def sizes(self, cids: Any) -> Any:
        self.mischief.act()
        return super().sizes(cids)

    def blocks(self, cids: Any, pattern: str = ".") -> Any:
        found = super().blocks(cids, pattern)
        return [block and SlyBlock(block, self.mischief.act) for block in found]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_is_called_may_call_back(seed: int) -> None:
    generator = EngineGenerator(seed, "small" if seed % 3 else "middle")
    mischief = Mischief(generator, Refusal)
    setup = generator.setup._replace(scarce=False, filtered=True)
    world = SlyWorld(setup.now, setup.stored)
    world.mischief = mischief
    options = ServerOptions(**setup.options, peer_block_request_filter=world.allows)
    side = mischief.side = EngineSide("c", world, options, setup)
    for _ in range(400):
        operation = generator.operation()
        world.change(operation)
        side.apply(operation)
        side.check()
    assert mischief.done
    mischief.busy = True
    for operation in (*SETTLE, *LEAVE):
        world.change(operation)
        side.apply(operation)
        side.check()
    side.check_empty()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_hooks_of_a_queue_may_call_back(seed: int) -> None:
    generator = QueueGenerator(seed, "small")
    mischief = Mischief(generator, Balk)

    class SlySide(QueueSide):
        def _hear(self, what: str, peer: str) -> None:
            mischief.act()
            super()._hear(what, peer)

    world = World(generator.setup.now)
    side = mischief.side = SlySide("c", world, generator.setup._replace(hooks="log", scarce=False))
    for _ in range(600):
        operation = generator.operation()
        world.change(operation)
        side.apply(operation)
        side.check()
    mischief.busy = True
    side.apply(("finish",))
    for operation in (("thaw",), ("empty", 10**6), *(("clear", peer) for peer in range(len(PEERS)))):
        side.apply(operation)
        side.check()
    side.check_empty()
