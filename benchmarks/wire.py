"""The wire codec: a frame to a message and back, the message's own rules, frames out of a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

from benchmarks import inputs
from benchmarks.operation import Operation
from bitswap.message import Message

COUNT = 1000
"""Entries of a message."""
BLOCKS, BLOCK_SIZE = 15, 256 * inputs.KIB
PIECE = 64 * inputs.KIB
"""Bytes that a stream yields at a time."""


def operations(codec: ModuleType) -> Iterator[Operation]:
    """Everything that `codec` (a module with Message and FrameReader) is measured on."""
    yield from _decoding(codec)
    yield from _encoding(codec)
    yield from _building(codec)
    yield from _framing(codec)


def _decoding(codec: ModuleType) -> Iterator[Operation]:
    cids = inputs.cids(COUNT)
    reader, decode = codec.FrameReader, codec.Message.from_body

    def plain(frame: bytes, items: int) -> Callable[[object], int]:
        def run(_: object) -> int:
            for content in reader().feed(frame):
                decode(content)
            return items

        return run

    def listed(frame: bytes) -> Callable[[object], int]:
        def run(_: object) -> int:
            (content,) = reader().feed(frame)
            return len(decode(content).wantlist())

        return run

    wants = inputs.wants_frame(cids)
    yield Operation("decode 1,000 wants", "want", plain(wants, COUNT), repeats=True)
    yield Operation("decode and list 1,000 wants", "want", listed(wants), repeats=True)
    cancels = plain(inputs.cancels_frame(cids), COUNT)
    yield Operation("decode 1,000 cancels", "cancel", cancels, repeats=True)
    presences = plain(inputs.presences_frame(cids), COUNT)
    yield Operation("decode 1,000 presences", "presence", presences, repeats=True)
    full = plain(inputs.blocks_frame(inputs.blocks(BLOCKS, BLOCK_SIZE)), BLOCKS)
    yield Operation("decode 15 blocks of 256 KiB", "block", full, repeats=True)


def _encoding(codec: ModuleType) -> Iterator[Operation]:
    cids = inputs.cids(COUNT)
    wants, cancels, presences, full = (codec.Message() for _ in range(4))
    for i, cid in enumerate(cids):
        wants.add_entry(cid, COUNT - i, 0, True)
        cancels.cancel(cid)
        presences.add_presence(cid, i % 2)
    for block in inputs.blocks(BLOCKS, BLOCK_SIZE):
        full.add_block(block)

    def encoded(message: Message, items: int) -> Callable[[object], int]:
        def run(_: object) -> int:
            message.to_frame()
            return items

        return run

    yield Operation("encode 1,000 wants", "want", encoded(wants, COUNT), repeats=True)
    yield Operation("encode 1,000 cancels", "cancel", encoded(cancels, COUNT), repeats=True)
    yield Operation("encode 1,000 presences", "presence", encoded(presences, COUNT), repeats=True)
    yield Operation("encode 15 blocks of 256 KiB", "block", encoded(full, BLOCKS), repeats=True)


def _building(codec: ModuleType) -> Iterator[Operation]:
    cids = inputs.cids(COUNT)

    def add(message: Message) -> int:
        for cid in cids:
            message.add_entry(cid, 1, 0, True)
        return COUNT

    def cancel(message: Message) -> int:
        for cid in cids:
            message.cancel(cid)
        return COUNT

    def tell(message: Message) -> int:
        for cid in cids:
            message.add_presence(cid, 0)
        return COUNT

    def filled() -> Message:
        message: Message = codec.Message()
        add(message)
        return message

    def afresh(run: Callable[[Message], int]) -> Callable[[object], int]:
        return lambda _: run(codec.Message())

    yield Operation("message: add 1,000 new wants", "want", afresh(add), repeats=True)
    yield Operation("message: merge 1,000 wants", "want", add, filled, repeats=True)
    yield Operation("message: add 1,000 new cancels", "cancel", afresh(cancel), repeats=True)
    yield Operation("message: add 1,000 presences", "presence", afresh(tell), repeats=True)


def _framing(codec: ModuleType) -> Iterator[Operation]:
    def reading(frame: bytes, count: int, by_frame: bool) -> Callable[[object], int]:
        stream = frame * count
        pieces = [stream[i : i + PIECE] for i in range(0, len(stream), PIECE)]
        items = count if by_frame else len(pieces)

        def run(_: object) -> int:
            reader = codec.FrameReader()
            for piece in pieces:
                reader.feed(piece)
            return items

        return run

    large = inputs.blocks_frame(inputs.blocks(4, BLOCK_SIZE))
    yield Operation("frames of 1 MiB, in pieces of 64 KiB", "piece", reading(large, 16, False), repeats=True)
    small = inputs.wants_frame(inputs.cids(1))
    yield Operation("frames of one want, in such pieces", "frame", reading(small, 10_000, True), repeats=True)
