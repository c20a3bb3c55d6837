"""The queue of answers at several shapes, through the engine, beside go-peertaskqueue alone.

Ours has more to do: decoding and the ledger are in its figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from benchmarks import inputs
from benchmarks.engines import Serving
from benchmarks.operation import Operation
from benchmarks.serving import LARGE, NAMES, OPTIONS, Frames, Node, Sizes
from bitswap.cid import CID

SHAPES = ((1, 1000), (100, 1000), (1000, 10), (1, 100_000))
"""Peers, answers for each."""
MESSAGE = 1000
"""Entries of a message at most."""
POPS = 10_000
"""Answers of each peer that are taken at least: at 100,000 a peer go-peertaskqueue is slow."""

Sent = list[tuple[str, Frames]]


@cache
def _sizes() -> Sizes:
    return dict.fromkeys(inputs.cids(max(tasks for _, tasks in SHAPES)), LARGE)


def _by_peer(peers: int, tasks: int, frame: Callable[[tuple[CID, ...], int], bytes]) -> Sent:
    """What each peer sends: all want the same CIDs."""
    wanted = inputs.cids(tasks)
    frames = [frame(wanted[i : i + MESSAGE], i) for i in range(0, tasks, MESSAGE)]
    return [(name, frames) for name in NAMES[:peers]]


@cache
def _pushes(peers: int, tasks: int) -> Sent:
    return _by_peer(peers, tasks, inputs.spread_frame)


@cache
def _removals(peers: int, tasks: int) -> Sent:
    return _by_peer(peers, tasks, lambda wanted, _: inputs.cancels_frame(wanted))


def operations(serving: Serving) -> Iterator[Operation]:
    """Push, pop and remove at each shape."""
    for peers, tasks in SHAPES:
        yield from _at_shape(serving, peers, tasks)


def _at_shape(serving: Serving, peers: int, tasks: int) -> Iterator[Operation]:
    def empty() -> Node:
        return Node(serving, serving.make(OPTIONS), _sizes())

    def full() -> Node:
        node = empty()
        push(node)
        return node

    def push(node: Node) -> int:
        _take_in(node, _pushes(peers, tasks))
        return node.engine.stat.pending_tasks

    def remove(node: Node) -> int:
        _take_in(node, _removals(peers, tasks))
        return peers * tasks - node.engine.stat.pending_tasks

    shape = f"{peers:,} x {tasks:,}"
    yield Operation(f"queue: push, {shape}", "answer", push, empty)
    yield Operation(f"queue: pop, {shape}", "answer", lambda node: _pop(node, peers, tasks), full)
    yield Operation(f"queue: remove, {shape}", "answer", remove, full)


def _take_in(node: Node, sent: Sent) -> None:
    reader, decode = node.serving.codec.FrameReader(), node.serving.codec.Message.from_body
    engine, size_of = node.engine, node.sizes.get
    for name, frames in sent:
        for frame in frames:
            for content in reader.feed(frame):
                message = decode(content)
                sizes = {cid: size_of(cid) for cid in engine.lookups(message)}
                engine.message_received(name, message, sizes, 0.0)


def _pop(node: Node, peers: int, tasks: int) -> int:
    """Take envelopes without filling them."""
    engine, now = node.engine, 0.0
    left = peers * max(tasks - POPS, 0)
    while (envelope := engine.next_envelope(now)) is not None:
        now += 1e-6
        engine.envelope_sent(envelope, now)
        if left and engine.stat.pending_tasks <= left:
            break
    return peers * tasks - engine.stat.pending_tasks
