"""The decision engine: wants in, messages out, with a dict as the store.

What is timed goes from the bytes of a frame to the bytes of a frame: decoding, sizes from the dict, ledger
and queue; then envelopes, blocks from the dict, encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from benchmarks import inputs
from benchmarks.engines import Serving
from benchmarks.operation import Operation
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.engine import Engine
from bitswap.options import ServerOptions

PEERS, WANTS = 100, 1000
ALL = PEERS * WANTS
LARGE = 256 * inputs.KIB
"""Bytes of a block that a want-have is answered with HAVE for."""
SMALL = 256
OPTIONS = ServerOptions(adaptive=False, max_wantlist_entries=1 << 17)
"""Messages of 16 KiB, as boxo's, whatever the peer's speed."""
NAMES = [f"peer {i}" for i in range(10_000)]

Frames = Sequence[bytes]
Sizes = dict[CID, int]


class Node(NamedTuple):
    """An engine and what is around it."""

    serving: Serving
    engine: Engine
    sizes: Sizes


@cache
def _frames(distinct: bool, have: bool, send_dont_have: bool) -> Frames:
    """One frame of WANTS wants a peer; the same CIDs from every peer, or others from each."""
    wanted = inputs.cids(ALL if distinct else WANTS)
    shares = [wanted[i : i + WANTS] for i in range(0, len(wanted), WANTS)]
    frames = [inputs.wants_frame(share, have=have, send_dont_have=send_dont_have) for share in shares]
    return frames if distinct else frames * PEERS


@cache
def _cancels() -> Frames:
    wanted = inputs.cids(ALL)
    return [inputs.cancels_frame(wanted[i : i + WANTS]) for i in range(0, ALL, WANTS)]


@cache
def _large() -> Sizes:
    return dict.fromkeys(inputs.cids(ALL), LARGE)


@cache
def _small_blocks() -> dict[CID, Block]:
    return {block.cid: block for block in inputs.blocks(ALL, SMALL)}


@cache
def _small_frames() -> Frames:
    wanted = list(_small_blocks())
    return [inputs.wants_frame(wanted[i : i + WANTS]) for i in range(0, ALL, WANTS)]


@cache
def _small_sizes() -> Sizes:
    return dict.fromkeys(_small_blocks(), SMALL)


def receive(node: Node, frames: Frames, first: int = 0) -> int:
    """Every peer sends one frame; returns the answers that are queued."""
    reader, decode = node.serving.codec.FrameReader(), node.serving.codec.Message.from_body
    engine, size_of = node.engine, node.sizes.get
    for name, frame in zip(NAMES[first:], frames, strict=False):
        for content in reader.feed(frame):
            message = decode(content)
            sizes = {cid: size_of(cid) for cid in engine.lookups(message)}
            engine.message_received(name, message, sizes, 0.0)
    return engine.stat.pending_tasks


def drain(node: Node, blocks: dict[CID, Block]) -> int:
    """Send until nothing is queued; returns how many answers that were."""
    engine, now = node.engine, 0.0
    before = engine.stat.pending_tasks
    while (envelope := engine.next_envelope(now)) is not None:
        message = engine.fill(envelope, {cid: blocks.get(cid) for cid in envelope.cids})
        assert message is not None
        message.to_frame()
        now += 1e-6
        engine.envelope_sent(envelope, now)
    return before - engine.stat.pending_tasks


def operations(serving: Serving) -> Iterator[Operation]:
    """100 peers that want 1,000 blocks each."""

    def empty(sizes: Callable[[], Sizes]) -> Callable[[], Node]:
        return lambda: _node(serving, sizes())

    def loaded(sizes: Callable[[], Sizes], frames: Callable[[], Frames]) -> Callable[[], Node]:
        def prepare() -> Node:
            node = _node(serving, sizes())
            receive(node, frames())
            return node

        return prepare

    def present() -> Frames:
        return _frames(True, True, True)

    def missing() -> Frames:
        return _frames(True, False, True)

    yield Operation(
        "engine: receive wants, present", "want", lambda node: receive(node, present()), empty(_large)
    )
    yield Operation(
        "engine: receive wants, missing", "want", lambda node: receive(node, missing()), empty(dict)
    )
    yield Operation(
        "engine: send presences", "presence", lambda node: drain(node, {}), loaded(_large, present)
    )
    yield Operation(
        "engine: send blocks of 256 B",
        "block",
        lambda node: drain(node, _small_blocks()),
        loaded(_small_sizes, _small_frames),
    )
    yield Operation("engine: cancel", "want", _cancel, loaded(_large, present))
    yield Operation("engine: peers disconnect", "want", _disconnect, loaded(_large, present))
    yield Operation(
        "engine: new blocks for all peers",
        "peer and block",
        _notify,
        loaded(dict, lambda: _frames(False, False, False)),
    )


def _node(serving: Serving, sizes: Sizes) -> Node:
    engine = serving.make(OPTIONS)
    for name in NAMES[:PEERS]:
        engine.peer_connected(name)
    return Node(serving, engine, sizes)


def _cancel(node: Node) -> int:
    before = node.engine.stat.pending_tasks
    return before - receive(node, _cancels())


def _disconnect(node: Node) -> int:
    before = node.engine.stat.pending_tasks
    for name in NAMES[:PEERS]:
        node.engine.peer_disconnected(name)
    return before - node.engine.stat.pending_tasks


def _notify(node: Node) -> int:
    came = inputs.cids(WANTS)
    for i in range(0, WANTS, 100):
        node.engine.notify_new_blocks(dict.fromkeys(came[i : i + 100], LARGE), 0.0)
    return node.engine.stat.pending_tasks
