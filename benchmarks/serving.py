"""The decision engine: wants in, messages out, with a dict as the store.

What is timed goes from the bytes of a frame to the bytes of a frame: decoding, sizes, ledger and queue; then
envelopes, blocks from the dict, encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from benchmarks import inputs
from benchmarks import serving_inputs as given
from benchmarks.engines import Serving
from benchmarks.node import NO_BLOCKS, NO_SIZES, Node
from benchmarks.operation import Effort, Operation
from benchmarks.serving_inputs import Blocks, Frames, Sizes
from benchmarks.shapes import ENOUGH, MANY, ONE, SLOW, USUAL, Shape, shares

HAVE_ON_WIRE = 40
"""Bytes of a HAVE in a frame, with a CID of 36."""
BLOCK_ON_WIRE = 12
"""Bytes of a block in a frame beside its data."""


def _no_sizes() -> Sizes:
    return NO_SIZES


def _no_blocks() -> Blocks:
    return NO_BLOCKS


@dataclass(frozen=True)
class Scene:
    """A node before something is timed: what its store has, whether it knows that, and what it was sent."""

    serving: Serving
    shape: Shape
    held: Callable[[], Sizes] = _no_sizes
    before: Callable[[Shape], Frames] | None = None
    known: bool = False

    def node(self, needed: Callable[[], object] = object) -> Node:
        """`needed` makes what the run will use, before the clock runs."""
        needed()
        node = Node(self.serving, self.shape.each, self.held(), known=self.known)
        node.connect(self.shape.names)
        if self.before is not None:
            node.receive(self.shape.names, self.before(self.shape))
        return node

    def operation(
        self,
        name: str,
        run: Callable[[Node], None],
        *,
        pending: int,
        needed: Callable[[], object] = object,
        boxo: str = "",
    ) -> Operation:
        """`pending`: answers that are queued afterwards."""
        items = self.shape.all

        def timed(node: Node) -> int:
            run(node)
            return items

        def check(node: Node) -> None:
            assert node.pending == pending, node.pending

        return Operation(
            f"engine: {name}, {self.shape}",
            "want",
            timed,
            lambda: self.node(needed),
            check,
            boxo=boxo and f"engine: {boxo}, {self.shape}",
            effort=Effort.LIGHT if self.shape in (USUAL, SLOW) else Effort.SHAPE,
        )


def operations(serving: Serving) -> Iterator[Operation]:
    """Everything at 100 peers x 1,000 wants, what matters most at other shapes too."""
    for shape in (USUAL, MANY, ONE):
        fresh = Scene(serving, shape, given.large)
        queued = replace(fresh, before=given.want_haves)
        yield _receiving("receive, known", replace(fresh, known=True), given.want_haves, boxo="receive")
        yield _receiving("receive, dict", fresh, given.want_haves, boxo="receive")
        if shape == USUAL:
            yield _in_steps(fresh)
            missing = replace(fresh, held=_no_sizes)
            yield _receiving("receive, missing", missing, given.want_blocks)
        answers = ENOUGH if shape.peers == 1 else shape.all
        yield _answering("send presences", queued, _no_blocks, HAVE_ON_WIRE, answers)
        small = replace(fresh, held=given.small, before=given.want_small)
        on_wire = BLOCK_ON_WIRE + given.SMALL
        yield _answering("send blocks of 256 B", small, given.small_blocks, on_wire, answers)
        if shape == USUAL:
            middle = replace(fresh, held=given.middle, before=given.want_middle)
            on_wire = BLOCK_ON_WIRE + given.MIDDLE
            yield _answering("send blocks of 16 KiB", middle, given.middle_blocks, on_wire, ENOUGH)
            yield _notifying(replace(fresh, held=_no_sizes, before=given.want_silently))
            yield _overflowing(queued)
        yield _cancelling(queued)
        yield _disconnecting(queued)
    yield _one_by_one(Scene(serving, SLOW, given.small))


def _receiving(name: str, scene: Scene, sent: Callable[[Shape], Frames], *, boxo: str = "") -> Operation:
    shape, names = scene.shape, scene.shape.names
    return scene.operation(
        name,
        lambda node: node.receive(names, sent(shape)),
        pending=shape.all,
        needed=lambda: sent(shape),
        boxo=boxo,
    )


def _in_steps(scene: Scene) -> Operation:
    shape, names = scene.shape, scene.shape.names
    return scene.operation(
        "receive, dict, in steps",
        lambda node: node.receive_in_steps(names, given.want_haves(shape)),
        pending=shape.all,
        needed=lambda: given.want_haves(shape),
        boxo="receive",
    )


def _answering(
    name: str, scene: Scene, blocks: Callable[[], Blocks], on_wire: int, answers: int
) -> Operation:
    left = scene.shape.all - answers

    def run(node: Node) -> int:
        node.drain(blocks(), on_wire, answers)
        return answers

    def check(node: Node) -> None:
        # The last message may hold more than was still awaited.
        assert left - 2 * given.MIDDLE // on_wire <= node.pending <= left, node.pending

    plain = scene.operation(name, lambda _: None, pending=left, needed=blocks)
    return replace(plain, item="answer", run=run, finish=check)


def _cancelling(scene: Scene) -> Operation:
    shape, names = scene.shape, scene.shape.names
    return scene.operation(
        "cancel",
        lambda node: node.receive(names, given.withdrawals(shape)),
        pending=0,
        needed=lambda: given.withdrawals(shape),
    )


def _overflowing(scene: Scene) -> Operation:
    """As many further wants as a peer may have, more urgent than all it has: those go, and are refused."""
    shape, names = scene.shape, scene.shape.names
    return scene.operation(
        "overflow",
        lambda node: node.receive(names, given.want_more(shape)),
        pending=2 * shape.all,
        needed=lambda: given.want_more(shape),
    )


def _disconnecting(scene: Scene) -> Operation:
    names = scene.shape.names
    return scene.operation("peers disconnect", lambda node: node.disconnect(names), pending=0)


def _one_by_one(scene: Scene) -> Operation:
    """One block a message, from the bytes of the want to those of the answer."""
    shape, names = scene.shape, scene.shape.names
    return scene.operation(
        "a block at a time",
        lambda node: node.one_by_one(names, given.want_singly(shape), given.small_blocks()),
        pending=0,
        needed=lambda: given.want_singly(shape),
    )


def _notifying(scene: Scene) -> Operation:
    came = inputs.cids(given.SHARED)

    def run(node: Node) -> None:
        for some in shares(came, 100):
            node.engine.notify_new_blocks(dict.fromkeys(some, given.LARGE), 0.0)

    return scene.operation("new blocks for all peers", run, pending=scene.shape.all)
