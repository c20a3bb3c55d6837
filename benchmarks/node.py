"""An engine with what is around it, a dict as its store: bytes of frames in, bytes of frames out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.engines import Serving
from benchmarks.serving_inputs import Blocks, Frames, Sizes
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.options import ServerOptions

NO_SIZES: Sizes = {}
NO_BLOCKS: Blocks = {}


def roomy(limit: int, *, known: int = 0) -> ServerOptions:
    """`limit` wants a peer whatever others have, `known` blocks; messages of 16 KiB, as boxo's."""
    return ServerOptions(
        adaptive=False,
        max_wantlist_entries=limit,
        max_total_wantlist_entries=1 << 30,
        max_known_blocks=known,
    )


class Node:
    """`limit` wants a peer; with `known` the engine is told of all that the store has."""

    def __init__(self, serving: Serving, limit: int, held: Sizes = NO_SIZES, *, known: bool = False) -> None:
        self.engine = serving.engine(roomy(limit, known=len(held) if known else 0))
        self._codec = serving.codec
        self.sizes = _lookup(held) if not known else nothing_asked
        if known:
            self.engine.blocks_stored(held)

    def connect(self, names: Sequence[str]) -> None:
        for name in names:
            self.engine.peer_connected(name)

    def receive(self, names: Sequence[str], sent: Frames) -> None:
        """In one call, from the bytes of a message to queued answers."""
        split, receive, sizes = self._codec.FrameReader().feed, self.engine.receive, self.sizes
        for name, frames in zip(names, sent, strict=True):
            for frame in frames:
                for body in split(frame):
                    receive(name, body, sizes, 0.0)

    def receive_in_steps(self, names: Sequence[str], sent: Frames) -> None:
        """Decode, look up, take in: what a driver does whose store is slow."""
        split, decode = self._codec.FrameReader().feed, self._codec.Message.from_body
        engine, sizes = self.engine, self.sizes
        for name, frames in zip(names, sent, strict=True):
            for frame in frames:
                for body in split(frame):
                    lookup = engine.lookup(decode(body))
                    engine.message_received(name, lookup, sizes(lookup.cids), 0.0)

    def one_by_one(self, names: Sequence[str], sent: Frames, blocks: Blocks) -> None:
        """Each message is answered before the next comes."""
        split, receive, sizes = self._codec.FrameReader().feed, self.engine.receive, self.sizes
        engine, find, now = self.engine, blocks.get, 0.0
        for name, frames in zip(names, sent, strict=True):
            for frame in frames:
                for body in split(frame):
                    receive(name, body, sizes, now)
                envelope = engine.next_envelope(now)
                assert envelope is not None
                message = engine.fill(envelope, _read(find, envelope.cids))
                assert message is not None
                message.to_frame()
                now += 1e-6
                engine.envelope_sent(envelope, now)

    def drain(self, blocks: Blocks, answer_bytes: int, count: int) -> None:
        """Send at least `count` answers, each of so many bytes in a frame."""
        engine, find, now = self.engine, blocks.get, 0.0
        while count > 0:
            envelope = engine.next_envelope(now)
            assert envelope is not None
            message = engine.fill(envelope, _read(find, envelope.cids))
            assert message is not None
            # What a frame has besides its answers is shorter than one answer.
            count -= len(message.to_frame()) // answer_bytes
            now += 1e-6
            engine.envelope_sent(envelope, now)

    def disconnect(self, names: Sequence[str]) -> None:
        for name in names:
            self.engine.peer_disconnected(name)

    @property
    def pending(self) -> int:
        return self.engine.stat.pending_tasks


def _read(find: Callable[[CID], Block | None], cids: Sequence[CID]) -> list[Block | None]:
    return [*map(find, cids)]


def _lookup(held: Sizes) -> Callable[[Sequence[CID]], list[int | None]]:
    find = held.get
    return lambda cids: [*map(find, cids)]


def nothing_asked(cids: Sequence[CID]) -> list[int | None]:
    assert not cids
    return []
