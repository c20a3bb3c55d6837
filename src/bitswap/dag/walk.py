"""Reading a graph in order over a network: depth first, with a window of blocks that are wanted ahead.

What is ahead of the reader is limited in number and bytes: blocks that are wanted plus blocks that came
before their turn. As one is consumed the next are wanted, in reading order, so the window neither grows nor
drains. Three rules keep it useful:

- Interior nodes that surely are such (they lead to more than a block) are wanted on a budget of their own, so
  that the leaves after them can be wanted as soon as the window reaches them.
- While a node before them is still unknown, later blocks may fill only half of the window: the rest is for
  what that node will lead to. One place is always kept for the block that the reader stands at.
- Sizes are what the graph says until a block has come. If blocks turn out bigger, those farthest ahead are
  given up (dropped, or no longer wanted) and wanted again in their turn.

Blocks out of turn are kept in memory within the window. A block that stands in several places inside the
window is wanted once; one that was read long ago is wanted again, and a node answers that from its store.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from typing import TypeVar

from bitswap.dag.errors import DagError
from bitswap.dag.source import BlockSource
from bitswap.dag.window import Branch, Expansion, Target, Window
from bitswap.errors import BitswapError
from bitswap.options import DagOptions

__all__ = ["Branch", "Expansion", "Target", "walk"]

C = TypeVar("C")
E = TypeVar("E")


def walk(
    source: BlockSource,
    root: Target[C],
    expand: Callable[[Target[C], bytes], Expansion[C, E]],
    bounds: DagOptions | None = None,
) -> Generator[E, None, None]:
    """The events of a graph in reading order; `expand` says what a block is, and raises DagError when it is
    nothing.

    Raises what `expand` and `source.take` raise. What is still wanted at the end, or when the iterator is
    closed, is cancelled.
    """
    window: Window[C, E] = Window(root, expand, bounds or DagOptions())
    try:
        while True:
            events = window.pop()
            if events is not None:
                _ask(source, window, lazily=True)
                yield from events
                continue
            if window.done:
                return
            _ask(source, window, lazily=False)
            blocks = source.take()
            if not blocks:
                raise DagError("the source of blocks gave up without a word")
            for block in blocks:
                window.received(block)
            del block, blocks  # what the window hands out is kept no longer
            _ask(source, window, lazily=False)
    finally:
        # A source that is closed by now needs no cancels.
        with suppress(BitswapError):
            if pending := window.pending():
                source.cancel(pending)


def _ask(source: BlockSource, window: Window[C, E], *, lazily: bool) -> None:
    if given_up := window.cancels():
        source.cancel(given_up)
    if wanted := window.wants(lazily=lazily):
        source.want(wanted)
