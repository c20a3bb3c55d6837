"""The message that `fill` makes is like any other, although the compiled core has it ready to be written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bitswap.block import Block
from bitswap.decision.implementations import implementations
from bitswap.message import Message, PresenceType
from bitswap.options import ServerOptions

from .support import block

A, B, C, D = (block(name) for name in "abcd")


@pytest.fixture
def filled(implementation: str) -> Any:
    """With A, B and a DONT_HAVE for C."""
    core = implementations()[implementation].DecisionCore(ServerOptions(), 1)
    wants = Message()
    for item in (A, B, C):
        wants.add_entry(item.cid, 1, 0, True)
    sizes = [len(A.data), len(B.data), None]
    core.receive("peer", wants.to_body(), lambda cids: sizes[: len(cids)], 0.0)
    envelope = core.next_envelope(0.0)
    return core.fill(envelope, [A, B][: len(envelope.cids)])


def said(message: Any) -> tuple[Sequence[Block], list[tuple[Any, int]], list[bytes]]:
    """What is read from it once it was written."""
    read = Message.from_body(message.to_body())
    return (
        sorted(read.blocks(), key=lambda item: item.cid),
        read.presences(),
        [b.data for b in message.blocks()],
    )


MISSING = (C.cid, PresenceType.DONT_HAVE)


def test_it_is_written_alike_before_and_after_it_was_looked_at(filled: Any) -> None:
    before = filled.to_frame()
    assert filled.to_frames() == [before]
    assert {item.cid for item in filled.blocks()} == {A.cid, B.cid}
    assert filled.to_frame() == before
    assert filled.to_body(0) == filled.clone().to_body(0)
    assert filled.clone().to_frame() == before


def test_it_knows_what_it_holds(filled: Any) -> None:
    assert not filled.empty()
    assert filled.size() >= len(A.data) + len(B.data)
    assert filled.dont_haves() == [C.cid]
    assert filled.size() == filled.clone().size()
    assert filled.body_size == len(filled.to_body())


def test_a_block_is_added(filled: Any) -> None:
    filled.add_block(D)
    filled.add_block(C)  # whose DONT_HAVE goes
    blocks, presences, data = said(filled)
    assert blocks == sorted((A, B, C, D), key=lambda item: item.cid)
    assert presences == []
    assert len(data) == 4


def test_presences_of_its_blocks_are_passed_over(filled: Any) -> None:
    filled.add_have(A.cid)
    filled.add_have(D.cid)
    blocks, presences, _ = said(filled)
    assert blocks == sorted((A, B), key=lambda item: item.cid)
    assert presences == [MISSING, (D.cid, PresenceType.HAVE)]


def test_it_can_be_emptied(filled: Any) -> None:
    filled.reset(False)
    assert filled.empty()
    assert filled.blocks() == []
    assert filled.to_body() == type(filled)().to_body()


def test_what_its_blocks_become_later_does_not_matter(filled: Any) -> None:
    before = filled.to_frame()
    taken = filled.clone()
    filled.add_block(D)
    assert taken.to_frame() == before
