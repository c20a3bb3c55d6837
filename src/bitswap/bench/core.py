"""The codec, the decision engine and hashing: what a node computes, with nothing around it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bitswap.bench.content import make_blocks
from bitswap.bench.row import Pace, Row, timed
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.engine import Engine
from bitswap.message import Message, WantType
from bitswap.options import KIB

_PEERS = 10
_BLOCK = 256


def rows(pace: Pace) -> Iterator[Row]:
    """Figures of the codec, the engine, and of sha2-256."""
    blocks = make_blocks(pace.count(1000), _BLOCK, "core")
    yield from _codec(pace, [block.cid for block in blocks])
    yield from _engine(pace, blocks)
    for size, count, name in ((256 * KIB, 256, "256 KiB"), (KIB, 10_000, "1 KiB")):
        made = make_blocks(pace.count(count), size, "hash")

        def verify(made: list[Block] = made) -> int:
            for block in made:
                block.verify()
            return sum(len(block.data) for block in made)

        yield pace.rate("hash", f"verify blocks of {name} (sha2-256)", "MB/s", timed(verify), per=1e6)


def _wantlist(cids: list[CID], want_type: int = WantType.BLOCK) -> Message:
    message = Message(True)
    for priority, cid in enumerate(reversed(cids)):
        message.add_entry(cid, priority, want_type, True)
    return message


def _codec(pace: Pace, cids: list[CID]) -> Iterator[Row]:
    message = _wantlist(cids)
    body = message.to_body()

    def decode() -> int:
        return Message.from_body(body).entry_count

    def encode() -> int:
        message.to_body()
        return len(cids)

    yield pace.rate("codec", f"decode a message of {len(cids):,} wants", "wants/s", timed(decode))
    yield pace.rate("codec", f"encode a message of {len(cids):,} wants", "wants/s", timed(encode))


def _engine(pace: Pace, blocks: list[Block]) -> Iterator[Row]:
    cids = [block.cid for block in blocks]
    held = {block.cid: block for block in blocks}

    def sizes(asked: list[CID]) -> list[int | None]:
        return [len(held[cid].data) for cid in asked]

    def loaded(body: bytes) -> tuple[Engine, float]:
        engine = Engine("self")
        started = time.perf_counter()
        for peer in range(_PEERS):
            engine.receive(f"peer {peer}", body, sizes, 0.0)
        return engine, time.perf_counter() - started

    def drained(engine: Engine) -> float:
        started = time.perf_counter()
        while (envelope := engine.next_envelope(0.0)) is not None:
            answer = engine.fill(envelope, [held[cid] for cid in envelope.cids])
            if answer is not None:
                answer.to_frame()
            engine.envelope_sent(envelope, 0.0)
        return time.perf_counter() - started

    wants = _wantlist(cids).to_body()
    questions = _wantlist(cids, WantType.HAVE).to_body()
    count = _PEERS * len(cids)
    yield pace.rate("engine", "take wants in", "wants/s", lambda: (count, loaded(wants)[1]))
    yield pace.rate(
        "engine", f"answer with blocks of {_BLOCK} B", "blocks/s", lambda: (count, drained(loaded(wants)[0]))
    )
    missing = Engine("self")

    def absent() -> tuple[int, float]:
        started = time.perf_counter()
        for peer in range(_PEERS):
            missing.receive(f"peer {peer}", questions, lambda asked: [None] * len(asked), 0.0)
        taken = time.perf_counter() - started
        return count, taken + drained(missing)

    yield pace.rate("engine", "take questions in and answer DONT_HAVE", "wants/s", absent)
