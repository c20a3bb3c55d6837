"""Two yamux machines back to back, and frames made by hand."""

from __future__ import annotations

import struct

from bitswap.network.libp2p.yamux import DATA, Yamux
from bitswap.network.libp2p.yamux_stream import YamuxStream
from bitswap.options import MIB, NetworkOptions
from tests.libp2p.puppet import frame


class Recorder:
    """A stream's owner that keeps what it was told."""

    def __init__(self, stream: YamuxStream | None = None, consume: bool = True) -> None:
        self.stream = stream
        self.consume = consume
        self.data = b""
        self.ended = False
        self.error: BaseException | None = None
        self.is_closed = False
        self.drains = 0
        self.pieces: list[int] = []

    def data_received(self, data: memoryview) -> None:
        self.data += bytes(data)
        self.pieces.append(len(data))
        if self.consume and self.stream is not None:
            self.stream.consume(len(data))

    def end_received(self) -> None:
        self.ended = True

    def closed(self, error: BaseException | None) -> None:
        self.error, self.is_closed = error, True

    def drained(self) -> None:
        self.drains += 1


class Side:
    """A session and what it told."""

    def __init__(
        self, *, initiator: bool, options: NetworkOptions | None = None, consume: bool = True
    ) -> None:
        self.accepted: list[Recorder] = []
        self.pongs: list[int] = []
        self.gone: int | None = None
        self.consume = consume
        self.mux = Yamux(self, options or NetworkOptions(), initiator=initiator)

    def stream_opened(self, stream: YamuxStream) -> None:
        recorder = Recorder(stream, self.consume)
        stream.handler = recorder
        self.accepted.append(recorder)

    def pong_received(self, value: int) -> None:
        self.pongs.append(value)

    def go_away_received(self, code: int) -> None:
        self.gone = code

    def open(self) -> tuple[YamuxStream, Recorder]:
        recorder = Recorder(consume=self.consume)
        recorder.stream = self.mux.open_stream(recorder)
        return recorder.stream, recorder

    def take(self, limit: int = MIB) -> bytes:
        return b"".join(self.mux.data_to_send(limit))

    def feed(self, *data: bytes) -> None:
        self.mux.receive(memoryview(b"".join(data)))


def pair(options: NetworkOptions | None = None, *, consume: bool = True) -> tuple[Side, Side]:
    return (
        Side(initiator=True, options=options, consume=consume),
        Side(initiator=False, options=options, consume=consume),
    )


def exchange(left: Side, right: Side) -> None:
    """Carry bytes until both are silent."""
    for _ in range(10_000):
        out, back = left.take(), right.take()
        if not out and not back:
            return
        right.feed(out)
        left.feed(back)
    raise AssertionError("the two sides never fall silent")


def data(stream: int, payload: bytes, flags: int = 0) -> bytes:
    return frame(DATA, flags, stream, len(payload), payload)


def frames(raw: bytes) -> list[tuple[int, int, int, int]]:
    """(kind, flags, stream, length) of each frame; payload skipped."""
    found, at = [], 0
    while at < len(raw):
        version, kind, flags, stream, length = struct.unpack_from(">BBHII", raw, at)
        assert version == 0
        found.append((kind, flags, stream, length))
        at += 12 + (length if kind == DATA else 0)
    assert at == len(raw)
    return found
